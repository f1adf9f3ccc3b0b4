"""Fuse the language model with whoever proposes: a logit of what both say, learned on validation moments.

A candidate's terms are the language model's log-odds and one of each proposer; their logit is the fused score. A
sequence model's term is the log of its softmax over the catalogue, which it was trained to make a probability. Inner
products and counts of rules are nothing of the kind and have no scale in common: of all others the term is -log of the
place among all items that the user has not had, so that a weight w says that the target is at place r as often as
r**-w, Zipf's law; items not told apart, such as all that no rule leads to, share their mean place. Of an item that its
own training has never seen taken a proposer says nothing (`base.known_to`), and `logit` goes on from what the others
say. What it does not know counts in no place and no share either: an item that joins changes nothing for the others.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.data.splits import Moments
from mmsrarec.errors import MmsrarecError
from mmsrarec.rankers.base import CandidateGenerator, Scorer
from mmsrarec.rankers.ensemble.conditional_logit import ALONE, Logit, log_share
from mmsrarec.rankers.ensemble.features import term
from mmsrarec.rankers.ensemble.two_stage import Reranked
from mmsrarec.recommend.ranking.scorer import MllmScorer

FOLDS = 5
FILE = "fusion.json"
MODEL = "language model"
Quality = Callable[[FloatArray, IntArray], float]


@dataclass(frozen=True)
class Fusion:
    """What was learned. whole: of the language model's log-odds, then of each proposer's term. without: of the
    proposers' terms where they are fused without the language model, which says what it adds; where held-out moments
    say that it adds nothing, or the more it likes an item the worse, it counts nothing in `whole` either. proposing:
    whoever proposes. together: by what several do so together.

    moments: validation moments it was learned from, of `asked` whose candidates were looked at: in full ranking only
    those whose target was proposed tell anything. log_likelihood, quality: a moment's mean of the target among its
    candidates, and the quality of their order, by each term alone and by all, "fused"; of moments held out in turn.
    """

    proposers: tuple[str, ...]
    whole: Logit
    without: Logit
    moments: int
    asked: int
    log_likelihood: Mapping[str, float]
    quality: Mapping[str, float]
    proposing: tuple[str, ...]
    together: Logit

    @property
    def speaks(self) -> bool:
        """Whether the language model counts. It is not asked for an order where it does not."""
        return self.whole.weights[0] != 0

    @property
    def helps(self) -> bool:
        """Whether the fused order was better than the language model's own, on moments held out."""
        return self.quality["fused" if self.speaks else "proposers fused"] > self.quality[MODEL]

    def save(self, folder: Path) -> None:
        (folder / FILE).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "Fusion":
        """Raises MmsrarecError for a file that `save` did not write."""
        try:
            record = json.loads((folder / FILE).read_text(encoding="utf-8"))
            names = {name: tuple(record[name]) for name in ("proposers", "proposing")}
            return cls(**record | names | {name: Logit.load(record[name]) for name in ("whole", "without", "together")})
        except (OSError, ValueError, KeyError, TypeError) as broken:
            raise MmsrarecError(f"{folder / FILE} is no fusion: remove {folder} and evaluate again") from broken


@dataclass
class Fused:
    """The fused score as one more thing that ranks: any real number, to compare within one moment."""

    name: str
    ranker: Scorer
    proposers: Sequence[CandidateGenerator]
    logit: Logit

    def score(self, moments: Moments, candidates: IntArray | None) -> FloatArray:
        if candidates is None:
            raise MmsrarecError("fusion ranks proposed candidates, not the whole catalogue: use propose")
        counts = self.logit.weights[0] != 0  # what counts nothing is not asked
        ranker = self.ranker if counts else Given(np.full(candidates.shape, 0.5))
        return self.logit.score(terms(ranker, self.proposers, moments, candidates))


@dataclass
class Given:
    """(m, c) scores that are known already, as whatever ranks the candidates they are of. known: as of
    `base.known_to`."""

    scores: FloatArray
    name: str = "given"
    known: NDArray[np.bool_] | None = None
    logits: bool = False

    def score(self, moments: Moments, candidates: IntArray | None) -> FloatArray:
        return self.scores


def language_model(scorer: Scorer) -> MllmScorer | None:
    """The language model inside whatever ranks."""
    while isinstance(scorer, Reranked | Fused):
        scorer = scorer.ranker
    return scorer if isinstance(scorer, MllmScorer) else None


def terms(
    ranker: Scorer, proposers: Sequence[CandidateGenerator], moments: Moments, candidates: IntArray
) -> list[FloatArray]:
    """(m, c) each, of (m, c) candidates, which may be none: the language model's, then each proposer's."""
    candidates = np.asarray(candidates, dtype=np.int64)  # numpy takes no candidates for floats
    p = np.clip(ranker.score(moments, candidates), 1e-9, 1 - 1e-9)
    told = [np.take_along_axis(term(one, moments), candidates, axis=1) for one in proposers]
    return [np.log(p) - np.log1p(-p), *told]


def learn(
    x: FloatArray,
    place: IntArray,
    names: Sequence[str],
    asked: int,
    quality: Quality = lambda scores, place: 0.0,
    proposing: Sequence[str] = (),
    together: Logit = ALONE,
) -> Fusion:
    """x: (m, c, k) terms as `terms` gives them, the language model's first, with the targets at `place`, (m,). names:
    of the proposers. quality: how good (m, c) scores are. Without moments, the language model ranks alone."""
    labels = (MODEL, *names)
    kinds = {label: [number] for number, label in enumerate(labels)} | {"fused": list(range(len(labels)))}
    kinds["proposers fused"] = list(range(1, len(labels)))
    likelihood, good = dict.fromkeys(kinds, 0.0), dict.fromkeys(kinds, 0.0)
    if not len(x):
        alone = Logit.first(len(labels)), Logit.first(len(names))
        return Fusion(tuple(names), *alone, 0, asked, likelihood, good, tuple(proposing), together)
    whole, without = Logit.fit(x, place), Logit.fit(x[:, :, 1:], place)
    for label, kept in kinds.items():
        scores = held_out(x[:, :, kept], place)
        likelihood[label] = float(log_share(scores, place).mean())
        good[label] = quality(scores, place)
    if whole.weights[0] <= 0 or likelihood["fused"] <= likelihood["proposers fused"]:
        whole = without.behind_nothing()
    return Fusion(tuple(names), whole, without, len(x), asked, likelihood, good, tuple(proposing), together)


def held_out(x: FloatArray, place: IntArray) -> FloatArray:
    """(m, c) scores of each moment by a logit that was fitted without its fifth of the moments."""
    fold = np.arange(len(x)) % FOLDS
    scores = np.zeros(x.shape[:2])
    for number in range(FOLDS):
        fitted = Logit.fit(x[fold != number], place[fold != number])
        scores[fold == number] = fitted.score(list(np.moveaxis(x[fold == number], 2, 0)))
    return scores
