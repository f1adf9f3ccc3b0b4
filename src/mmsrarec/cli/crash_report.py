"""Unexpected errors: one line for people, and a log with everything that a bug report needs."""

import contextlib
import os
import platform
import re
import sys
import time
import traceback
from pathlib import Path

from mmsrarec import __version__
from mmsrarec.cli.doctor import NEEDED
from mmsrarec.core.artefacts import versions
from mmsrarec.core.cache import cache_folder, temporary_folder
from mmsrarec.core.terminal import one_line
from mmsrarec.errors import MmsrarecError

LOGS = "logs"
MAX_LOGS = 20
"""Largest number of logs; older ones are deleted."""
MAX_MESSAGE_LETTERS = 300
"""Largest number of letters of an error's own message that the line shows."""
MEMORY = (
    "lower runtime.score_tokens, runtime.generate_batch or recommend.batch_size, choose a smaller model, or close "
    "other programs"
)
_PASSWORD = re.compile(r"(://[^:/@\s]*:)[^@/\s]+(@)")
MODULES = {name.replace("-", "_"): name for name in NEEDED}


def explained(error: Exception) -> str | None:
    """One line for an error that the user can remedy; None for every other error."""
    if isinstance(error, ModuleNotFoundError) and (package := MODULES.get((error.name or "").partition(".")[0])):
        return f"the package {package} is missing: {NEEDED[package]}"
    if is_out_of_memory(error):
        return f"the memory is used up: {MEMORY}"
    return None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the memory of the processor or of a card is used up; torch says so in its message only."""
    message = str(error).lower()
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and ("out of memory" in message or "can't allocate memory" in message)
    )


def unforeseen(error: Exception, log: Path | None) -> str:
    """The line for a fault of this program."""
    message = one_line(without_passwords(str(error)))
    message = message if len(message) <= MAX_MESSAGE_LETTERS else f"{message[:MAX_MESSAGE_LETTERS]} ..."
    where = f"please report it with {log}" if log else "no log of it could be written; MMSRAREC_DEBUG=1 shows all"
    return f"a fault of this program, {type(error).__name__}{f' ({message})' if message else ''}: {where}"


def without_passwords(text: str) -> str:
    """A text with *** in place of the password of an address, such as that of a database."""
    return _PASSWORD.sub(r"\1***\2", text)


def write_log(error: BaseException, arguments: list[str]) -> Path | None:
    """Write a log of an error: traceback, arguments, folder and versions.

    Args:
        error: The error.
        arguments: The command line.

    Returns:
        The log's path; None where nothing can be written.
    """
    for folder in (_log_folder, temporary_folder):
        with contextlib.suppress(OSError, MmsrarecError):
            return _write(folder(), _text(error, arguments))
    return None


def _log_folder() -> Path:
    folder = cache_folder() / LOGS
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _write(folder: Path, text: str) -> Path:
    stamp = time.strftime("%Y%m%d-%H%M%S")
    path = folder / f"mmsrarec-{stamp}-{os.getpid()}.log"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with open(handle, "a", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
    for old in sorted(folder.glob("mmsrarec-*.log"))[:-MAX_LOGS]:
        with contextlib.suppress(OSError):
            old.unlink()
    return path


def _text(error: BaseException, arguments: list[str]) -> str:
    facts = {
        "time": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "arguments": arguments,
        "folder": _current(),
        "system": platform.platform(),
        "python": sys.executable,
        "versions": {"mmsrarec": __version__} | versions(),
    }
    lines = [f"{name}: {value}" for name, value in facts.items()]
    return without_passwords("\n".join([*lines, "", *traceback.format_exception(error), ""]))


def _current() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was removed meanwhile
        return "gone"
