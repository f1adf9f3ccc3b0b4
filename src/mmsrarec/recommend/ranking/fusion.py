"""Fuse the language model with whoever proposes: a logit of what both say, learned on validation queries.

A candidate's terms are the language model's log-odds and one of each candidate generator; their logit is the fused
score. A sequence model's term is the log of its softmax over the catalogue, which it was trained to make a probability.
Inner products and counts of rules are nothing of the kind and have no scale in common: of all others the term is -log
of the place among all items that the user has not had, so that a weight w says that the target is at place r as often
as r**-w, Zipf's law; items not told apart, such as all that no rule leads to, share their mean place. Of an item that
its own training has never seen taken a candidate generator says nothing (`base.known_items`), and `logit` goes on from
what the others say. What it does not know counts in no place and no share either: an item that joins changes nothing
for the others.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.errors import MmsrarecError, NotFittedError
from mmsrarec.rankers.base import CandidateGenerator, Ranker
from mmsrarec.rankers.ensemble.conditional_logit import ALONE, Logit, log_share
from mmsrarec.rankers.ensemble.features import ranking_feature
from mmsrarec.rankers.ensemble.two_stage import Reranked
from mmsrarec.recommend.ranking.scorer import MllmScorer

FOLDS = 5
FILE = "fusion.json"
MODEL = "language model"
Quality = Callable[[FloatArray, IntArray], float]


@dataclass(frozen=True)
class Fusion:
    """What was learned. whole: of the language model's log-odds, then of each candidate generator's term. without: of
    the candidate generators' terms where they are fused without the language model, which says what it adds; where
    held-out queries say that it adds nothing, or the more it likes an item the worse, it counts nothing in `whole`
    either. proposing: whoever proposes. together: by what several do so together.

    queries: validation queries it was learned from, of `asked` whose candidates were looked at: in full ranking only
    those whose target was proposed tell anything. log_likelihood, quality: a query's mean of the target among its
    candidates, and the quality of their order, by each term alone and by all, "fused"; of queries held out in turn.
    """

    generators: tuple[str, ...]
    whole: Logit
    without: Logit
    queries: int
    asked: int
    log_likelihood: Mapping[str, float]
    quality: Mapping[str, float]
    proposing_generators: tuple[str, ...]
    together: Logit

    @property
    def uses_lm(self) -> bool:
        """Whether the language model counts. It is not asked for an order where it does not."""
        return self.whole.weights[0] != 0

    @property
    def improves(self) -> bool:
        """Whether the fused order was better than the language model's own, on queries held out."""
        return self.quality["fused" if self.uses_lm else "proposers fused"] > self.quality[MODEL]

    def save(self, folder: Path) -> None:
        (folder / FILE).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "Fusion":
        """Raises MmsrarecError for a file that `save` did not write."""
        try:
            record = json.loads((folder / FILE).read_text(encoding="utf-8"))
            names = {name: tuple(record[name]) for name in ("generators", "proposing_generators")}
            return cls(**record | names | {name: Logit.load(record[name]) for name in ("whole", "without", "together")})
        except (OSError, ValueError, KeyError, TypeError) as broken:
            raise NotFittedError(f"{folder / FILE} is no fusion: remove {folder} and evaluate again") from broken


@dataclass
class Fused:
    """The fused score as one more thing that ranks: any real number, to compare within one query."""

    name: str
    ranker: Ranker
    generators: Sequence[CandidateGenerator]
    logit: Logit

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        if candidates is None:
            raise MmsrarecError("fusion ranks proposed candidates, not the whole catalogue: use propose")
        counts = self.logit.weights[0] != 0  # what counts nothing is not asked
        ranker = self.ranker if counts else Given(np.full(candidates.shape, 0.5))
        return self.logit.score(ranking_features(ranker, self.generators, queries, candidates))


@dataclass
class Given:
    """(m, c) scores that are known already, as whatever ranks the candidates they are of. known: as of
    `base.known_items`."""

    scores: FloatArray
    name: str = "given"
    known: NDArray[np.bool_] | None = None
    logits: bool = False

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        return self.scores


def language_model(scorer: Ranker) -> MllmScorer | None:
    """The language model inside whatever ranks."""
    while isinstance(scorer, Reranked | Fused):
        scorer = scorer.ranker
    return scorer if isinstance(scorer, MllmScorer) else None


def ranking_features(
    ranker: Ranker, generators: Sequence[CandidateGenerator], queries: Queries, candidates: IntArray
) -> list[FloatArray]:
    """(m, c) each, of (m, c) candidates, which may be none: the language model's, then each candidate generator's."""
    candidates = np.asarray(candidates, dtype=np.int64)  # numpy takes no candidates for floats
    p = np.clip(ranker.score(queries, candidates), 1e-9, 1 - 1e-9)
    told = [np.take_along_axis(ranking_feature(one, queries), candidates, axis=1) for one in generators]
    return [np.log(p) - np.log1p(-p), *told]


def learn(
    x: FloatArray,
    place: IntArray,
    names: Sequence[str],
    asked: int,
    quality: Quality = lambda scores, place: 0.0,
    proposing_generators: Sequence[str] = (),
    together: Logit = ALONE,
) -> Fusion:
    """x: (m, c, k) terms as `ranking_features` gives them, the language model's first, with the targets at `place`,
    (m,). names: of the candidate generators. quality: how good (m, c) scores are. Without queries, the language model
    ranks alone."""
    labels = (MODEL, *names)
    kinds = {label: [number] for number, label in enumerate(labels)} | {"fused": list(range(len(labels)))}
    kinds["proposers fused"] = list(range(1, len(labels)))
    likelihood, good = dict.fromkeys(kinds, 0.0), dict.fromkeys(kinds, 0.0)
    if not len(x):
        alone = Logit.first(len(labels)), Logit.first(len(names))
        return Fusion(tuple(names), *alone, 0, asked, likelihood, good, tuple(proposing_generators), together)
    whole, without = Logit.fit(x, place), Logit.fit(x[:, :, 1:], place)
    for label, kept in kinds.items():
        scores = held_out(x[:, :, kept], place)
        likelihood[label] = float(log_share(scores, place).mean())
        good[label] = quality(scores, place)
    if whole.weights[0] <= 0 or likelihood["fused"] <= likelihood["proposers fused"]:
        whole = without.behind_nothing()
    return Fusion(tuple(names), whole, without, len(x), asked, likelihood, good, tuple(proposing_generators), together)


def held_out(x: FloatArray, place: IntArray) -> FloatArray:
    """(m, c) scores of each query by a logit that was fitted without its fifth of the queries."""
    fold = np.arange(len(x)) % FOLDS
    scores = np.zeros(x.shape[:2])
    for number in range(FOLDS):
        fitted = Logit.fit(x[fold != number], place[fold != number])
        scores[fold == number] = fitted.score(list(np.moveaxis(x[fold == number], 2, 0)))
    return scores
