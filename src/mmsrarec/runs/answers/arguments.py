"""What callers of the public class may give: types are checked at the door, and a refusal says what to give instead."""

import operator
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias, TypeGuard

import numpy as np
from numpy.typing import NDArray

from mmsrarec.errors import MmsrarecError

ItemIds: TypeAlias = Sequence[str] | Sequence[int] | NDArray[Any]
"""Ids of items; integers, numpy's too, count as their decimal form."""


def checked_id(name: str, value: object) -> str:
    """One id as a string. Raises MmsrarecError for what is neither text nor a whole number; `name` is the argument."""
    if isinstance(value, str):
        return str(value)
    if _is_whole(value):
        with suppress(ValueError):  # thousands of digits
            return str(int(value))
    raise MmsrarecError(f"{name}: {_shown(value)} is no id: give text, or a whole number")


def checked_ids(name: str, values: object) -> list[str]:
    """Ids as a list of strings. Raises MmsrarecError for a lone id, or for anything that is no list of ids."""
    if isinstance(values, str | bytes | bytearray):
        raise MmsrarecError(f"{name}: {_shown(values)} is one piece of text: give a list of ids, such as ['12']")
    return [checked_id(name, value) for value in _listed(name, values, "item ids")]


def checked_words(name: str, values: object) -> list[str]:
    """Typed keywords as a list; a lone string is one. Raises MmsrarecError for anything else."""
    words = [values] if isinstance(values, str) else _listed(name, values, "keywords")
    for word in words:
        if not isinstance(word, str):
            raise MmsrarecError(f"{name}: {_shown(word)} is no keyword: give text")
    return [str(word) for word in words]


def checked_folder(name: str, value: object) -> Path:
    """A place on the disk. Raises MmsrarecError for what is neither text nor a path."""
    if _is_path(value) and isinstance(place := os.fspath(value), str):
        return Path(place)
    raise MmsrarecError(f"{name}: {_shown(value)} is no place: give text, or a path")


def checked_flag(name: str, value: object) -> bool:
    """Yes or no. Raises MmsrarecError for anything else, such as the text "no"."""
    if _is_flag(value):
        return bool(value)
    raise MmsrarecError(f"{name}: {_shown(value)} is neither True nor False")


def checked_count(name: str, value: object) -> int:
    """A whole number, 1 or more. Raises MmsrarecError for anything else."""
    try:
        number = None if _is_flag(value) else operator.index(value)  # pyright: ignore[reportArgumentType]
    except TypeError:
        number = None
    if number is None or number < 1:
        raise MmsrarecError(f"{name}: {_shown(value)} is no count: give a whole number, 1 or more")
    return number


def _listed(name: str, values: object, of: str) -> list[object]:
    """The elements. Raises MmsrarecError for what is no list of them."""
    if _is_listed(values):
        with suppress(TypeError):  # numpy's arrays of no dimension
            return list(values)
    raise MmsrarecError(f"{name}: {_shown(values)} is no list of {of}, whose order is known")


def _is_whole(value: object) -> TypeGuard[int]:
    """Whether it is a whole number of Python or numpy, and not True or False."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _is_flag(value: object) -> TypeGuard[bool]:
    """Whether it is True or False, of Python or numpy."""
    return isinstance(value, bool | np.bool_)


def _is_path(value: object) -> TypeGuard[str | os.PathLike[Any]]:
    """Whether it names a place on the disk."""
    return isinstance(value, str | os.PathLike)


def _is_listed(values: object) -> TypeGuard[Iterable[object]]:
    """Whether it has elements whose order is known."""
    return isinstance(values, Iterable) and not isinstance(values, str | bytes | bytearray | dict | set | frozenset)


def _shown(value: object) -> str:
    """A value for a message, short and without control characters."""
    try:
        text = ascii(value)
    except Exception:  # an object whose repr fails
        text = type(value).__name__
    return text if len(text) <= 60 else f"{text[:57]}..."
