"""Takes a share of a catalogue's items for new, and asks for them: which users took which new item next."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import Dataset, IntArray, Interactions
from mmsrarec.data.kcore import Core, drop_unused, in_core
from mmsrarec.data.splits import Queries, queries_at
from mmsrarec.evaluate.protocols import Candidates, published_candidates
from mmsrarec.evaluate.test_queries import sealed_users

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class AmongNew(Queries):
    """Queries that rank new items only.

    Attributes:
        old: The codes of all other items.
    """

    old: IntArray | None = None

    def pick(self, rows: IntArray) -> "AmongNew":
        """The queries of the given rows."""
        return AmongNew(**vars_of(super().pick(rows)), old=self.old)

    @property
    def excluded(self) -> tuple[IntArray, ...]:
        """The old items as well as what `Queries` excludes."""
        old = np.empty(0, dtype=np.int64) if self.old is None else self.old
        return tuple(np.union1d(old, codes) for codes in super().excluded)

    @property
    def among_all(self) -> Queries:
        """The same queries, which rank old items too."""
        return Queries(**vars_of(self))


def vars_of(queries: Queries) -> dict[str, object]:
    """The fields of queries by name."""
    return {field.name: getattr(queries, field.name) for field in fields(Queries)}


@dataclass(frozen=True, eq=False)
class NewItemSplit:
    """A log without new items, and queries for them.

    Attributes:
        new: (n_items,) mask of the new items: no interaction with them is in `train`.
        train: The first part of each user's interactions, without those with new items.
        valid: Queries of the validation users, on whom choices are made.
        test: Queries of the other users.
    """

    new: Mask
    train: Interactions
    valid: AmongNew
    test: AmongNew


def chosen(ids: Sequence[str], share: float, purpose: str) -> Mask:
    """A mask of a share of ids, by the sha256 of the purpose and the id."""
    return sealed_users([f"{purpose} {one}" for one in ids], share)


def only_pictured(dataset: Dataset, core: Core = (5, 5)) -> Dataset:
    """The items with a picture and the users that have enough of them, so that no item is known by lacking one."""
    pictured = np.array([dataset.image_path(code) is not None for code in range(len(dataset.items))])
    log = dataset.interactions
    rows = np.flatnonzero(pictured[log.item])
    keep = np.zeros(len(log), dtype=bool)
    keep[rows[in_core(log.user[rows], log.item[rows], core)]] = True
    return drop_unused(replace(dataset, interactions=log.where(keep)))


def split_new_items(
    dataset: Dataset, new_share: float = 0.2, late_share: float = 0.25, valid_share: float = 0.25
) -> NewItemSplit:
    """Split the log of a catalogue.

    A query is an interaction with a new item that has a picture, in the late part of its user's interactions; its
    history is everything before it, earlier new items among it. Nothing of a user's late part is trained on.

    Args:
        dataset: The catalogue and its log.
        new_share: Share of the items that are new.
        late_share: Share of each user's interactions that are late, rounded up.
        valid_share: Share of the users whose queries are for validation.
    """
    log = dataset.interactions
    new = chosen([item.item_id for item in dataset.items], new_share, "new")
    place = np.arange(len(log)) - log.offsets[log.user]
    late = place >= np.floor(np.diff(log.offsets)[log.user] * (1 - late_share))
    pictured = np.array([dataset.image_path(code) is not None for code in range(len(dataset.items))])
    rows = np.flatnonzero(late & new[log.item] & pictured[log.item] & (place > 0))
    queries = queries_at(log, rows).rankable
    validates = chosen(dataset.user_ids, valid_share, "validation")[queries.user]
    old = np.flatnonzero(~new)
    valid, test = (AmongNew(**vars_of(queries.pick(np.flatnonzero(mask))), old=old) for mask in (validates, ~validates))
    return NewItemSplit(new, log.where(~late & ~new[log.item]), valid, test)


def new_candidates(queries: AmongNew, log: Interactions, new: Mask, seed: int, n: int = 20) -> Candidates:
    """As `published_candidates`, but all negatives are new items too.

    Args:
        queries: Queries whose targets are new.
        log: The whole log.
        new: (n_items,) mask of the new items.
        seed: Seed of the draw.
        n: Negatives of a query.
    """
    old_code = np.flatnonzero(new)
    code = np.cumsum(new) - 1
    kept = log.where(new[log.item])
    only_new = Interactions(kept.user, code[kept.item], kept.time, log.n_users, len(old_code))
    histories = tuple(code[history[new[history]]] for history in queries.history)
    asked = Queries(queries.user, queries.time, code[queries.target], histories)
    drawn = published_candidates(asked, only_new, seed, n)
    return Candidates(drawn.user, old_code[drawn.items], drawn.place, seed, drawn.rows)
