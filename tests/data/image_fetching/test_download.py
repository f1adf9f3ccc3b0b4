"""One picture from a server that misbehaves in every way."""

import asyncio
import random
import time
from dataclasses import replace
from email.utils import formatdate

import httpx2
import pytest
from fetching import FAST, LOOPBACK
from misbehaving_server import Server, picture

from mmsrarec.data.image_fetching.download import Downloader, Failure, Limits, _retry_after
from mmsrarec.data.image_fetching.guarded_transport import GuardedBackend, GuardedTransport
from mmsrarec.data.image_fetching.host_rules import HostRules


def fetch(server: Server, *paths: str, limits: Limits = FAST) -> list[tuple[bytes, int] | Failure]:
    """What comes of each path, one after the other, through one downloader."""

    async def run() -> list[tuple[bytes, int] | Failure]:
        rules = HostRules.parse([server.host], LOOPBACK)
        transport = GuardedTransport(GuardedBackend(rules), 4)
        timeout = httpx2.Timeout(limits.silence_seconds, connect=limits.connect_seconds)
        results: list[tuple[bytes, int] | Failure] = []
        async with httpx2.AsyncClient(transport=transport, trust_env=False, timeout=timeout) as client:
            downloader = Downloader(client, rules, limits, random.Random(0))
            for path in paths:
                try:
                    results.append(await downloader.fetch(server.address(path) if "://" not in path else path))
                except Failure as failure:
                    results.append(failure)
        return results

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("path", "reason", "requests"),
    [
        ("missing/1", "HTTP 404 Not Found", 1),
        ("gone/1", "HTTP 410 Gone", 1),
        ("forbidden/1", "HTTP 403 Forbidden", 1),
        ("nothing/1", "HTTP 204 No Content", 1),
        ("empty/1", "the server sent nothing", 1),
        ("html/1", "the server sent text/html, not a photograph", 1),
        ("svg/1", "the server sent image/svg\\+xml", 1),
        ("packed/1", "sent it packed \\(gzip\\)", 1),
        ("large/1", "more than 20 MiB", 1),
        ("endless/1", "more than 20 MiB", 1),
        ("loop/1", "more than 5 redirects", 6),
        ("no-place/1", "a redirect without a place", 1),
        ("to-nowhere/1", "redirected: |a redirect to what is no address", 1),
        ("to-a-file/1", "redirected: file: only http and https", 1),
        ("to-another-host/1", "redirected: the host elsewhere.example is not allowed", 1),
        ("pause-of-a-day/1", "HTTP 429 Too Many Requests, asks for a pause of 86400 s", 1),
        ("always-busy/1", "HTTP 503 Service Unavailable", 3),
        ("cut/1", "cut short: the connection ended before the picture", 3),
        ("hangs-up/1", "the server hung up without an answer", 3),
        ("silent/1", "no answer in time \\(silence\\)", 3),
        ("drip/1", "no answer in time \\(too slow as a whole\\)", 3),
        ("no-http/1", "no answer in time|the connection broke off", 3),
    ],
)
def test_each_misbehaviour_has_its_reason_and_its_number_of_requests(path: str, reason: str, requests: int) -> None:
    with Server() as server:
        start = time.monotonic()
        (failure,) = fetch(server, path)
        assert isinstance(failure, Failure)
        with pytest.raises(Failure, match=reason):
            raise failure
        assert server.requests[path] == requests
        assert failure.attempts == (requests if path != "loop/1" else 1)
        assert time.monotonic() - start < FAST.attempts * (FAST.total_seconds + FAST.max_pause_seconds)


@pytest.mark.parametrize(
    ("path", "number", "attempts"),
    [
        ("picture/5", 5, 1),
        ("untyped/1", 7, 1),
        ("to-a-picture/1", 11, 1),
        ("busy-twice/1", 15, 3),
        ("cut-once/1", 17, 2),
    ],
)
def test_what_can_be_had_is_had(path: str, number: int, attempts: int) -> None:
    with Server() as server:
        assert fetch(server, path) == [(picture(number), attempts)]


def test_a_pause_that_the_server_asks_for_is_kept() -> None:
    with Server() as server:
        start = time.monotonic()
        assert fetch(server, "slow-down-once/1") == [(picture(16), 2)]
        assert time.monotonic() - start >= 0.95


def test_a_redirect_to_a_private_address_is_refused_even_where_this_machine_is_allowed() -> None:
    with Server() as server:
        rules = HostRules.parse([server.host, "10.0.0.1"], LOOPBACK)
        transport = GuardedTransport(GuardedBackend(rules), 1)

        async def run() -> None:
            async with httpx2.AsyncClient(transport=transport, trust_env=False, timeout=1) as client:
                await Downloader(client, rules, FAST, random.Random(0)).fetch(
                    server.address("redirect/http://10.0.0.1/secret")
                )

        with pytest.raises(Failure, match=r"10\.0\.0\.1, which is not public") as failure:
            asyncio.run(run())
        assert failure.value.refused


def test_an_answer_that_nobody_foresaw_is_a_failure_of_one_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(*_: object) -> None:
        raise RuntimeError("never seen before")

    with Server() as server, monkeypatch.context() as patched:
        patched.setattr(Downloader, "_body", fault)
        (failure,) = fetch(server, "picture/1")
        assert str(failure) == "an answer that was not foreseen (RuntimeError)"


def test_a_host_that_is_not_allowed_is_never_asked() -> None:
    with Server() as server:
        other = f"http://localhost:{server.port}/picture/1"
        (failure,) = fetch(server, other)
        assert isinstance(failure, Failure)
        assert failure.refused
        assert failure.attempts == 0
        assert not server.requests


def test_a_host_that_never_answers_is_left_alone_after_a_while() -> None:
    server = Server()
    server.port = 1  # nobody listens there
    limits = replace(FAST, attempts=2, dead_host_failures=3)
    failures = fetch(server, *(f"picture/{number}" for number in range(6)), limits=limits)
    reasons = [str(failure) for failure in failures]
    assert all(reason.startswith("no connection") for reason in reasons[:3])
    assert reasons[3:] == ["127.0.0.1:1 did not answer 3 times in a row, so it was not asked"] * 3


def test_a_picture_as_large_as_the_limit_comes_and_a_larger_one_does_not() -> None:
    with Server() as server:
        size = len(picture(5))
        assert fetch(server, "picture/5", limits=replace(FAST, max_bytes=size)) == [(picture(5), 1)]
        (failure,) = fetch(server, "picture/5", limits=replace(FAST, max_bytes=size - 1))
        assert "more than" in str(failure)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("", 0),
        ("5", 5),
        (" 7 ", 7),
        ("-3", 0),
        ("soon", 0),
        ("9" * 40, 999_999_999),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
    ],
)
def test_the_header_that_asks_for_a_pause(value: str, seconds: float) -> None:
    assert _retry_after(value) == seconds


def test_a_pause_until_a_date() -> None:
    assert 50 < _retry_after(formatdate(time.time() + 60, usegmt=True)) <= 60
