"""A ranker by its name, this library's or another package's, and what it is made from."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from mmsrarec.data.dataset import FloatArray, Interactions
from mmsrarec.errors import MmsrarecError
from mmsrarec.rankers.ranker_base import RankerBase
from mmsrarec.rankers.registry.built_in import BUILT_IN
from mmsrarec.rankers.registry.plugins import plugin_class, plugins
from mmsrarec.rankers.registry.settings import BaselineSettings
from mmsrarec.retrieve.neighbours import Neighbours
from mmsrarec.retrieve.settings import EncoderName, RetrieveSettings

if TYPE_CHECKING:  # brings torch along
    from mmsrarec.retrieve.encoder import Encoder

CLASSIC = tuple(name for name, ranker in BUILT_IN.items() if ranker.from_log and not ranker.reads_content)
"""Rankers of this library that are made from the log alone."""
CONTENT = tuple(name for name, ranker in BUILT_IN.items() if ranker.reads_content)
"""Rankers of this library that are made from the log and from what the items are."""
STAGE_2 = tuple(name for name, ranker in BUILT_IN.items() if not ranker.from_log)
"""Rankers of this library that need stage 2."""
GENERATORS = tuple(name for name, ranker in BUILT_IN.items() if ranker.proposes)
"""Rankers of this library that may choose the candidates of the language model; validation selects among them."""


class NeighbourIndex(Protocol):
    """Stage 2 ready for use."""

    @property
    def train(self) -> Interactions:
        """The training log."""
        ...

    @property
    def neighbours(self) -> Neighbours:
        """Its index of queries."""
        ...

    @property
    def settings(self) -> RetrieveSettings:
        """How many neighbours are looked up, and how much of each is read."""
        ...


@dataclass(frozen=True)
class ItemContent:
    """What the items of a run are, to rankers that read it.

    Attributes:
        states: (n_items, d) states of a frozen model of each item's text and picture.
        key: Of what they were made from.
    """

    states: FloatArray
    key: str


def no_content() -> ItemContent:
    """Where a source has none. Raises MmsrarecError."""
    raise MmsrarecError(
        "a row reads what the items are, and there is nothing of it here: run stage 1 and 2 of a recipe"
    )


@dataclass(frozen=True)
class Source:
    """What a ranker may be made from, on one split of a run.

    Attributes:
        train: The interactions to fit on.
        seed: Of all random draws.
        encoder: Loads a sequence model by name; called only for rankers that need one.
        retrieval: Loads stage 2; called only for rankers that need it.
        baselines: Settings of the rankers that are made from the log.
        content: Loads what the items are; called only for rankers that read it.
    """

    train: Interactions
    seed: int
    encoder: "Callable[[EncoderName], Encoder]"
    retrieval: Callable[[], NeighbourIndex]
    baselines: BaselineSettings = field(default_factory=BaselineSettings)
    content: Callable[[], ItemContent] = no_content


def ranker_names() -> tuple[str, ...]:
    """All rankers that can be named, this library's first."""
    return (*BUILT_IN, *sorted(name for name in plugins() if name not in BUILT_IN))


def is_ranker(name: str) -> bool:
    """Whether there is a ranker of that name, usable or not."""
    return name in BUILT_IN or name in plugins()


def ranker_class(name: str) -> type[RankerBase]:
    """The class of a ranker.

    Raises:
        MmsrarecError: There is none of that name, or the package that offers it is broken.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]
    if name not in plugins():
        raise MmsrarecError(f'no ranker "{name}" is installed: choose from {", ".join(ranker_names())}')
    return plugin_class(name)


def made_from_log(name: str) -> bool:
    """Whether a row is a ranker that is fitted on the log, with content or without; False for what is no ranker."""
    return is_ranker(name) and ranker_class(name).from_log


def reads_content(name: str) -> bool:
    """Whether a row is a ranker that reads what the items are."""
    return is_ranker(name) and ranker_class(name).reads_content


def leak_of(name: str) -> str:
    """Of a row that looks at what is to be predicted, the row that does the same without; else ""."""
    return ranker_class(name).leak_of if name in BUILT_IN else ""


def candidate_generators(names: Collection[str]) -> list[str]:
    """Those of the named rows that may propose to the language model, in the order in which they are tried."""
    return [name for name in ranker_names() if name in names and ranker_class(name).proposes]


def make_row(name: str, source: Source) -> RankerBase:
    """A ranker by name, fitted. Raises MmsrarecError as `ranker_class` does."""
    return ranker_class(name).from_source(source)


def version_of(name: str) -> dict[str, Any]:
    """The version of a ranker, for the keys of what was computed with it; {} for the first one."""
    version = ranker_class(name).version
    facts: dict[str, Any] = {"version": version} if version > 1 else {}
    if name not in BUILT_IN:
        facts["package"] = [plugins()[name].package, plugins()[name].version]
    return facts


def plugin_facts() -> list[dict[str, Any]]:
    """Each ranker of another package: name, package, version, and what is wrong with it (None: nothing)."""
    facts: list[dict[str, Any]] = []
    for plugin in plugins().values():
        fault = None
        try:
            plugin_class(plugin.name)
        except MmsrarecError as error:
            fault = str(error)
        if plugin.name in BUILT_IN:
            fault = f"{plugin} is never used: this library has a ranker of that name"
        facts.append({"name": plugin.name, "package": plugin.package, "version": plugin.version, "fault": fault})
    return facts
