"""Fusion of the language model with the candidate generators: a conditional logit learned on validation queries.

The features of a candidate are the language model's log-odds and one feature of each candidate generator; their
weighted sum is the fused score (McFadden 1974). The feature of a sequence model is the log of its softmax over the
catalogue, which its training makes a probability. Inner products and counts of rules have no common scale. The feature
of every other generator is -log of the item's place among all items that the user has not consumed: with a weight w the
target stands at place r as often as r**-w, Zipf's law. Tied items, such as all that no rule leads to, share their mean
place.

A generator has no feature for an item that nobody consumed in its training (`rankers.base.known_items`); the logit then
expects it from the other features (`rankers.ensemble.conditional_logit`). Such an item counts in no place and no share
either, so a new item changes nothing for the others.

Shapes: m queries, c candidates, k features.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.errors import MmsrarecError, NotFittedError
from mmsrarec.rankers.base import CandidateGenerator, Ranker
from mmsrarec.rankers.ensemble.conditional_logit import ALONE, Gaussian, Logit, log_share
from mmsrarec.rankers.ensemble.features import ranking_feature
from mmsrarec.rankers.ensemble.two_stage import Reranked
from mmsrarec.recommend.ranking.scorer import MllmScorer

FOLDS = 5
"""Number of parts of the queries, each of which is scored by a logit that was fitted on the others."""
FILE = "fusion.json"
KEYS_IN_FILE = {
    "with_lm": "whole",
    "without_lm": "without",
    "queries_examined": "asked",
    "generators_logit": "together",
}
"""Field of `Fusion` to its key in `FILE`, where the two differ."""
MODEL = "language model"
WITHOUT_LM = "generators fused"
FORMER_WITHOUT_LM = "proposers fused"
"""What earlier versions wrote for `WITHOUT_LM`."""
Quality = Callable[[FloatArray, IntArray], float]
"""Maps (m, c) scores and the (m,) columns of the targets to how good the order is."""


@dataclass(frozen=True)
class Fusion:
    """The learned weights of the language model and the candidate generators, and how well they rank.

    The language model has weight 0 where held-out queries show that it adds nothing, or that its weight is negative.

    Attributes:
        generators: Names of the fused candidate generators.
        with_lm: Logit of the language model's log-odds, then of each generator's feature.
        without_lm: Logit of the generators' features alone, which shows what the language model adds.
        queries: Number of validation queries that it was learned from.
        queries_examined: Number of validation queries whose candidates were examined. In full ranking only those whose
            target was proposed can be learned from.
        log_likelihood: Mean log-likelihood of the target among its candidates, by each feature alone, by all ("fused"),
            and by the generators' (`WITHOUT_LM`), on queries held out in turn.
        quality: Quality of the order of the candidates, likewise.
        proposing_generators: Names of the generators that propose the candidates.
        generators_logit: Logit by which several generators propose as one.
    """

    generators: tuple[str, ...]
    with_lm: Logit
    without_lm: Logit
    queries: int
    queries_examined: int
    log_likelihood: Mapping[str, float]
    quality: Mapping[str, float]
    proposing_generators: tuple[str, ...]
    generators_logit: Logit

    @property
    def uses_lm(self) -> bool:
        """Whether the language model has a weight. It is not run where it has none."""
        return self.with_lm.weights[0] != 0

    @property
    def improves(self) -> bool:
        """Whether the fused order is better than the language model's own, on held-out queries."""
        return self.quality["fused" if self.uses_lm else WITHOUT_LM] > self.quality[MODEL]

    def save(self, folder: Path) -> None:
        """Write the fusion into a folder as JSON."""
        record = {KEYS_IN_FILE.get(name, name): value for name, value in asdict(self).items()}
        (folder / FILE).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "Fusion":
        """Read what `save` wrote.

        Args:
            folder: The folder of the file.

        Returns:
            An equal fusion.

        Raises:
            MmsrarecError: The file is missing, or `save` did not write it.
        """
        names_by_key = {key: name for name, key in KEYS_IN_FILE.items()}
        try:
            record: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
            values: dict[str, Any] = {names_by_key.get(key, key): value for key, value in record.items()}
            for name in ("generators", "proposing_generators"):
                values[name] = tuple(values[name])
            for name in ("log_likelihood", "quality"):
                measured: dict[str, float] = values[name]
                values[name] = {WITHOUT_LM if key == FORMER_WITHOUT_LM else key: each for key, each in measured.items()}
            for name in ("with_lm", "without_lm", "generators_logit"):
                values[name] = Logit.load(values[name])
            return cls(**values)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise NotFittedError(f"{folder / FILE} is no fusion: remove {folder} and evaluate again") from error


@dataclass
class Fused:
    """A ranker by the fused score, which is any real number and compares within one query only.

    Attributes:
        name: Name of the row.
        ranker: The language model, or any other ranker in its place.
        generators: The fused candidate generators.
        logit: Weights of the ranker's log-odds, then of each generator's feature.
    """

    name: str
    ranker: Ranker
    generators: Sequence[CandidateGenerator]
    logit: Logit

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        """Score candidates.

        Args:
            queries: m queries.
            candidates: (m, c) item codes.

        Returns:
            (m, c) scores.

        Raises:
            MmsrarecError: No candidates are given.
        """
        if candidates is None:
            raise MmsrarecError("fusion ranks proposed candidates, not the whole catalogue: use propose")
        uses_lm = self.logit.weights[0] != 0  # a model without a weight is not run
        ranker = self.ranker if uses_lm else FixedScores(np.full(candidates.shape, 0.5))
        return self.logit.score(ranking_features(ranker, self.generators, queries, candidates))


@dataclass
class FixedScores:
    """A ranker that returns scores computed before.

    Attributes:
        scores: (m, c) scores of the candidates that it will be asked to rank.
        name: Name of the ranker.
        known: (n_items,) mask of the items that it can rank (`rankers.base.known_items`).
        logits: Whether the scores are logits of a softmax over the catalogue.
    """

    scores: FloatArray
    name: str = "given"
    known: NDArray[np.bool_] | None = None
    logits: bool = False

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        """Return the scores, whatever the queries and candidates."""
        return self.scores


def language_model(scorer: Ranker) -> MllmScorer | None:
    """The language model inside a ranker; None where it holds none."""
    while isinstance(scorer, Reranked | Fused):
        scorer = scorer.ranker
    return scorer if isinstance(scorer, MllmScorer) else None


def ranking_features(
    ranker: Ranker, generators: Sequence[CandidateGenerator], queries: Queries, candidates: IntArray
) -> list[FloatArray]:
    """The features of candidates.

    Args:
        ranker: The language model.
        generators: The candidate generators.
        queries: m queries.
        candidates: (m, c) item codes; c may be 0.

    Returns:
        (m, c) features each: the language model's log-odds, then the feature of each generator.
    """
    candidates = np.asarray(candidates, dtype=np.int64)  # numpy takes no candidates for floats
    probabilities = np.clip(ranker.score(queries, candidates), 1e-9, 1 - 1e-9)
    catalogue_features = (ranking_feature(generator, queries) for generator in generators)
    generator_features = [np.take_along_axis(values, candidates, axis=1) for values in catalogue_features]
    return [np.log(probabilities) - np.log1p(-probabilities), *generator_features]


def learn_fusion(
    features: FloatArray,
    place: IntArray,
    generator_names: Sequence[str],
    queries_examined: int,
    quality: Quality = lambda scores, place: 0.0,
    proposing_generators: Sequence[str] = (),
    generators_logit: Logit = ALONE,
    gaussian: Gaussian | None = None,
) -> Fusion:
    """Learn the weights of the language model and the candidate generators. Without queries the model ranks alone.

    Args:
        features: (m, c, k) features, the language model's log-odds first (`ranking_features`).
        place: (m,) columns of the targets.
        generator_names: Names of the k - 1 candidate generators.
        queries_examined: Number of queries whose candidates were examined to find these m.
        quality: Judges the order of (m, c) scores.
        proposing_generators: Names of the generators that propose the candidates.
        generators_logit: Logit by which several generators propose as one.
        gaussian: Of the generators' features, which predict a missing one; by default those of `features`.

    Returns:
        The weights, and how well each feature and their sums rank held-out queries.
    """
    labels = (MODEL, *generator_names)
    columns_by_label = {label: [number] for number, label in enumerate(labels)} | {"fused": list(range(len(labels)))}
    columns_by_label[WITHOUT_LM] = list(range(1, len(labels)))
    log_likelihood, qualities = dict.fromkeys(columns_by_label, 0.0), dict.fromkeys(columns_by_label, 0.0)
    with_lm, without_lm = Logit.first(len(labels)), Logit.first(len(generator_names))
    if len(features):
        wide = gaussian.with_first(features) if gaussian else Gaussian.of(features)
        with_lm = Logit.fit(features, place, gaussian=wide)
        without_lm = Logit.fit(features[:, :, 1:], place, gaussian=gaussian)
        for label, columns in columns_by_label.items():
            scores = held_out_scores(features[:, :, columns], place, wide.pick(columns))
            log_likelihood[label] = float(log_share(scores, place).mean())
            qualities[label] = quality(scores, place)
        if with_lm.weights[0] <= 0 or log_likelihood["fused"] <= log_likelihood[WITHOUT_LM]:
            with_lm = without_lm.behind_nothing()
    return Fusion(
        generators=tuple(generator_names),
        with_lm=with_lm,
        without_lm=without_lm,
        queries=len(features),
        queries_examined=queries_examined,
        log_likelihood=log_likelihood,
        quality=qualities,
        proposing_generators=tuple(proposing_generators),
        generators_logit=generators_logit,
    )


def held_out_scores(features: FloatArray, place: IntArray, gaussian: Gaussian) -> FloatArray:
    """Score each query by a logit that was fitted on the other folds.

    Args:
        features: (m, c, k) features.
        place: (m,) columns of the targets.
        gaussian: What predicts a missing feature.

    Returns:
        (m, c) scores.
    """
    fold_of_query = np.arange(len(features)) % FOLDS
    scores = np.zeros(features.shape[:2])
    for number in range(FOLDS):
        others = fold_of_query != number
        fitted = Logit.fit(features[others], place[others], gaussian=gaussian)
        scores[fold_of_query == number] = fitted.score(list(np.moveaxis(features[fold_of_query == number], 2, 0)))
    return scores
