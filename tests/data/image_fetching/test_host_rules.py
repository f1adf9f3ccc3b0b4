"""Which hosts may be asked, and which numbers they may stand for."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmsrarec.data.image_fetching.host_rules import HostRule, HostRules, Refused, host_of, parse_address
from mmsrarec.errors import DataError


@pytest.mark.parametrize(
    ("rule", "allowed", "refused"),
    [
        ("example.com", "https://example.com/1.jpg", "https://www.example.com/1.jpg"),
        ("example.com", "http://EXAMPLE.com:80/1.jpg", "http://example.com:8080/1.jpg"),
        ("example.com", "https://example.com:443/", "https://example.com.evil.org/"),
        ("*.example.com", "https://a.b.example.com/", "https://example.com/"),
        ("*.example.com", "https://img.example.com/", "https://badexample.com/"),
        ("example.com:8080", "http://example.com:8080/", "http://example.com/"),
        ("example.com:80", "http://example.com/", "https://example.com/"),
        ("bücher.example", "https://xn--bcher-kva.example/", "https://bucher.example/"),
        ("[2001:db8::1]", "http://[2001:db8::1]/", "http://[2001:db8::2]/"),
        ("127.0.0.1:5", "http://127.0.0.1:5/", "http://127.0.0.1:6/"),
    ],
)
def test_a_rule_allows_its_host_and_no_other(rule: str, allowed: str, refused: str) -> None:
    rules = HostRules.parse([rule])
    assert rules.check(allowed).scheme in ("http", "https")
    with pytest.raises(Refused, match="is not allowed: --allow-host"):
        rules.check(refused)


@pytest.mark.parametrize(
    "text", ["", " ", "*", "*.", "http://example.com", "a/b", "me@example.com", "a b", "*.*.com", "[::1", "x:99999999"]
)
def test_what_is_no_host_is_an_error_that_says_how_to_write_one(text: str) -> None:
    with pytest.raises(DataError, match="is not a host: write"):
        HostRule.parse(text)


@pytest.mark.parametrize("text", ["", "10.0.0", "10.0.0.0/40", "localhost", "::/200"])
def test_what_is_no_numeric_address_is_an_error(text: str) -> None:
    with pytest.raises(DataError, match="is not an address: write"):
        HostRules.parse([], [text])


@pytest.mark.parametrize(
    "number",
    [
        *("127.0.0.1", "127.9.9.9", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"),
        *("0.0.0.0", "255.255.255.255", "224.0.0.1", "192.0.2.1", "198.18.0.1", "240.0.0.1"),
        *("::1", "::", "fe80::1", "fe80::1%2", "fc00::1", "ff02::1", "2001:db8::1", "::ffff:127.0.0.1"),
        *("::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a00:1::1"),
        "2001:0:7f00:1::1",
    ],
)
def test_what_is_not_public_is_refused_unless_it_is_named(number: str) -> None:
    rules = HostRules.parse(["example.com"])
    with pytest.raises(Refused, match="not public: --allow-address"):
        rules.usable([number])
    named = HostRules.parse(["example.com"], [number.partition("%")[0]])
    assert named.usable([number]) == [number]


def test_of_several_numbers_only_those_that_may_be_used_remain() -> None:
    rules = HostRules.parse([], ["10.0.0.0/8"])
    assert rules.usable(["93.184.216.34", "127.0.0.1", "10.9.9.9", "2606:2800:220:1::1"]) == [
        "93.184.216.34",
        "10.9.9.9",
        "2606:2800:220:1::1",
    ]
    assert rules.usable([]) == []
    assert rules.usable(["::ffff:10.1.1.1"]) == ["::ffff:10.1.1.1"]


@given(st.ip_addresses(v=4))
def test_an_address_in_disguise_is_judged_as_what_it_hides(number: ipaddress.IPv4Address) -> None:
    rules = HostRules.parse([])
    disguises = [f"::ffff:{number}", f"64:ff9b::{number}"]
    if number.is_global and not number.is_multicast:
        assert rules.usable([str(number)]) == [str(number)]
    else:
        for text in (str(number), *disguises):
            with pytest.raises(Refused):
                rules.usable([text])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no scheme"),
        ("images/1.jpg", "no scheme"),
        ("//example.com/1.jpg", "no scheme"),
        ("ftp://example.com/1.jpg", "ftp: only http and https"),
        ("file:///etc/passwd", "file: only http and https"),
        ("data:image/png;base64,AAAA", "data: only http and https"),
        ("http:///1.jpg", "without a host"),
        ("http://me:secret@example.com/", "a name or a password"),
        ("http://[::1/1.jpg", "not a valid address"),
        ("http://example.com:99999/", "not a valid address"),
        ("http://exa\x00mple.com/", "not a valid address"),
        ("http://example.com/" + "x" * 9000, "more than 8192 characters"),
    ],
)
def test_what_is_no_address_of_the_web_is_refused(text: str, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        parse_address(text)


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_is_refused(text: str) -> None:
    rules = HostRules.parse(["example.com"])
    for address in (text, f"http://{text}", f"https://example.com{text}"):
        try:
            url = rules.check(address)
        except Refused:
            continue
        assert url.host == "example.com"
        assert url.port in (None, 80, 443)


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("https://Example.com/x", "example.com"),
        ("http://example.com:8080/", "example.com:8080"),
        ("http://[::1]:81/", "[::1]:81"),
        ("https://example.com:443/", "example.com"),
    ],
)
def test_the_host_that_is_proposed_can_be_allowed(address: str, host: str) -> None:
    assert host_of(parse_address(address)) == host
    assert HostRules.parse([host]).check(address)
