"""A picture is base64 and nothing else; an address is told apart."""

import base64

import pytest
from pydantic import ValidationError

from mmsrarec.serve.schema.changing import ItemAsked

DATA = bytes(range(256))


def test_base64_is_read_with_and_without_lines() -> None:
    for text in (base64.b64encode(DATA), base64.encodebytes(DATA), base64.encodebytes(DATA).replace(b"\n", b"\r\n")):
        assert ItemAsked.model_validate({"picture": text.decode()}).picture == DATA
    assert ItemAsked.model_validate({"picture": None}).picture is None


@pytest.mark.parametrize(
    "text", ["http://a.example/x.png", "HTTPS://a/x", "ftp:x", " file:///etc/passwd", "data:image/png;base64,AAAA"]
)
def test_an_address_is_told_apart(text: str) -> None:
    with pytest.raises(ValidationError, match="pictures come as bytes, never by address"):
        ItemAsked.model_validate({"picture": text})


@pytest.mark.parametrize("text", ["!!!", "AAAA!", "AAA", "A-_A", "AA==AA", "//a.example/x.png", "ä"])
def test_anything_else_is_no_base64(text: str) -> None:
    with pytest.raises(ValidationError, match="no base64"):
        ItemAsked.model_validate({"picture": text})
