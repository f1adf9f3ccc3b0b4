"""What is true of a synthetic catalogue, for tests and checks; no model ever reads it.

A shopper's next item is drawn from those on sale and not had yet, by the utility

    taste(motif) + taste(material) + FOLLOW [series is the one that follows the last item's] + popularity + Gumbel noise

where taste is LEANING for the attribute the shopper leans to, OTHER for the other one, if it is the favourite. Each
attribute has one source: the motif is seen only in pictures, the material read only in descriptions, and which series
follows which shows only in what people take next.

HR@5 among 1 + 20 uniform negatives, 800 shoppers, last interactions, mean of seeds 0 to 4 (smallest, largest):
    the oracle knows               HR@5
    motif, material and series     .977 (.974, .984)
    material and series            .848 (.831, .875)
    motif and series               .854 (.846, .875)
    motif and material             .874 (.868, .886)
    one alone: motif .587, material .586, series .666

One product in five is new in the last part of the year, so a fifth of the last interactions (.20 to .24) go to items
that training never shows.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import Dataset, FloatArray, IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.errors import DataError

Attribute = Literal["motif", "material", "series"]
ATTRIBUTES: tuple[Attribute, ...] = get_args(Attribute)
ANSWERS = "answers.json"

LEANING, OTHER, FOLLOW = 5.4, 1.2, 6.3


@dataclass(frozen=True, eq=False)
class GroundTruth:
    """Codes are places in the alphabetical list of the names that occur; -1: none (an item without a picture).

    motif, material, series: (n_items,). new: (n_items,) bool, on sale only at the end. follow: (n_series,) series that
    comes after a series. wants_motif, wants_material: (n_users,). leans_motif: (n_users,) bool, else to materials.
    """

    motif: IntArray
    material: IntArray
    series: IntArray
    new: NDArray[np.bool_]
    follow: IntArray
    wants_motif: IntArray
    wants_material: IntArray
    leans_motif: NDArray[np.bool_]

    @classmethod
    def load(cls, dataset: Dataset) -> "GroundTruth":
        """From answers.json beside the tables of a drawn data set."""
        path = None if dataset.folder is None else dataset.folder / ANSWERS
        if path is None or not path.is_file():
            raise DataError(f"no {ANSWERS} with this data set: only a catalogue from `mmsrarec sample` has one")
        told = json.loads(path.read_text(encoding="utf-8"))
        unknown = [item.item_id for item in dataset.items if item.item_id not in told["items"]]
        unknown += [user_id for user_id in dataset.user_ids if user_id not in told["shoppers"]]
        if unknown:
            raise DataError(f"{path} does not know {', '.join(unknown[:5])}: it is of another catalogue")
        items = [told["items"][item.item_id] for item in dataset.items]
        shoppers = [told["shoppers"][user_id] for user_id in dataset.user_ids]
        motifs = sorted({item["motif"] for item in items if item["motif"]})
        materials = sorted({item["material"] for item in items})
        series = sorted(told["follow"])

        def codes(names: Sequence[str | None], known: list[str]) -> IntArray:
            return np.array([known.index(name) if name in known else -1 for name in names], dtype=np.int64)

        return cls(
            motif=codes([item["motif"] for item in items], motifs),
            material=codes([item["material"] for item in items], materials),
            series=codes([item["series"] for item in items], series),
            new=np.array([item["new"] for item in items], dtype=bool),
            follow=codes([told["follow"][name] for name in series], series),
            wants_motif=codes([shopper["motif"] for shopper in shoppers], motifs),
            wants_material=codes([shopper["material"] for shopper in shoppers], materials),
            leans_motif=np.array([shopper["leans"] == "motif" for shopper in shoppers], dtype=bool),
        )

    def matches(self, queries: Queries) -> dict[Attribute, NDArray[np.bool_]]:
        """Attribute -> (m, n_items): whether an item is what the query's shopper wants in this respect."""
        last = np.array([h[-1] if len(h) else -1 for h in queries.history], dtype=np.int64)
        wanted = np.where(last >= 0, self.follow[self.series[last]], -2)
        return {
            "motif": self.motif[None] == self.wants_motif[queries.user][:, None],
            "material": self.material[None] == self.wants_material[queries.user][:, None],
            "series": self.series[None] == wanted[:, None],
        }


@dataclass(frozen=True, eq=False)
class Oracle:
    """Ranks by the true utility as far as `knows` goes. A scorer like any other, and the bound for all of them."""

    answers: GroundTruth
    knows: tuple[Attribute, ...] = ATTRIBUTES

    @property
    def name(self) -> str:
        return "oracle: " + ", ".join(self.knows)

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        """candidates: (m, c) item codes, or None for all items -> (m, c) or (m, n_items)."""
        leans = self.answers.leans_motif[queries.user]
        weight = {
            "motif": np.where(leans, LEANING, OTHER),
            "material": np.where(leans, OTHER, LEANING),
            "series": np.full(len(queries), FOLLOW),
        }
        matches = self.answers.matches(queries)
        scores = np.zeros((len(queries), len(self.answers.motif)))
        for attribute in self.knows:
            scores += weight[attribute][:, None] * matches[attribute]
        return scores if candidates is None else np.take_along_axis(scores, candidates, axis=1)


def attribute_pairs(
    dataset: Dataset,
    answers: GroundTruth,
    queries: Queries,
    attribute: Attribute,
    rng: np.random.Generator,
    new: bool = False,
) -> tuple[IntArray, IntArray, IntArray]:
    """Pairs of items that differ, for the shopper, in one attribute only: (rows, right, wrong), each (p,).

    For the query rows[i], item right[i] matches in `attribute` and wrong[i] does not; in the other two both match or
    both do not. Neither was had before, both have a picture, and both are `new` or both are not: among new items,
    nothing but text and picture can tell. A scorer that does not use the attribute prefers the right one in half of
    them. At most one pair a query; queries that offer none are left out.
    """
    matches = answers.matches(queries)
    hit, others = matches[attribute], [matches[name] for name in ATTRIBUTES if name != attribute]
    status = others[0] + 2 * others[1].astype(np.int64)  # 0 to 3: what the other two say
    pool = (answers.new == new) & np.array([item.image is not None for item in dataset.items])
    found = []
    for row, history in enumerate(queries.history):
        free = pool.copy()
        free[history] = False
        with_wrong = np.isin(status[row], np.unique(status[row][free & ~hit[row]]))
        rights = np.flatnonzero(free & hit[row] & with_wrong)
        if len(rights):
            right = rng.choice(rights)
            wrongs = np.flatnonzero(free & ~hit[row] & (status[row] == status[row][right]))
            found.append((row, right, rng.choice(wrongs)))
    rows, right, wrong = np.array(found, dtype=np.int64).reshape(-1, 3).T
    return rows, right, wrong
