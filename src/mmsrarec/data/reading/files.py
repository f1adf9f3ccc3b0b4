"""Opens the files that data come in: packed or not, by what they hold and not by their names, line by line.

A file that a line reader cannot read is refused in one line that says what it is.
"""

import bz2
import contextlib
import gzip
import importlib
import io
import lzma
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NoReturn

from mmsrarec.errors import DataError

CHUNK = 1 << 20
LARGEST = 32 << 30
"""Bytes that a packed file may unpack to."""
SAFE, RATIO = 64 << 20, 300
"""Above SAFE bytes nobody's log packs to less than a RATIO-th; what does is there to fill memory."""

GZIP, ZIP, ZSTD = b"\x1f\x8b", b"PK\x03\x04", b"\x28\xb5\x2f\xfd"
_PACKED = {GZIP: "gzip", ZIP: "zip", ZSTD: "zstd", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz"}
_ENDINGS = {".gz": "gzip", ".zip": "zip", ".zst": "zstd", ".bz2": "bzip2", ".xz": "xz"}
_REFUSED = {
    b"\xff\xfe\x00\x00": "text in UTF-32: save it as UTF-8",
    b"\x00\x00\xfe\xff": "text in UTF-32: save it as UTF-8",
    b"\xff\xfe": "text in UTF-16: save it as UTF-8",
    b"\xfe\xff": "text in UTF-16: save it as UTF-8",
    b"PAR1": "a Parquet file: export it as text",
    b"SQLite format 3": "an SQLite database: export it as text",
    b"\xd0\xcf\x11\xe0": "a file of Microsoft Office: save it as CSV",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive: unpack it first",
    b"Rar!": "a RAR archive: unpack it first",
    b"%PDF": "a PDF file: a table is wanted",
}


def packing(path: Path) -> str | None:
    """What a file is packed with, or None. Raises MmsrarecError where it is something that holds no lines of text."""
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})") from None
    packed = next((name for magic, name in _PACKED.items() if start.startswith(magic)), None)
    named = _ENDINGS.get(path.suffix.lower())
    if start and named and not packed:
        raise DataError(f"{path} cannot be unpacked (it is named {path.suffix}, and holds no {named}): fetch it again")
    if packed is None:
        _refuse_other(path, start)
    return packed


def find(folder: Path, name: str) -> Path:
    """The file of that name in a folder, or the same packed, by its ending."""
    packed = (folder / f"{name}{ending}" for ending in _ENDINGS)
    plain = folder / name
    return plain if plain.exists() else next((path for path in packed if path.exists()), plain)


@contextlib.contextmanager
def open_bytes(path: Path) -> Iterator[IO[bytes]]:
    """The content of a file, unpacked where it is packed. Reading raises MmsrarecError where it cannot be."""
    packed = packing(path)
    with path.open("rb") as file:
        if packed is None:
            yield file
            return
        with _unpacking(path):
            content = _Unpacked(_unpack(path, file, packed), path)
        content.ahead = content.read(64)
        _refuse_other(path, content.ahead)
        yield content  # type: ignore[misc]


class Lines:
    """The lines of a file as bytes, without their ends: LF, CRLF, CR, and the CR CR LF of a text written twice.

    whole: whether the last line that was read had an end.
    """

    def __init__(self, path: Path):
        self.path, self.whole = path, True

    def __iter__(self) -> Iterator[bytes]:
        with open_bytes(self.path) as file:
            parts: list[bytes] = []  # of a line longer than a chunk
            held = b""  # carriage returns at the end of a chunk: a line feed may follow
            while chunk := file.read(CHUNK):
                chunk = held + chunk
                held = chunk[len(chunk.rstrip(b"\r")) :] if chunk.endswith(b"\r") else b""
                if len(held) < len(chunk):
                    *lines, last = _with_line_feeds(chunk[: len(chunk) - len(held)]).split(b"\n")
                    if lines:
                        yield b"".join([*parts, lines[0]])
                        yield from lines[1:]
                        parts = []
                    parts.append(last)
            if held:
                *lines, last = _with_line_feeds(held).split(b"\n")
                yield b"".join([*parts, lines[0]])
                yield from lines[1:]
                parts = [last]
            if left := b"".join(parts):
                self.whole = False
                yield left


def text_lines(lines: Lines) -> Iterator[tuple[int, str | None]]:
    """(number from 1, the line, or None where it is not UTF-8)."""
    for number, line in enumerate(lines, start=1):
        try:
            yield number, line.decode("utf-8").removeprefix("\ufeff" if number == 1 else "")
        except UnicodeDecodeError:
            yield number, None


def _with_line_feeds(data: bytes) -> bytes:
    if b"\r" not in data:
        return data
    while b"\r\r\n" in data:
        data = data.replace(b"\r\r\n", b"\r\n")
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _refuse_other(path: Path, start: bytes) -> None:
    for magic, what in _REFUSED.items():
        if start.startswith(magic):
            raise DataError(f"{path} is {what}")
    if len(start) > 3 and (start[1::2].count(0) == len(start) // 2 or not any(start[::2])):
        raise DataError(f"{path} is text in UTF-16, without a mark that says so: save it as UTF-8")


@contextlib.contextmanager
def _unpacking(path: Path) -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except Exception as error:  # damaged files make the decoders raise nearly anything
        raise DataError(f"{path} cannot be unpacked ({error}): fetch it again") from None


def _unpack(path: Path, file: IO[bytes], packed: str) -> Any:
    if packed == "zip":
        return _only_member(path, file)
    if packed == "zstd":
        return _zstd(path, file)
    return {"gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open}[packed](file, "rb")


def _only_member(path: Path, file: IO[bytes]) -> IO[bytes]:
    archive = zipfile.ZipFile(file)
    names = [entry for entry in archive.infolist() if not entry.is_dir()]
    if any(entry.filename == "[Content_Types].xml" for entry in names):
        raise DataError(f"{path} is a file of Microsoft Office: save it as CSV")
    names = [
        entry for entry in names if not Path(entry.filename).name.startswith(".") and "__MACOSX" not in entry.filename
    ]
    if len(names) != 1:
        raise DataError(f"{path} is a zip archive of {len(names)} files: unpack it, and name the one that is meant")
    if names[0].flag_bits & 1:
        raise DataError(f"{path} is a zip archive with a password: unpack it first")
    return archive.open(names[0])


def _zstd(path: Path, file: IO[bytes]) -> Any:
    for module in ("compression.zstd", "backports.zstd"):
        with contextlib.suppress(ImportError):
            return importlib.import_module(module).open(file, "rb")
    with contextlib.suppress(ImportError):
        unpacker = importlib.import_module("zstandard").ZstdDecompressor()
        return unpacker.stream_reader(file, read_across_frames=True)
    with contextlib.suppress(ImportError):
        return importlib.import_module("pyarrow").CompressedInputStream(file, "zstd")
    raise DataError(f"{path} is packed with zstd: unpack it first, or pip install zstandard")


class _Unpacked(io.RawIOBase):
    """Counts what is unpacked, and stops where it is far more than what was packed can be."""

    def __init__(self, content: IO[bytes], path: Path):
        self.content, self.path, self.ahead = content, path, b""
        self.size, self.packed = 0, path.stat().st_size

    def read(self, size: int = -1) -> bytes:
        if self.ahead:
            ahead, self.ahead = self.ahead, b""
            return ahead
        if size < 0:
            return b"".join(iter(lambda: self.read(CHUNK), b""))
        with _unpacking(self.path):
            data = self.content.read(size)
        self.size += len(data)
        if self.size > LARGEST or self.size > max(SAFE, RATIO * self.packed):
            self._too_much()
        return data

    def _too_much(self) -> NoReturn:
        grown = f"{self.packed} bytes unpack to more than {self.size >> 20} MiB"
        raise DataError(f"{self.path}: {grown}, which no table does; unpack it yourself if you trust it")
