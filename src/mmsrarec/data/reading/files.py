"""Opens the files of a source, packed or plain, and reads them line by line.

The content of a file decides how it is unpacked, not its name. A file without lines of text is refused with a message
that says what it is.
"""

import bz2
import contextlib
import gzip
import importlib
import io
import lzma
import zipfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import IO, Any, NoReturn, cast

from mmsrarec.data.reading.encodings import MARKS, known_encoding, transcoded
from mmsrarec.errors import DataError

CHUNK_BYTES = 1 << 20
MAX_UNPACKED_BYTES = 32 << 30
"""The size up to which a packed file may unpack."""
SAFE_BYTES, MAX_RATIO = 64 << 20, 300
"""Above SAFE_BYTES a file may unpack to MAX_RATIO times its size: no log packs better, only a decompression bomb."""

GZIP, ZIP, ZSTD = b"\x1f\x8b", b"PK\x03\x04", b"\x28\xb5\x2f\xfd"
_PACKED = {GZIP: "gzip", ZIP: "zip", ZSTD: "zstd", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz"}
_ENDINGS = {".gz": "gzip", ".zip": "zip", ".zst": "zstd", ".bz2": "bzip2", ".xz": "xz"}
_REFUSED = {
    b"PAR1": "a Parquet file: export it as text",
    b"SQLite format 3": "an SQLite database: export it as text",
    b"\xd0\xcf\x11\xe0": "a file of Microsoft Office: save it as CSV",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive: unpack it first",
    b"Rar!": "a RAR archive: unpack it first",
    b"%PDF": "a PDF file: a table is wanted",
}


def packing(path: Path, encoding: str | None = None) -> str | None:
    """Recognize how a file is packed.

    Args:
        path: The file.
        encoding: Its declared encoding; None where none is declared.

    Returns:
        "gzip", "zip", "zstd", "bzip2" or "xz"; None for a plain file.

    Raises:
        DataError: The file cannot be read, or it holds no lines of text.
    """
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})") from None
    packed = next((name for magic, name in _PACKED.items() if start.startswith(magic)), None)
    format_of_name = _ENDINGS.get(path.suffix.lower())
    if start and format_of_name and not packed:
        raise DataError(
            f"{path} cannot be unpacked (it is named {path.suffix}, and holds no {format_of_name}): fetch it again"
        )
    if packed is None:
        _refuse_other(path, start, encoding)
    return packed


def find(folder: Path, name: str) -> Path:
    """The path of a file in a folder, or of the packed file with the same name and one ending more.

    Returns:
        The path; that of the plain file if neither exists.
    """
    packed = (folder / f"{name}{ending}" for ending in _ENDINGS)
    plain = folder / name
    return plain if plain.exists() else next((path for path in packed if path.exists()), plain)


@contextlib.contextmanager
def open_bytes(path: Path, encoding: str | None = None) -> Generator[IO[bytes]]:
    """Open a file for reading, unpack a packed one, and turn text in another encoding into UTF-8.

    Args:
        path: The file.
        encoding: Its encoding; None stands for UTF-8, or what a byte order mark says.

    Yields:
        The content; reading it raises DataError where the file is damaged. What the encoding does not have becomes a
        byte that is no UTF-8.

    Raises:
        DataError: The file cannot be read, it holds no lines of text, or there is no such encoding.
    """
    encoding = None if encoding is None else known_encoding(encoding)
    packed = packing(path, encoding)
    with path.open("rb") as file:
        content: IO[bytes] = file
        if packed is not None:
            with _unpacking(path):
                unpacked = _Unpacked(_unpack(path, file, packed), path)
            start = unpacked.ahead = unpacked.read(64)
            _refuse_other(path, start, encoding)
            content = cast(IO[bytes], unpacked)  # only `read` of the protocol is used
        else:
            start = file.read(4)
            file.seek(0)
        encoding = encoding or encoding_by_mark(start)
        yield content if encoding in (None, "utf-8") else transcoded(content, encoding)


class Lines:
    """The lines of a file as bytes, without their ends: LF, CRLF, CR, and the CR CR LF of a text converted twice.

    Attributes:
        path: The file.
        whole: Whether the last line that was read had an end.
    """

    def __init__(self, path: Path, encoding: str | None = None):
        self.path, self.encoding, self.whole = path, encoding, True

    def __iter__(self) -> Iterator[bytes]:
        with open_bytes(self.path, self.encoding) as file:
            parts: list[bytes] = []  # of a line longer than a chunk
            returns = b""  # carriage returns at the end of a chunk: a line feed may follow
            while chunk := file.read(CHUNK_BYTES):
                chunk = returns + chunk
                returns = chunk[len(chunk.rstrip(b"\r")) :] if chunk.endswith(b"\r") else b""
                if len(returns) < len(chunk):
                    *lines, last = with_line_feeds(chunk[: len(chunk) - len(returns)]).split(b"\n")
                    if lines:
                        yield b"".join([*parts, lines[0]])
                        yield from lines[1:]
                        parts = []
                    parts.append(last)
            if returns:
                *lines, last = with_line_feeds(returns).split(b"\n")
                yield b"".join([*parts, lines[0]])
                yield from lines[1:]
                parts = [last]
            if last_line := b"".join(parts):
                self.whole = False
                yield last_line


def text_lines(lines: Lines) -> Iterator[tuple[int, str | None]]:
    """Decode the lines of a file.

    Yields:
        The line number from 1, and the line, or None where it is not UTF-8.
    """
    for number, line in enumerate(lines, start=1):
        try:
            yield number, line.decode("utf-8").removeprefix("\ufeff" if number == 1 else "")
        except UnicodeDecodeError:
            yield number, None


def with_line_feeds(data: bytes) -> bytes:
    """The data with a line feed for every end of a line."""
    if b"\r" not in data:
        return data
    while b"\r\r\n" in data:
        data = data.replace(b"\r\r\n", b"\r\n")
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def encoding_of(path: Path, encoding: str | None = None) -> str | None:
    """The encoding in which a file is read: the declared one, or what a byte order mark says; None for UTF-8."""
    if encoding is not None:
        return known_encoding(encoding)
    if packing(path) is not None:
        return None
    with path.open("rb") as file:
        return encoding_by_mark(file.read(4))


def encoding_by_mark(start: bytes) -> str | None:
    """The encoding that a byte order mark names, other than UTF-8; None without such a mark."""
    return next((name for mark, name in MARKS.items() if start.startswith(mark)), None)


def _refuse_other(path: Path, start: bytes, encoding: str | None) -> None:
    """Raise DataError where the first bytes are not those of a text."""
    for magic, what in _REFUSED.items():
        if start.startswith(magic):
            raise DataError(f"{path} is {what}")
    if encoding is not None or encoding_by_mark(start) is not None:
        return
    if len(start) > 3 and (start[1::2].count(0) == len(start) // 2 or not any(start[::2])):
        raise DataError(f"{path} is text in UTF-16, without a mark that says so: say --encoding utf-16-le or -be")


@contextlib.contextmanager
def _unpacking(path: Path) -> Generator[None]:
    """Turn every error of a decoder into a DataError."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:  # damaged files make the decoders raise nearly anything
        raise DataError(f"{path} cannot be unpacked ({error}): fetch it again") from None


def _unpack(path: Path, file: IO[bytes], packed: str) -> Any:
    """A readable stream of the unpacked content."""
    if packed == "zip":
        return _only_member(path, file)
    if packed == "zstd":
        return _zstd(path, file)
    return {"gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open}[packed](file, "rb")


def _only_member(path: Path, file: IO[bytes]) -> IO[bytes]:
    """The content of the only file of a zip archive; hidden files do not count."""
    archive = zipfile.ZipFile(file)
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if any(entry.filename == "[Content_Types].xml" for entry in entries):
        raise DataError(f"{path} is a file of Microsoft Office: save it as CSV")
    entries = [
        entry for entry in entries if not Path(entry.filename).name.startswith(".") and "__MACOSX" not in entry.filename
    ]
    if len(entries) != 1:
        raise DataError(f"{path} is a zip archive of {len(entries)} files: unpack it, and name the one that is meant")
    if entries[0].flag_bits & 1:
        raise DataError(f"{path} is a zip archive with a password: unpack it first")
    return archive.open(entries[0])


def _zstd(path: Path, file: IO[bytes]) -> Any:
    """A stream of content packed with zstd, by the first package that can unpack it."""
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
    """A stream that counts the unpacked bytes, and stops where they are too many for the packed file."""

    def __init__(self, content: IO[bytes], path: Path):
        self.content, self.path, self.ahead = content, path, b""
        self.size, self.packed = 0, path.stat().st_size

    def read(self, size: int = -1) -> bytes:
        if self.ahead:
            ahead, self.ahead = self.ahead, b""
            return ahead
        if size < 0:
            return b"".join(iter(lambda: self.read(CHUNK_BYTES), b""))
        with _unpacking(self.path):
            data = self.content.read(size)
        self.size += len(data)
        if self.size > MAX_UNPACKED_BYTES or self.size > max(SAFE_BYTES, MAX_RATIO * self.packed):
            self._refuse_size()
        return data

    def _refuse_size(self) -> NoReturn:
        sizes = f"{self.packed} bytes unpack to more than {self.size >> 20} MiB"
        raise DataError(f"{self.path}: {sizes}, which no table does; unpack it yourself if you trust it")
