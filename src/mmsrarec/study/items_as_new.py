"""Items of the catalogue judged as if they were new, from which a missing feature of a new item is expected.

A new item has no feature by the generators that know only what was taken. Its feature is expected from the features
that it has (`rankers.ensemble.conditional_logit`), as these go together on items that have all. Those items must be
chosen as new items are: by content alone. Among the candidates of generators are those that the generators rank high,
so that a new item beside them would be given a high feature for nothing [extension].

Shapes: m queries, n items, k features.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mmsrarec.data.dataset import FloatArray
from mmsrarec.data.splits import Queries
from mmsrarec.rankers.base import CandidateGenerator, Ranker, first_items, known_items, mask_seen
from mmsrarec.rankers.ensemble.conditional_logit import Gaussian
from mmsrarec.rankers.ensemble.features import ranking_feature

MAX_QUERIES = 200
"""Queries whose items are judged, at most: with 30 items each, 6,000 rows for a few numbers."""


@dataclass(frozen=True, eq=False)
class ItemsAsNew:
    """The features of the items that would be proposed if every item were new.

    Attributes:
        features: Generator to (m, n) features: as of a new item by those that judge new items, else as they are.
    """

    features: Mapping[str, FloatArray]

    @classmethod
    def of(
        cls,
        queries: Queries,
        generators: Mapping[str, CandidateGenerator],
        by_content: Mapping[str, CandidateGenerator],
        by_words: Ranker,
        n_items: int,
        n: int,
    ) -> "ItemsAsNew":
        """Choose items that all generators know, and compute their features.

        Args:
            queries: Validation queries.
            generators: Name to generator.
            by_content: Name to generator, of those of them that judge new items, as if all items were new to it. The
                first chooses the items.
            by_words: Chooses them where there is none.
            n_items: Number of items of the catalogue.
            n: Number of items a query.
        """
        queries = queries.pick(np.arange(min(len(queries), MAX_QUERIES)))
        as_new = {name: ranking_feature(generator, queries) for name, generator in by_content.items()}
        scores = mask_seen(next(iter(as_new.values())) if as_new else by_words.score(queries, None), queries)
        scores[:, ~np.all([known_items(each, n_items) for each in generators.values()], axis=0)] = -np.inf
        chosen = first_items(scores, n)
        may_be = np.isfinite(np.take_along_axis(scores, chosen, axis=1))
        features: dict[str, FloatArray] = {}
        for name, generator in generators.items():
            of_all = as_new[name] if name in as_new else ranking_feature(generator, queries)
            features[name] = np.where(may_be, np.take_along_axis(of_all, chosen, axis=1), np.nan)
        return cls(features)

    def gaussian(self, names: Sequence[str]) -> Gaussian:
        """The Gaussian of the features of some generators.

        Args:
            names: k of the generators.
        """
        return Gaussian.of(np.stack([self.features[name] for name in names], axis=-1))
