"""The formats that can be imported, by name: this library's, and those of other packages.

Another package adds a format by an entry point of the group "mmsrarec.importers" that names a `Format`.
"""

import re
import sys
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from mmsrarec.data.importers.source import Format
from mmsrarec.errors import DataError

GROUP = "mmsrarec.importers"
AUTO = "auto"
FALL_BACK = "tables"
"""The format of a place that no other format recognises."""
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
BUILT_IN: Mapping[str, str] = {
    "tables": "mmsrarec.data.importers.sources.tables",
    "sequences": "mmsrarec.data.importers.sources.sequences",
    "movielens": "mmsrarec.data.importers.sources.movielens",
    "microlens": "mmsrarec.data.importers.sources.microlens",
    "amazon": "mmsrarec.data.importers.sources.amazon",
    "recbole": "mmsrarec.data.importers.sources.recbole",
    "mmrec": "mmsrarec.data.importers.sources.mmrec",
    "goodreads": "mmsrarec.data.importers.sources.goodreads",
    "hm": "mmsrarec.data.importers.sources.hm",
    "kuairec": "mmsrarec.data.importers.sources.kuairec",
    "steam": "mmsrarec.data.importers.sources.steam",
    "yelp": "mmsrarec.data.importers.sources.yelp",
    "sql": "mmsrarec.data.importers.sources.sql",
}
"""Name -> the module whose FORMAT it is; a module is imported when its format is asked for."""


def format_names() -> tuple[str, ...]:
    """All formats that can be named, this library's first."""
    return (*BUILT_IN, *sorted(name for name in _offered(tuple(sys.path)) if name not in BUILT_IN))


def format_of(name: str, place: str) -> Format:
    """The format by its name, or the one that recognises a place.

    Args:
        name: The name, or "auto".
        place: What is to be imported.

    Raises:
        DataError: There is no such format, the package that offers it is broken, or two formats recognise the place.
    """
    if name != AUTO:
        return format_by_name(name)
    found = [name for name in format_names() if name != FALL_BACK and format_by_name(name).recognises(place)]
    if len(found) > 1:
        raise DataError(
            f"{place} looks like {' and like '.join(found)}: name the format, mmsrarec import {found[0]} ..."
        )
    return format_by_name(found[0] if found else FALL_BACK)


def format_by_name(name: str) -> Format:
    """A format by its name.

    Raises:
        DataError: There is no such format, or the package that offers it is broken.
    """
    if name in BUILT_IN:
        return import_module(BUILT_IN[name]).FORMAT
    entry = _offered(tuple(sys.path)).get(name)
    if entry is None:
        raise DataError(f"unknown format {name}: this version imports {', '.join(format_names())}; auto finds out")
    package = entry.dist.name if entry.dist else "unknown"
    try:
        return _checked(name, entry)
    except Exception as error:  # whatever a foreign module raises when it is imported
        why = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise DataError(f"format {name} cannot be used: mend or uninstall the package {package} ({why})") from error


@cache
def _offered(path: tuple[str, ...]) -> Mapping[str, EntryPoint]:
    """The formats that packages on a Python path offer, by name. Nothing of them is imported."""
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def _checked(name: str, entry: EntryPoint) -> Format:
    """The format of an entry point, or an error that says what is wrong with it."""
    if not NAME.fullmatch(name) or name == AUTO:
        raise ValueError("its name must be lower-case words and digits joined by hyphens, and not auto")
    if len(entry_points(group=GROUP, name=name)) > 1:
        raise ValueError("several packages offer a format of this name")
    loaded = entry.load()
    if not isinstance(loaded, Format):
        raise TypeError(f"{entry.value} is no mmsrarec.data.importers.source.Format")
    if loaded.name != name:
        raise ValueError(f"{entry.value} calls itself {loaded.name!r}")
    return loaded
