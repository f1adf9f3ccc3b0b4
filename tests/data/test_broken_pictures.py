"""Two hundred broken pictures: none crashes, none costs more memory than the limit, and each has its reason."""

import contextlib
from collections import Counter

import numpy as np
import pytest
from broken_pictures import KINDS, broken, claiming, encoded, endless_scans, noise, png, text_bomb
from PIL import Image

from mmsrarec.core.peak_memory import PeakMemory
from mmsrarec.data.images import MAX_MEMORY_MB, MAX_PIXELS, BadPicture, decode_picture

BROKEN_MB = 128
"""Broken pictures must cost much less than the largest whole one."""


def test_two_hundred_broken_pictures_are_refused_with_a_reason_and_without_much_memory() -> None:
    pictures = dict(broken())
    reasons: Counter[str] = Counter()
    opened: list[str] = []
    with PeakMemory() as memory:
        for name, data in pictures.items():
            try:
                decode_picture(data)
                opened.append(name)
            except BadPicture as reason:
                reasons[str(reason)] += 1
    assert opened == []
    assert reasons.total() == len(pictures) >= 200
    assert all(reason and "\n" not in reason and len(reason) < 120 for reason in reasons)
    assert memory.mb < BROKEN_MB


def large(kind: str) -> bytes:
    """A picture of as many pixels as are allowed, of the mode and with the extras that cost the format most."""
    side = int(MAX_PIXELS**0.5)
    ramp = Image.fromarray((np.add.outer(np.arange(side), np.arange(side)) % 256).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    if kind == "JPEG":
        return encoded(Image.merge("CMYK", [ramp] * 4), kind, progressive=True, exif=exif)
    if kind == "GIF":
        return encoded(ramp, kind)
    cheap = {"PNG": {"compress_level": 1}, "WEBP": {"method": 0, "quality": 50}, "AVIF": {"speed": 10}}
    return encoded(Image.merge("RGBA", [ramp] * 4), kind, exif=exif, **cheap[kind])


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_largest_pictures_stay_below_the_memory_limit(kind: str) -> None:
    data = large(kind)
    with PeakMemory() as memory:
        picture, _ = decode_picture(data)
    assert picture.width * picture.height == MAX_PIXELS
    assert 70 < memory.mb <= MAX_MEMORY_MB


@pytest.mark.slow
def test_an_avif_that_is_larger_than_it_says_stays_below_the_memory_limit() -> None:
    data = encoded(Image.new("RGB", (16_000, 16_000)), "AVIF", speed=10)
    size = data.index(b"ispe") + 8
    small = data[:size] + (100).to_bytes(4, "big") * 2 + data[size + 8 :]
    with PeakMemory() as memory, contextlib.suppress(BadPicture):  # a decoder may compare both sizes
        assert decode_picture(small)[0].size == (100, 100)
    assert memory.mb <= MAX_MEMORY_MB


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "an empty file"),
        (b"<!DOCTYPE html>", "a web page: only JPEG"),
        (b"<svg/>", "an SVG drawing"),
        (b"%PDF-1.7", "a PDF file"),
        (b"\0\0\0\x18ftypheic", "a HEIC picture"),
        (b"version https://git-lfs.github.com/spec/v1", "a pointer of Git LFS"),
        (encoded(noise(), "TIFF"), "a TIFF file"),
        (encoded(noise(), "WEBP")[:60], "a damaged WEBP file"),
        (encoded(noise(), "PNG")[:-30], "damaged or cut short"),
        (claiming("GIF", 65_000, 65_000), "megapixels"),
        (png(20_001, 1), "20000 pixels on one side"),
        (png(1, 201), "1 x 201 is a line: one side is more than 200 times the other"),
        (endless_scans(100), "more than 100 scans"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * (20 * 2**20), "more than 20 MiB"),
        (b"\x01\x02\x03", "not a readable JPEG, PNG, WEBP, GIF, AVIF file"),
    ],
)
def test_the_reason_says_what_the_file_is(data: bytes, reason: str) -> None:
    with pytest.raises(BadPicture, match=reason):
        decode_picture(data)


def test_an_ordinary_progressive_jpeg_has_few_enough_scans() -> None:
    assert decode_picture(endless_scans(0))[0].size == (40, 30)
    assert decode_picture(encoded(noise(size=(300, 200)), "JPEG", progressive=True, quality=95))[1] == "jpg"


def test_a_bomb_beside_the_pixels_is_not_unpacked() -> None:
    for name in (b"zTXt", b"iCCP"):
        data = png(9, 9, text_bomb(name))
        with PeakMemory() as memory, contextlib.suppress(BadPicture):
            assert decode_picture(data)[0].size == (9, 9)
        assert memory.mb < 32
