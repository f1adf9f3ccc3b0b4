"""Rankers of other packages, found by the entry points of the group "mmsrarec.rankers": row name -> class."""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from mmsrarec.errors import MmsrarecError
from mmsrarec.rankers.ranker_base import RankerBase

GROUP = "mmsrarec.rankers"
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
"""Names of rows, of which folders and tables of settings are named."""


@dataclass(frozen=True)
class Plugin:
    """A ranker that another package offers.

    Attributes:
        name: Row of the comparison.
        package: The distribution that offers it.
        version: Of the distribution.
        place: The class, as "module:Class".
    """

    name: str
    package: str
    version: str
    place: str

    def __str__(self) -> str:
        return f'ranker "{self.name}" of the package {self.package} {self.version}'


def plugins() -> Mapping[str, Plugin]:
    """What installed packages offer, by row name. Nothing of them is imported."""
    return _installed(tuple(sys.path))[0]


def plugin_class(name: str) -> type[RankerBase]:
    """The class of a plug-in that `plugins` lists.

    Raises:
        MmsrarecError: It cannot be imported, or is no ranker that this version can use. The package is named.
    """
    installed, entries = _installed(tuple(sys.path))
    plugin = installed[name]
    try:
        return _checked(plugin, entries[name])
    except Exception as error:  # whatever a foreign module raises when it is imported
        why = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise MmsrarecError(f"{plugin} cannot be used: mend it or uninstall {plugin.package} ({why})") from error


@cache
def _installed(path: tuple[str, ...]) -> tuple[Mapping[str, Plugin], Mapping[str, EntryPoint]]:
    """The plug-ins on a Python path, and the entry point of each, by row name; cached."""
    offered = entry_points(group=GROUP)
    entries = {entry.name: entry for entry in offered}
    installed: dict[str, Plugin] = {}
    for name, entry in entries.items():
        package, version = (entry.dist.name, entry.dist.version) if entry.dist else ("unknown", "")
        installed[name] = Plugin(name, package, version, entry.value)
    return installed, entries


def _checked(plugin: Plugin, entry: EntryPoint) -> type[RankerBase]:
    """The class, or an error that says what is wrong with it."""
    if not NAME.fullmatch(plugin.name):
        raise ValueError("its name must be lower-case words and digits joined by hyphens")
    if len(entry_points(group=GROUP, name=plugin.name)) > 1:
        raise ValueError("several packages offer a ranker of this name")
    loaded = entry.load()
    if not (isinstance(loaded, type) and issubclass(loaded, RankerBase)):
        raise TypeError(f"{entry.value} is no subclass of mmsrarec.rankers.RankerBase")
    if missing := sorted(loaded.__abstractmethods__):
        raise TypeError(f"{entry.value} lacks {', '.join(missing)}")
    if getattr(loaded, "name", None) != plugin.name:
        raise ValueError(f"{entry.value} calls itself {getattr(loaded, 'name', None)!r}")
    if loaded.Settings.model_config.get("extra") != "forbid":
        raise TypeError(f'{entry.value}.Settings must forbid extra keys: model_config = ConfigDict(extra="forbid")')
    return loaded
