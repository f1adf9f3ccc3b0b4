"""Two hundred broken pictures, of every kind that a catalogue may bring by mistake or on purpose."""

import gzip
import io
import random
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

KINDS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF")


def noise(mode: str = "RGB", size: tuple[int, int] = (40, 30)) -> Image.Image:
    channels = len(Image.new(mode, (1, 1)).getbands())
    shape = (size[1], size[0], channels) if channels > 1 else (size[1], size[0])
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(name: bytes, body: bytes, crc: int | None = None) -> bytes:
    """A chunk of a PNG."""
    checksum = zlib.crc32(name + body) if crc is None else crc
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", checksum)


def png(width: int, height: int, *more: bytes, rows: int | None = None) -> bytes:
    """A PNG of zeros with one bit a pixel, a few kilobytes for any size; `more` chunks come before the pixels."""
    body = zlib.compress(bytes((1 + (width + 7) // 8) * (height if rows is None else rows)), 9)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(more) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def claiming(kind: str, width: int, height: int) -> bytes:
    """A small picture whose header claims another size."""
    data = encoded(noise(), kind)
    if kind == "GIF":
        return data[:6] + struct.pack("<HH", width, height) + data[10:]
    if kind == "AVIF":
        at = data.index(b"ispe") + 8
        return data[:at] + struct.pack(">II", width, height) + data[at + 8 :]
    if kind == "JPEG":
        at = data.index(b"\xff\xc0") + 5
        return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]
    assert kind == "WEBP"
    canvas = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    extended = b"VP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + canvas
    body = b"WEBP" + extended + data[12:]
    return b"RIFF" + struct.pack("<I", len(body)) + body


def endless_scans(scans: int) -> bytes:
    """A progressive JPEG whose last pass is repeated."""
    data = encoded(noise(), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * scans + data[-2:]


def text_bomb(name: bytes) -> bytes:
    """A chunk of text or of a colour profile that unpacks to 100 MB."""
    return chunk(name, b"x\0\0" + zlib.compress(bytes(100_000_000)))


STRANGERS = {
    "nothing": b"",
    "one byte": b"\xff",
    "zeros": b"\0" * 4096,
    "web page": b"<!DOCTYPE html><html><body>Please log in</body></html>",
    "web page after blanks": b"\n\n  <html><head></head></html>",
    "error in JSON": b'{"error": "not found"}',
    "error in XML": b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>",
    "drawing": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    "pdf": b"%PDF-1.7\n%\xe2\xe3",
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "zip": b"PK\x03\x04\x14\0\0\0",
    "packed picture": gzip.compress(encoded(noise(), "PNG")),
    "heic": struct.pack(">I", 24) + b"ftypheic\0\0\0\0mif1heic",
    "large file storage": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n",
    "bitmap": encoded(noise(), "BMP"),
    "tiff": encoded(noise(), "TIFF"),
    "icon": encoded(noise(size=(16, 16)), "ICO"),
    "targa": encoded(noise(), "TGA"),
    "photoshop": b"8BPS\0\1" + b"\0" * 20,
    "program": b"\x7fELF\2\1\1" + b"\0" * 50,
    "pickle": b"\x80\x04\x95\x0b\0\0\0\0\0\0\0\x8c\x07builtin\x94.",
    "jpeg 2000": encoded(noise(), "JPEG2000"),
    "film": struct.pack(">I", 24) + b"ftypisom\0\0\2\0isomiso2",
    "text": "no picture 絵".encode(),
    "address": b"https://example.com/1.jpg",
}


def broken() -> Iterator[tuple[str, bytes]]:
    """(name, content) of two hundred files, none of which is a whole picture within the limits."""
    yield from STRANGERS.items()
    for kind in KINDS:
        whole = encoded(noise(size=(120, 90)), kind)
        for percent in (1, 3, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 70, 75, 80, 90, 95, 98):
            yield f"{kind} cut at {percent} %", whole[: max(1, len(whole) * percent // 100)]
        yield f"{kind} of which only the start is there", whole[:16]
        yield f"{kind} behind other bytes", b"garbage!" + whole
    for side in (5_001, 6_000, 8_000, 9_459, 9_800, 12_000, 13_300, 20_000):
        yield f"PNG of {side} x {side}", png(side, side)
    for kind in ("JPEG", "GIF", "WEBP", "AVIF"):
        for width, height in ((5_001, 5_000), (9_800, 9_800), (16_000, 16_000), (12_000, 2_500), (1, 16_383)):
            if width * height > 25_000_000:
                yield f"{kind} that claims {width} x {height}", claiming(kind, width, height)
    for width, height in ((20_001, 1), (1, 20_001), (400_000, 2), (2, 1_000_000), (20_001, 100)):
        yield f"PNG of {width} x {height}", png(width, height)
    for scans in (101, 300, 1000):
        yield f"JPEG of {scans} more scans", endless_scans(scans)
    for size in (0, 1, 2**31 - 1, 2**32 - 1):
        yield f"PNG {size} pixels wide", png(8, 8).replace(struct.pack(">II", 8, 8), struct.pack(">II", size, 8), 1)
    for name in (b"zTXt", b"iCCP"):
        yield f"PNG with a bomb in {name.decode()}", png(9, 9, text_bomb(name), rows=1)
    for crc in (0, 1, 0xFFFFFFFF):
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 1, 0, 0, 0, 0), crc)
        yield f"PNG with the checksum {crc:x}", b"\x89PNG\r\n\x1a\n" + header + png(8, 8)[33:]
    yield "PNG of 8 rows that has none", png(8, 8, rows=0)
    yield "PNG without pixels", png(8, 8)[:33] + chunk(b"IEND", b"")
    yield "larger than is read", encoded(noise(), "PNG") + b"\0" * (20 * 2**20)
    rng = random.Random(0)
    for number in range(30):
        yield f"random bytes {number}", rng.randbytes(rng.randrange(1, 5000))
