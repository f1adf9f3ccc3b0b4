"""Who proposes together: each generator that adds to what the others propose joins, its weight learned on validation.

Shapes: m queries, n items of the catalogue.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.evaluate.metrics import measure
from mmsrarec.evaluate.protocols import count_unseen
from mmsrarec.rankers.base import CandidateGenerator, Ranker, known_items, mask_seen, ordered
from mmsrarec.rankers.ensemble.conditional_logit import ALONE, Logit
from mmsrarec.rankers.ensemble.features import ranking_feature
from mmsrarec.recommend.ranking.fusion import FOLDS, FixedScores

POOL = 2
"""Weights are learned on what the generators propose in turn, so many times as many items as are proposed."""
MOST = 5e7
"""Scores of a generator that are held at a time, at most: 200 MB."""


@dataclass(frozen=True)
class SelectedGenerators:
    """Who proposes. logit: of their terms. quality: of whoever was tried, the share of queries whose target was
    among what it proposes, then NDCG@10."""

    names: tuple[str, ...]
    logit: Logit = ALONE
    quality: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return "+".join(self.names)


def select_generators(
    made: Mapping[str, CandidateGenerator],
    queries: Queries,
    n_items: int,
    n: int,
    seed: int,
    beside: Callable[[CandidateGenerator], Ranker] = lambda generator: generator,
    several: bool = True,
) -> SelectedGenerators:
    """The best single one, and by forward selection whoever lets n proposals hold the targets of most more queries,
    until nobody does. queries: `Queries.rankable` ones. n_items: of the catalogue. beside: adds what a generator cannot
    know to what it proposes. several: whether any may join.

    Joined ones are judged on queries whose fifth was left out when their weights were learned; in a large catalogue on
    some of the queries.
    """
    selection_task = SelectionTask.of(made, subsample_queries(queries, n_items, seed), n_items, n, beside)
    chosen, quality = SelectedGenerators(()), {}
    while rest := [name for name in made if name not in chosen.names]:
        tried = {name: selection_task.judge((*chosen.names, name)) for name in rest}
        name = max(rest, key=lambda name: tuple(tried[name][1].values()))
        logit, found = tried[name]
        better = not chosen.names or found[selection_task.hits] > quality[chosen.name][selection_task.hits]
        quality |= {"+".join((*chosen.names, name)): found for name, (_, found) in tried.items()}
        if better:
            chosen = SelectedGenerators((*chosen.names, name), logit)
        if not (better and several):
            break
    return SelectedGenerators(chosen.names, chosen.logit, quality)


def subsample_queries(queries: Queries, n_items: int, seed: int) -> Queries:
    """All of the queries, or as many, drawn, as may be ranked over the whole catalogue at once."""
    most = max(int(MOST // n_items), 1)
    return queries.pick(np.sort(np.random.default_rng(seed).permutation(len(queries))[:most]))


@dataclass(frozen=True, eq=False)
class SelectionTask:
    """Queries that generators are tried on. terms: (m, n) of each. ranks: (m, n) of each, from 0; what may not be
    recommended, last. known: (n,) of each (`base.known_items`). n: items that are proposed."""

    queries: Queries
    ranking_features: Mapping[str, FloatArray]
    ranks: Mapping[str, FloatArray]
    known: Mapping[str, NDArray[np.bool_]]
    n_items: int
    n: int
    beside: Callable[[CandidateGenerator], Ranker]

    @classmethod
    def of(
        cls,
        made: Mapping[str, CandidateGenerator],
        queries: Queries,
        n_items: int,
        n: int,
        beside: Callable[[CandidateGenerator], Ranker],
    ) -> "SelectionTask":
        ranking_features = {name: ranking_feature(one, queries).astype(np.float32) for name, one in made.items()}
        known = {name: known_items(one, n_items) for name, one in made.items()}
        ranks = {name: ordered(mask_seen(one, queries))[1].astype(np.float32) for name, one in ranking_features.items()}
        return cls(queries, ranking_features, ranks, known, n_items, n, beside)

    @property
    def hits(self) -> str:
        """The metric that counts first."""
        return f"HR@{self.n}"

    def judge(self, names: Sequence[str]) -> tuple[Logit, dict[str, float]]:
        """The logit of these generators together, and how good they are."""
        ranking_features = [self.ranking_features[name] for name in names]
        turns = np.min([len(names) * self.ranks[name] + turn for turn, name in enumerate(names)], axis=0)
        pool = np.argsort(turns, axis=1, kind="stable")[:, : POOL * self.n]
        hit = pool == self.queries.target[:, None]
        told, place = hit.any(axis=1), hit.argmax(axis=1)
        x = np.stack([np.take_along_axis(one, pool, axis=1) for one in ranking_features], axis=2).astype(np.float64)
        fold, scores = np.arange(len(pool)) % FOLDS, np.zeros(turns.shape)
        for number in range(FOLDS):
            learned, left = told & (fold != number), fold == number
            logit = self._fit(x[learned], place[learned])
            scores[left] = logit.score([one[left] for one in ranking_features])
        return self._fit(x[told], place[told]), self._quality(scores, [self.known[name] for name in names])

    def _fit(self, x: FloatArray, place: IntArray) -> Logit:
        """One alone is left as it is."""
        return Logit.fit(x, place) if x.shape[2] > 1 else ALONE

    def _quality(self, scores: FloatArray, known: Sequence[NDArray[np.bool_]]) -> dict[str, float]:
        """As `WeightedEnsemble` proposes: nothing that none of them knows."""
        scores[:, ~np.any(known, axis=0)] = -np.inf
        proposed = self.beside(FixedScores(scores, known=np.all(known, axis=0))).score(self.queries, None)
        metrics = (self.hits, "NDCG@10")
        found = measure(*count_unseen(proposed, self.queries), self.n_items, metrics)
        return {name: float(found[name].mean()) for name in metrics}
