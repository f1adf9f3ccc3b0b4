"""What may reach a terminal, a pipe or a log file whose encoding nobody chose: the one place that every text passes."""

import contextlib
import json
import logging
import os
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from typing import IO, Any

KEPT = "\n\t\u200c\u200d"
"""Tabs and ends of lines; and the two joiners, without which Persian words and many emoji are others."""
HIDDEN = ("Cf", "Zl", "Zp")
"""Categories of characters that show nothing by themselves: they are left out."""
NOT_SHOWN = ("Cc", "Cs")
"""Categories that a terminal may obey, or that no encoding has: a sign stands in their place."""
SIGN = "\ufffd"

_log = logging.getLogger("mmsrarec")


def printable(text: str) -> str:
    """The text without what a terminal would obey: escape codes, other controls, marks that turn the writing round.

    A title or an id is anybody's text; printed as it is, it could clear the screen or rewrite the lines above it.
    """
    return text if text.isprintable() else "".join(_shown(letter) for letter in text)


@cache
def _shown(letter: str) -> str:
    kind = unicodedata.category(letter)
    if letter in KEPT or kind not in (*HIDDEN, *NOT_SHOWN):
        return letter
    return "" if kind in HIDDEN else SIGN


def one_line(text: Any) -> str:
    """Printable, in one line."""
    return " ".join(printable(" ".join(str(text).split())).split())


def fitting(text: str, stream: IO[str] | None) -> str:
    """The text with "?" for each character that the stream's encoding lacks."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        return text.encode(encoding, "replace").decode(encoding)
    except LookupError:
        return text


def json_line(value: Any, stream: IO[str] | None) -> str:
    """Plain JSON values as one line that the stream can encode and no terminal obeys. Escapes lose nothing."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return json.dumps(value, allow_nan=False)
    if text.isprintable():
        return text
    return "".join(letter if _shown(letter) == letter else json.dumps(letter)[1:-1] for letter in text)


def steady() -> None:
    """Make this process's own streams replace what they cannot encode, instead of raising."""
    for stream in (sys.stdout, sys.stderr):
        if (reconfigure := getattr(stream, "reconfigure", None)) is not None:
            with contextlib.suppress(OSError, ValueError):  # closed, or read already
                reconfigure(errors="replace")


def to_nowhere(stream: IO[str] | None) -> None:
    """Let what is still written to a stream vanish, since nobody reads it any more (`mmsrarec ... | head`)."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())  # type: ignore[union-attr]
        os.close(nowhere)


def complain(text: Any) -> None:
    """One line on standard error; nothing where that is closed."""
    if sys.stderr is None:
        return
    with contextlib.suppress(OSError, ValueError):
        print(fitting(f"mmsrarec: {one_line(text)}", sys.stderr), file=sys.stderr, flush=True)


@cache
def remark(text: str) -> None:
    """Say something that the user should know, once in a process, by the logger "mmsrarec"."""
    _log.warning("%s", one_line(text))


def remark_all(texts: Iterable[str]) -> None:
    """`remark` each of some sentences."""
    for text in texts:
        remark(text)


@contextlib.contextmanager
def remarks_are_complaints() -> Iterator[None]:
    """While the block runs, remarks are lines of the command line's own."""
    handler = _Complaints()
    before = _log.propagate
    _log.addHandler(handler)
    _log.propagate = False
    try:
        yield
    finally:
        _log.removeHandler(handler)
        _log.propagate = before


class _Complaints(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        complain(record.getMessage())
