"""Makes text safe for a terminal, a pipe or a log file of any encoding. Every text that is printed passes here."""

import contextlib
import json
import logging
import os
import sys
import unicodedata
from collections.abc import Generator, Iterable
from functools import cache
from typing import IO, Any

ALLOWED_CONTROLS = "\n\t\u200c\u200d"
"""Tabs, ends of lines, and the two joiners, without which Persian words and many emoji change."""
INVISIBLE_CATEGORIES = ("Cf", "Zl", "Zp")
"""Unicode categories of characters that show nothing by themselves: they are left out."""
CONTROL_CATEGORIES = ("Cc", "Cs")
"""Unicode categories that a terminal may obey, or that no encoding has: each becomes REPLACEMENT."""
REPLACEMENT = "\ufffd"

_log = logging.getLogger("mmsrarec")


def printable(text: str) -> str:
    """Remove what a terminal would obey: escape codes, other controls, and marks that turn the writing direction.

    A title or an id may come from anybody. Printed unchanged, it could clear the screen or rewrite the lines above.

    Args:
        text: Any text.

    Returns:
        The text without invisible characters, and with U+FFFD for each control character.
    """
    return text if text.isprintable() else "".join(_printable_letter(letter) for letter in text)


@cache
def _printable_letter(letter: str) -> str:
    """The character, nothing if it is invisible, or REPLACEMENT if it is a control character."""
    category = unicodedata.category(letter)
    if letter in ALLOWED_CONTROLS or category not in (*INVISIBLE_CATEGORIES, *CONTROL_CATEGORIES):
        return letter
    return "" if category in INVISIBLE_CATEGORIES else REPLACEMENT


def one_line(text: Any) -> str:
    """The text made `printable` and put on one line, with single blanks."""
    return " ".join(printable(" ".join(str(text).split())).split())


def fitting(text: str, stream: IO[str] | None) -> str:
    """Replace each character that the stream's encoding lacks by "?"; without a stream the encoding is UTF-8."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        return text.encode(encoding, "replace").decode(encoding)
    except LookupError:
        return text


def json_line(value: Any, stream: IO[str] | None) -> str:
    """Write JSON values as one line that the stream can encode and no terminal obeys; escapes lose nothing.

    Args:
        value: JSON values (see `json_values.plain`).
        stream: The stream that the line is for; None stands for UTF-8.

    Returns:
        The line, without its end.

    Raises:
        ValueError: A number is not finite.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return json.dumps(value, allow_nan=False)
    if text.isprintable():
        return text
    return "".join(letter if _printable_letter(letter) == letter else json.dumps(letter)[1:-1] for letter in text)


def steady() -> None:
    """Let standard output and standard error replace characters that they cannot encode, instead of raising."""
    for stream in (sys.stdout, sys.stderr):
        if (reconfigure := getattr(stream, "reconfigure", None)) is not None:
            with contextlib.suppress(OSError, ValueError):  # the stream is closed, or was read already
                reconfigure(errors="replace")


def to_nowhere(stream: IO[str] | None) -> None:
    """Discard everything that is still written to a stream whose reader has gone (`mmsrarec ... | head`)."""
    if stream is None:
        return
    with contextlib.suppress(OSError, ValueError, AttributeError):
        null_device = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null_device, stream.fileno())
        os.close(null_device)


def complain(text: Any) -> None:
    """Write one line to standard error, after the name of the program; do nothing where the stream is closed."""
    if sys.stderr is None:
        return
    with contextlib.suppress(OSError, ValueError):
        print(fitting(f"mmsrarec: {one_line(text)}", sys.stderr), file=sys.stderr, flush=True)


@cache
def remark(text: str) -> None:
    """Log a warning that the user should see, once in a process, by the logger "mmsrarec"."""
    _log.warning("%s", one_line(text))


def remark_all(texts: Iterable[str]) -> None:
    """`remark` each of some sentences."""
    for text in texts:
        remark(text)


@contextlib.contextmanager
def remarks_are_complaints() -> Generator[None]:
    """Print what `remark` logs as lines on standard error while the block runs."""
    handler = _StandardErrorHandler()
    propagate = _log.propagate
    _log.addHandler(handler)
    _log.propagate = False
    try:
        yield
    finally:
        _log.removeHandler(handler)
        _log.propagate = propagate


class _StandardErrorHandler(logging.Handler):
    """Prints log messages with `complain`."""

    def emit(self, record: logging.LogRecord) -> None:
        complain(record.getMessage())
