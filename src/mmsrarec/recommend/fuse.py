"""Fuse the language model with whoever proposes: weights for both, learned on validation moments.

A candidate's terms are the language model's log-odds and one of each proposer; their weighted sum is the fused score. A
sequence model's term is the log of its softmax over the catalogue, which it was trained to make a probability. Inner
products and counts of rules are nothing of the kind and have no scale in common: of all others the term is -log of the
place among all items that the user has not had, so that a weight w says that the target is at place r as often as
r**-w, Zipf's law; items not told apart, such as all that no rule leads to, share their mean place. An item that
proposers have never seen taken gets the share of a random pick, or the mean of -log of all places: they know nothing
for it or against it, and the language model decides.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.data.split import Moments
from mmsrarec.errors import MmsrarecError
from mmsrarec.recommend.propose import Reranked, Scores, places, strangers
from mmsrarec.recommend.score import MllmScorer

RIDGE = 1.0
"""Half of it times the squared weights is taken from the log-likelihood of all moments."""
FOLDS = 5
FILE = "fusion.json"
MODEL = "language model"
Quality = Callable[[FloatArray, IntArray], float]


@dataclass(frozen=True)
class Fusion:
    """What was learned. weights: of the language model's log-odds, then of each proposer's term. without: of the
    proposers' terms where they are fused without the language model, which says what it adds. proposing: whoever
    proposes, with the weights by which several do so together.

    moments: validation moments it was learned from, of `asked` whose candidates were looked at: in full ranking only
    those whose target was proposed tell anything. log_likelihood, quality: a moment's mean of the target among its
    candidates, and the quality of their order, by each term alone and by all, "fused"; of moments held out in turn.
    """

    proposers: tuple[str, ...]
    weights: tuple[float, ...]
    without: tuple[float, ...]
    moments: int
    asked: int
    log_likelihood: Mapping[str, float]
    quality: Mapping[str, float]
    proposing: Mapping[str, float]

    @property
    def helps(self) -> bool:
        """Whether the fused order was better than the language model's own, on moments held out."""
        return self.quality["fused"] > self.quality[MODEL]

    def save(self, folder: Path) -> None:
        (folder / FILE).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "Fusion":
        """Raises MmsrarecError for a file that `save` did not write."""
        try:
            record = json.loads((folder / FILE).read_text(encoding="utf-8"))
            return cls(**record | {name: tuple(record[name]) for name in ("proposers", "weights", "without")})
        except (OSError, ValueError, KeyError, TypeError) as broken:
            raise MmsrarecError(f"{folder / FILE} is no fusion: remove {folder} and evaluate again") from broken


@dataclass
class Fused:
    """The fused score as one more thing that ranks: any real number, to compare within one moment.

    known: (n_items,) whether the proposers have seen an item taken.
    """

    name: str
    ranker: Scores
    proposers: Sequence[Scores]
    weights: Sequence[float]
    known: NDArray[np.bool_]

    def score(self, moments: Moments, candidates: IntArray | None) -> FloatArray:
        if candidates is None:
            raise MmsrarecError("fusion ranks proposed candidates, not the whole catalogue: use propose")
        return terms(self.ranker, self.proposers, moments, candidates, self.known) @ np.array(self.weights)


@dataclass
class Given:
    """(m, c) scores that are known already, as whatever ranks the candidates they are of. described: see
    `propose.strangers`."""

    scores: FloatArray
    name: str = "given"
    described: int = 0

    def score(self, moments: Moments, candidates: IntArray | None) -> FloatArray:
        return self.scores


@dataclass
class Silent:
    """A language model that says nothing: even odds for every candidate."""

    name: str = "silent"

    def score(self, moments: Moments, candidates: IntArray | None) -> FloatArray:
        if candidates is None:
            raise MmsrarecError("silence ranks no catalogue")
        return np.full(candidates.shape, 0.5)


def language_model(scorer: Scores) -> MllmScorer | None:
    """The language model inside whatever ranks."""
    while isinstance(scorer, Reranked | Fused):
        scorer = scorer.ranker
    return scorer if isinstance(scorer, MllmScorer) else None


def terms(
    ranker: Scores, proposers: Sequence[Scores], moments: Moments, candidates: IntArray, known: NDArray[np.bool_]
) -> FloatArray:
    """(m, c, 1 + proposers) of (m, c) candidates; known: see `Fused`."""
    p = np.clip(ranker.score(moments, candidates), 1e-9, 1 - 1e-9)
    told = [np.take_along_axis(term(one, moments, known), candidates, axis=1) for one in proposers]
    return np.stack([np.log(p) - np.log1p(-p), *told], axis=2)


def term(proposer: Scores, moments: Moments, known: NDArray[np.bool_]) -> FloatArray:
    """(m, n_items): what a proposer says of every item; known: see `Fused`."""
    if getattr(proposer, "logits", False):
        scores = np.array(proposer.score(moments, None), dtype=np.float64)
        top = scores.max(axis=1, keepdims=True)
        said, unsaid = scores - top - np.log(np.exp(scores - top).sum(axis=1, keepdims=True)), -np.log(len(known))
    else:
        said = -np.log(places(proposer, moments))
        unsaid = said.mean(axis=1, keepdims=True)
    return np.where(strangers(proposer, ~known), unsaid, said)


def learn(
    x: FloatArray,
    place: IntArray,
    names: Sequence[str],
    asked: int,
    quality: Quality = lambda scores, place: 0.0,
    proposing: Mapping[str, float] | None = None,
) -> Fusion:
    """x: (m, c, k) terms as `terms` gives them, the language model's first, with the targets at `place`, (m,). names:
    of the proposers. quality: how good (m, c) scores are. Without moments, the language model is left as it is."""
    labels = (MODEL, *names)
    weights = fit(x, place) if len(x) else np.eye(1, len(labels))[0]
    without = fit(x[:, :, 1:], place) if len(x) else np.ones(len(names))
    kinds = {label: [number] for number, label in enumerate(labels)} | {"fused": list(range(len(labels)))}
    kinds["proposers fused"] = list(range(1, len(labels)))
    likelihood, good = {}, {}
    for label, kept in kinds.items():
        scores = _held_out(x[:, :, kept], place)
        likelihood[label] = float(_log_share(scores, place).mean()) if len(x) else 0.0
        good[label] = quality(scores, place) if len(x) else 0.0
    both, alone = (tuple(map(float, one)) for one in (weights, without))
    return Fusion(tuple(names), both, alone, len(x), asked, likelihood, good, dict(proposing or {}))


def fit(x: FloatArray, place: IntArray, ridge: float = RIDGE) -> FloatArray:
    """(k,) weights w of the conditional logit P(target) = exp(x_target w) / sum_c exp(x_c w) (McFadden 1974), of the
    greatest likelihood less ridge / 2 * |w|^2, by Newton's method with halved steps: the function is concave."""
    w = np.zeros(x.shape[2])
    target = np.take_along_axis(x, place[:, None, None], axis=1)[:, 0]

    def value(w: FloatArray) -> float:
        return float(_log_share(x @ w, place).sum() - ridge / 2 * (w @ w))

    for _ in range(100):
        p = np.exp(x @ w - (x @ w).max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        mean = np.einsum("mc,mck->mk", p, x)
        gradient = (target - mean).sum(axis=0) - ridge * w
        hessian = np.einsum("mc,mck,mcl->kl", p, x, x) - mean.T @ mean + ridge * np.eye(len(w))
        step = np.linalg.solve(hessian, gradient)
        while value(w + step) < value(w) and np.abs(step).max() > 1e-12:
            step = step / 2
        w = w + step
        if np.abs(step).max() < 1e-9:
            break
    return w


def _held_out(x: FloatArray, place: IntArray) -> FloatArray:
    """(m, c) scores of each moment by weights that were fitted without its fifth of the moments."""
    fold = np.arange(len(x)) % FOLDS
    scores = np.zeros(x.shape[:2])
    for number in range(FOLDS):
        scores[fold == number] = x[fold == number] @ fit(x[fold != number], place[fold != number])
    return scores


def _log_share(scores: FloatArray, place: IntArray) -> FloatArray:
    """(m,): log of the target's share of exp(scores)."""
    top = scores.max(axis=1, keepdims=True)
    total = np.log(np.exp(scores - top).sum(axis=1)) + top[:, 0]
    return np.take_along_axis(scores, place[:, None], axis=1)[:, 0] - total
