"""Text files in other encodings than UTF-8: read where they are declared or marked, named where they are not."""

import codecs
import io
from typing import IO, cast

from mmsrarec.core.terminal import one_line
from mmsrarec.errors import DataError

CHUNK_BYTES = 1 << 20
MARKS = {
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
"""The byte order marks that name an encoding, the longer ones first."""
USUAL = ("latin_1", "cp1252", "gb18030", "big5", "shift_jis", "euc_kr", "cp1251", "cp1250")
"""The encodings that a guess chooses from."""
INVALID = "mmsrarec-invalid"
"""The error handler that leaves a byte which is no UTF-8 in place of what cannot be decoded."""
_SAMPLE_BYTES = 4096


def is_utf8(line: bytes) -> bool:
    """Whether bytes are text in UTF-8."""
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def known_encoding(name: str) -> str:
    """The usual name of an encoding.

    Raises:
        DataError: Python has no such text encoding.
    """
    try:
        codec = codecs.lookup(name)
    except (LookupError, ValueError):
        codec = None
    if codec is None or not codec._is_text_encoding:
        raise DataError(f"unknown encoding {one_line(name)}: name one such as utf-8, latin-1, cp1252, gbk or utf-16")
    return codec.name


def likely(data: bytes) -> str:
    """What to say of bytes that are not UTF-8: the encoding that they are probably in, and how it reads them.

    Args:
        data: Some lines of a file.

    Returns:
        A part of a sentence with the option that reads them, such as `it may be latin-1 ('Köln'): say
        --encoding latin-1`.
    """
    from charset_normalizer import from_bytes

    lines = [line for line in data[:_SAMPLE_BYTES].split(b"\n") if not line.isascii()]
    sample = b"\n".join(lines)
    best = from_bytes(sample, cp_isolation=list(USUAL)).best() if sample else None
    encoding = (best.encoding if best is not None else "latin_1").replace("_", "-")
    if sample.decode(encoding, "replace") == sample.decode("latin_1"):
        encoding = "latin-1"  # the best known of the encodings that read these bytes alike
    words = sample.decode(encoding, "replace").replace(",", " ").replace("\t", " ").replace(";", " ").split()
    example = next((word for word in words if not word.isascii()), "")
    return f"it may be {encoding} ({one_line(example)[:20]!r}): say --encoding {encoding}"


class Transcoded(io.RawIOBase):
    """A stream of bytes in some encoding, read as UTF-8. What cannot be decoded becomes a byte that is no UTF-8."""

    def __init__(self, content: IO[bytes], encoding: str):
        self.content = content
        self.decoder = codecs.getincrementaldecoder(encoding)(INVALID)
        self.ended = False

    def read(self, size: int = -1) -> bytes:
        """The next bytes; the number is not exactly `size`, and only b"" is the end."""
        if size < 0:
            return b"".join(iter(lambda: self.read(CHUNK_BYTES), b""))
        while not self.ended:
            data = self.content.read(size or CHUNK_BYTES)
            self.ended = not data
            if text := self.decoder.decode(data, final=self.ended):
                return text.encode("utf-8", "surrogateescape")
        return b""


def transcoded(content: IO[bytes], encoding: str) -> IO[bytes]:
    """The stream as UTF-8; only `read` of the protocol can be used."""
    return cast(IO[bytes], Transcoded(content, encoding))


def _invalid(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\udcff", error.end


codecs.register_error(INVALID, _invalid)
