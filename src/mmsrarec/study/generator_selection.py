"""Selection of the candidate generators that propose together, by forward selection on validation queries.

A generator joins the others if more targets are then among the proposals; when none does, if the targets then stand
higher. Weights are learned on validation queries.
Shapes: m queries.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.evaluate.metrics import measure
from mmsrarec.evaluate.protocols import count_unseen
from mmsrarec.rankers.base import CandidateGenerator, Ranker, first_items, known_items, mask_seen, ordered
from mmsrarec.rankers.ensemble.conditional_logit import ALONE, Gaussian, Logit
from mmsrarec.rankers.ensemble.features import ranking_feature
from mmsrarec.rankers.ensemble.leading import leads, proposals
from mmsrarec.recommend.ranking.fusion import FOLDS, FixedScores
from mmsrarec.study.items_as_new import ItemsAsNew

POOL_FACTOR = 2
"""Weights are learned on this many times as many items as are proposed, which the generators propose in turn."""
ORDER_METRIC = "NDCG@10"
"""How well a set of generators orders the catalogue."""
MAX_SCORES_HELD = 5e7
"""Largest number of scores of a generator that are held at a time: 200 MB."""


@dataclass(frozen=True)
class SelectedGenerators:
    """The generators that propose together.

    Attributes:
        names: Their names, in the order in which they joined.
        logit: Logit of their features, by which they rank as one.
        quality: Names joined by "+" to the metrics of every set that was tried: the share of queries whose target is
            among the proposals (HR), then NDCG@10.
    """

    names: tuple[str, ...]
    logit: Logit = ALONE
    quality: Mapping[str, Mapping[str, float]] = field(default_factory=dict[str, Mapping[str, float]])

    @property
    def name(self) -> str:
        """The names joined by "+"."""
        return "+".join(self.names)


def select_generators(
    generators: Mapping[str, CandidateGenerator],
    queries: Queries,
    n_items: int,
    n: int,
    seed: int,
    add_cold_items: Callable[[CandidateGenerator], Ranker] = lambda generator: generator,
    combine: bool = True,
    as_new: ItemsAsNew | None = None,
) -> SelectedGenerators:
    """Select the best generator, then each that adds most to it, while any adds something.

    At first what counts is the share of targets among the proposals; when no generator adds to it, NDCG@10. A generator
    that finds nothing new may still order well what others find. Several generators are judged on queries that were
    left out when their weights were learned.

    Args:
        generators: Name to generator.
        queries: Validation queries of `Queries.rankable`; a large catalogue uses a random part of them.
        n_items: Number of items of the catalogue.
        n: Number of proposals.
        seed: Seed of the random part.
        add_cold_items: Adds the items that a generator does not know to its proposals.
        combine: Whether a second generator may join.
        as_new: What a missing feature is expected from; by default the items on which weights are learned.

    Returns:
        The selected generators.
    """
    task = SelectionTask.of(generators, subsample_queries(queries, n_items, seed), n_items, n, add_cold_items, as_new)
    trials: dict[tuple[str, ...], tuple[Logit, dict[str, float]]] = {}

    def best(selected: tuple[str, ...], metric: str) -> tuple[str, ...] | None:
        """The best of the sets with one generator more; None where there is no more."""
        sets = [(*selected, name) for name in generators if name not in selected]
        trials.update((names, task.evaluate(names)) for names in sets if names not in trials)
        return max(sets, key=lambda names: (trials[names][1][metric], *trials[names][1].values()), default=None)

    selected = best((), task.hits)
    assert selected, "there is no generator"
    for metric in (task.hits, ORDER_METRIC) if combine else ():
        while (more := best(selected, metric)) and trials[more][1][metric] > trials[selected][1][metric]:
            selected = more
    qualities = {"+".join(names): quality for names, (_, quality) in trials.items()}
    return SelectedGenerators(selected, trials[selected][0], qualities)


def subsample_queries(queries: Queries, n_items: int, seed: int) -> Queries:
    """As many random queries as can be ranked over the whole catalogue at once, in their order; all where they can.

    Args:
        queries: m queries.
        n_items: Number of items of the catalogue.
        seed: Seed of the draw.

    Returns:
        At most `MAX_SCORES_HELD` / `n_items` queries.
    """
    n_queries = max(int(MAX_SCORES_HELD // n_items), 1)
    return queries.pick(np.sort(np.random.default_rng(seed).permutation(len(queries))[:n_queries]))


@dataclass(frozen=True, eq=False)
class SelectionTask:
    """The queries on which sets of generators are tried, with what each generator says of every item.

    Attributes:
        queries: m validation queries.
        ranking_features: Name to the (m, n_items) features of a generator.
        ranks: Name to the (m, n_items) ranks by a generator, from 0; seen items come last.
        known_masks: Name to the (n_items,) mask of the items that a generator knows (`rankers.base.known_items`).
        n_items: Number of items of the catalogue.
        n: Number of proposals.
        add_cold_items: Adds the items that a generator does not know to its proposals.
        as_new: What a missing feature is expected from; None: the items on which weights are learned.
    """

    queries: Queries
    ranking_features: Mapping[str, FloatArray]
    ranks: Mapping[str, FloatArray]
    known_masks: Mapping[str, NDArray[np.bool_]]
    n_items: int
    n: int
    add_cold_items: Callable[[CandidateGenerator], Ranker]
    as_new: ItemsAsNew | None = None

    @classmethod
    def of(
        cls,
        generators: Mapping[str, CandidateGenerator],
        queries: Queries,
        n_items: int,
        n: int,
        add_cold_items: Callable[[CandidateGenerator], Ranker],
        as_new: ItemsAsNew | None = None,
    ) -> "SelectionTask":
        """Score the catalogue by each generator.

        Args:
            generators: Name to generator.
            queries: m validation queries.
            n_items: Number of items of the catalogue.
            n: Number of proposals.
            add_cold_items: Adds the items that a generator does not know to its proposals.
            as_new: What a missing feature is expected from.

        Returns:
            The task.
        """
        features = {name: ranking_feature(one, queries).astype(np.float32) for name, one in generators.items()}
        known_masks = {name: known_items(one, n_items) for name, one in generators.items()}
        ranks = {name: ordered(mask_seen(one, queries))[1].astype(np.float32) for name, one in features.items()}
        return cls(queries, features, ranks, known_masks, n_items, n, add_cold_items, as_new)

    @property
    def hits(self) -> str:
        """The name of the metric by which sets of generators are compared."""
        return f"HR@{self.n}"

    def evaluate(self, names: Sequence[str]) -> tuple[Logit, dict[str, float]]:
        """Try a set of generators.

        Args:
            names: Their names.

        Returns:
            The logit of their features, and their metrics on held-out queries.
        """
        features_by_generator = [self.ranking_features[name] for name in names]
        turn_order = np.min([len(names) * self.ranks[name] + turn for turn, name in enumerate(names)], axis=0)
        pool = first_items(-turn_order, POOL_FACTOR * self.n)
        is_target = pool == self.queries.target[:, None]
        has_target, place = is_target.any(axis=1), is_target.argmax(axis=1)
        pool_features = [np.take_along_axis(values, pool, axis=1) for values in features_by_generator]
        features = np.stack(pool_features, axis=2).astype(np.float64)
        gaussian = self.as_new.gaussian(names) if self.as_new else None
        fold_of_query, scores = np.arange(len(pool)) % FOLDS, np.zeros(turn_order.shape)
        for number in range(FOLDS):
            fitted_rows, held_out_rows = has_target & (fold_of_query != number), fold_of_query == number
            logit = self._fit(features[fitted_rows], place[fitted_rows], gaussian)
            scores[held_out_rows] = logit.score([values[held_out_rows] for values in features_by_generator])
        logit = self._fit(features[has_target], place[has_target], gaussian)
        return logit, self._quality(scores, [self.known_masks[name] for name in names])

    def _fit(self, features: FloatArray, place: IntArray, gaussian: Gaussian | None) -> Logit:
        """The logit of (m, c, k) features; a single generator needs none."""
        return Logit.fit(features, place, gaussian=gaussian) if features.shape[2] > 1 else ALONE

    def _quality(self, scores: FloatArray, known_masks: Sequence[NDArray[np.bool_]]) -> dict[str, float]:
        """The metrics of (m, n_items) scores; items that no generator knows are not proposed, as by an ensemble."""
        scores[:, ~np.any(known_masks, axis=0)] = -np.inf
        proposing = self.add_cold_items(FixedScores(scores, known=np.all(known_masks, axis=0)))
        names = (self.hits, ORDER_METRIC)
        if leads(proposing):  # the metrics need first items alone, and of these no two are tied
            depth = min(max(self.n, 10), self.n_items)
            is_target = proposals(proposing, self.queries, depth) == self.queries.target[:, None]
            n_above = np.where(is_target.any(axis=1), is_target.argmax(axis=1), depth)
            counts = n_above, np.zeros_like(n_above)
        else:
            counts = count_unseen(proposing.score(self.queries, None), self.queries)
        metrics = measure(*counts, self.n_items, names)
        return {name: float(metrics[name].mean()) for name in names}
