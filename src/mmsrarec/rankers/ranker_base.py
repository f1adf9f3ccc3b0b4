"""The base class of rankers without the language model: settings, fit, score, save, load, declared abilities."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from mmsrarec.data.dataset import FloatArray, IntArray, Interactions
from mmsrarec.data.splits import Queries
from mmsrarec.errors import MmsrarecError
from mmsrarec.rankers.saved_arrays import load_arrays, save_arrays

if TYPE_CHECKING:
    from mmsrarec.rankers.registry.registry import Source

FILE = "ranker.json"
FORMAT = 1
"""Version of the files that `RankerBase.save` writes."""


class RankerSettings(BaseModel):
    """What changes the scores of a ranker. Each field has a unit or a meaning, and a range."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RankerBase(ABC):
    """Ranks items by the interactions it was fitted on.

    A subclass implements `_fit`, `_score`, `_state` and `_restore`, and declares below what it can do. A score may
    depend on the query and on the item, never on the other candidates or on the other queries.
    `mmsrarec.testing.RankerLaws` holds a subclass to that.

    Attributes:
        name: Row of the comparison, and value of `evaluate.rows`: lower-case words joined by hyphens.
        Settings: Model of its settings, a table of `evaluate.baselines`.
        search_space: For each setting the values that a search on validation may try; empty: nothing is searched.
        version: Raised where the same settings and interactions would give other scores than before.
        from_log: Whether it is fitted here, on the interactions; otherwise `from_source` takes what stage 2 trained.
        reads_content: Whether the fit also needs what items are: a frozen model's states of text and picture.
        leak_of: Of a ranker that looks at what it should predict, the row that does the same without; else empty. It
            measures what the leak is worth. It is made only where it is named, neither proposes nor joins an
            ensemble, is the best of no table, and no model is tested against it.
        proposes: Whether it may choose the candidates that the language model re-ranks.
        ranks_new_items: Whether it can rank an item that nobody consumed.
        needs_time: Whether scores depend on the query's time, and use only what happened strictly before it.
        logits: Whether scores are logits of a softmax over the catalogue, which is a probability of each item.
    """

    name: str
    Settings: ClassVar[type[RankerSettings]] = RankerSettings
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {}
    version: ClassVar[int] = 1
    from_log: ClassVar[bool] = True
    reads_content: ClassVar[bool] = False
    leak_of: ClassVar[str] = ""
    proposes: ClassVar[bool] = False
    ranks_new_items: ClassVar[bool] = False
    needs_time: ClassVar[bool] = False
    logits: bool = False

    def __init__(self, settings: BaseModel | None = None, **values: Any) -> None:
        """Not fitted yet. Give the settings whole or by name.

        Args:
            settings: The settings as a whole.
            **values: Settings by name, where they are not given as a whole.

        Raises:
            MmsrarecError: A setting does not exist or is out of its range.
        """
        self.settings: Any = settings if settings is not None else self.parse_settings(values)
        self.n_users = 0
        self._known: NDArray[np.bool_] | None = None

    @classmethod
    def parse_settings(cls, values: Mapping[str, Any]) -> BaseModel:
        """The settings with these values, all others as usual. Raises MmsrarecError for a value that cannot be."""
        try:
            return cls.Settings.model_validate(dict(values))
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            field = ".".join(str(part) for part in problem["loc"])
            raise MmsrarecError(f"settings of {cls.name}: {field}: {problem['msg']}") from error

    @classmethod
    def check_size(cls, n_items: int) -> None:
        """Raise MmsrarecError where a catalogue of so many items is too large to be fitted on."""
        _ = n_items

    @classmethod
    def from_source(cls, source: "Source") -> "RankerBase":
        """Fitted for one split of a run: by the source's interactions, seed and settings."""
        return cls(source.baselines.settings(cls.name)).fit(source.train, seed=source.seed)

    def fit(self, interactions: Interactions, seed: int = 0) -> Self:
        """Fit on the interactions; what was fitted before is forgotten.

        Args:
            interactions: All that may be learned from. Their codes name users and items from then on.
            seed: Of all random draws. Equal seeds give bit-equal scores.
        """
        self.n_users = interactions.n_users
        counts = np.ones(interactions.n_items) if self.ranks_new_items else interactions.counts
        self._known = counts > 0
        self._fit(interactions, seed)
        return self

    @property
    def known(self) -> NDArray[np.bool_]:
        """(n_items,) mask: the items that it can rank. It says nothing of items that joined after it was fitted."""
        if self._known is None:
            raise MmsrarecError(f"{self.name} is not fitted: call fit(interactions), or load it from a folder")
        return self._known

    @property
    def n_items(self) -> int:
        """Size of the catalogue that it was fitted on."""
        return len(self.known)

    def score(self, queries: Queries, candidates: IntArray | None = None) -> FloatArray:
        """Score items for each query; higher is better.

        Args:
            queries: m queries. Items of a history that joined after the fit are passed over.
            candidates: (m, c) item codes below `n_items`; None: every item that it was fitted on.

        Returns:
            (m, c) scores, or (m, n_items). Scores of one query compare with each other; those of items outside `known`
            mean nothing.

        Raises:
            MmsrarecError: It is not fitted.
        """
        _ = self.known
        return self._score(queries, candidates)

    def save(self, folder: Path) -> None:
        """Write what was fitted: ranker.json, and each array as a file of its own; nothing is pickled."""
        folder.mkdir(parents=True, exist_ok=True)
        record = {"format": FORMAT, "name": self.name, "version": self.version}
        record |= {"n_users": self.n_users, "n_items": self.n_items, "settings": self.settings.model_dump(mode="json")}
        save_arrays(folder, self._state() | {"known": self.known})
        (folder / FILE).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """A ranker that scores, to the last bit, as the one that was saved there.

        Raises:
            MmsrarecError: Nothing was saved there, or another ranker, or by another version.
        """
        try:
            record = saved_record(folder)
            if (record["name"], record["version"]) != (cls.name, cls.version):
                raise ValueError(f"it is {record['name']}, version {record['version']}")
            ranker = cls(cls.Settings.model_validate(record["settings"]))
            arrays = load_arrays(folder)
            ranker.n_users, ranker._known = int(record["n_users"]), arrays.pop("known")
            ranker._restore(arrays)
        except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
            why = f"{type(error).__name__}: {error}".partition("\n")[0]
            raise MmsrarecError(f"{folder} holds no {cls.name} of this version: fit it again ({why})") from error
        return ranker

    @abstractmethod
    def _fit(self, interactions: Interactions, seed: int) -> None:
        """Learn from the interactions. `n_items` and `known` are there already."""

    @abstractmethod
    def _score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        """As `score`."""

    @abstractmethod
    def _state(self) -> dict[str, NDArray[Any]]:
        """What was fitted, as arrays by name. Nothing of it may change while scoring."""

    @abstractmethod
    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take up what `_state` gave. Large arrays may be read-only."""


class ContentRanker(RankerBase):
    """A ranker whose fit reads what the items are.

    Attributes:
        content: (n_items, d) states of the items by a frozen model; None for rankers that read none, and once loaded.
    """

    reads_content = True

    def __init__(self, settings: BaseModel | None = None, content: FloatArray | None = None, **values: Any) -> None:
        """Not fitted yet.

        Args:
            settings: The settings as a whole.
            content: (n_items, d) what the items are, for the rankers that read it.
            **values: Settings by name.
        """
        super().__init__(settings, **values)
        self.content = content

    @classmethod
    def from_source(cls, source: "Source") -> "RankerBase":
        """Fitted on the source's interactions, with its content where the ranker reads any."""
        content = source.content().states if cls.reads_content else None
        return cls(source.baselines.settings(cls.name), content).fit(source.train, seed=source.seed)

    def checked_content(self) -> FloatArray:
        """The content. Raises MmsrarecError where there is none, or not of these items."""
        if self.content is None:
            raise MmsrarecError(f"{self.name} needs what items are: give content, (items, d) states of the items")
        if self.content.ndim != 2 or len(self.content) != self.n_items or not np.isfinite(self.content).all():
            raise MmsrarecError(
                f"{self.name}: content must be one row of finite numbers for each of {self.n_items} items, and has the "
                f"shape {self.content.shape}: make it anew"
            )
        return self.content


def saved_record(folder: Path) -> dict[str, Any]:
    """What ranker.json says: name, version, settings, n_users, n_items.

    Raises:
        OSError: There is none.
        ValueError: It is of another format.
    """
    content: Any = json.loads((folder / FILE).read_text(encoding="utf-8"))
    record = cast("dict[str, Any]", content) if isinstance(content, dict) else {}
    if record.get("format") != FORMAT:
        raise ValueError(f"{FILE} is of another format")
    return record
