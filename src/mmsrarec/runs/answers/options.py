"""What may be asked of a recommender beside who asks, for type checkers: the keywords of its public methods."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, TypedDict

from numpy.typing import NDArray

from mmsrarec.core.progress import Reported
from mmsrarec.runs.answers.arguments import ItemIds

UserIds: TypeAlias = Sequence[str] | Sequence[int] | NDArray[Any]
Histories: TypeAlias = Mapping[Any, ItemIds] | Sequence[ItemIds]


class PreferenceOptions(TypedDict, total=False):
    """Keywords that are asked for more of, and less of."""

    more: Sequence[str]
    less: Sequence[str]


class Options(PreferenceOptions, total=False):
    """As the arguments of `Recommender.recommend`."""

    reasons: bool
    allow_seen: bool | None
    strict: bool
    exclude: ItemIds
    among: ItemIds | None


class TableOptions(Options, total=False):
    """The same for many users."""

    k: int
    progress: Reported
