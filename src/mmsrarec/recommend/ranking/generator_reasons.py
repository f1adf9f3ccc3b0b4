"""Why a fused ranking put an item where it is, by the candidate generators' part of it, measured.

The fused score is a conditional logit, linear in what the language model and each generator say (McFadden 1974). An
item of the history is left out, everything else stays, and the score is computed again: the drop is its weight. What a
generator itself adds is its weight times how far its term lies above the mean of the items considered.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mmsrarec.data.dataset import Dataset, FloatArray, IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.rankers.base import CandidateGenerator
from mmsrarec.rankers.ensemble.conditional_logit import Logit
from mmsrarec.recommend.explain import Reason
from mmsrarec.recommend.ranking.fusion import FixedScores, ranking_features

MAX_HISTORY = 8
"""Items of the history that are left out in turn, the newest."""


@dataclass(frozen=True, eq=False)
class _SameExcluded(Queries):
    """Queries with other histories at which the same items are excluded: an item that is left out does not compete."""

    kept_out: IntArray = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    @property
    def excluded(self) -> tuple[IntArray, ...]:
        return (self.kept_out,) * len(self)


def generator_reasons(
    dataset: Dataset,
    query: Queries,
    candidates: IntArray,
    explained: Sequence[int],
    model_scores: FloatArray,
    generators: Sequence[CandidateGenerator],
    logit: Logit,
) -> list[list[Reason]]:
    """The reasons of some of the candidates, heaviest first.

    Args:
        dataset: The catalogue.
        query: (1,) who asks, with a history.
        candidates: (c,) item codes that were ranked together.
        explained: Places among the candidates.
        model_scores: (c,) p(yes) of the language model; any constant where it has no weight.
        generators: k rankers in the order of the logit's terms, behind the language model's.
        logit: Of 1 + k terms.

    Returns:
        For each explained candidate its reasons of the kinds "history" and "ranker".
    """
    history = query.history[0]
    newest_first: list[int] = history[::-1].tolist()
    left_out = list(dict.fromkeys(newest_first))[:MAX_HISTORY]
    histories = (history, *(history[history != code] for code in left_out))
    m = len(histories)
    user, time, target = (np.repeat(part, m) for part in (query.user, query.time, query.target))
    variants = _SameExcluded(user, time, target, histories, query.allow_seen, kept_out=query.excluded[0])
    every = np.tile(candidates, (m, 1))
    given = FixedScores(np.tile(model_scores, (m, 1)))
    parts = ranking_features(given, generators, variants, every)
    scores = logit.score(parts)
    drops = scores[0] - scores[1:]
    contributions: list[FloatArray] = []
    for weight, part in zip(logit.weights[1:], parts[1:], strict=True):
        is_finite = np.isfinite(part[0])
        centre = part[0][is_finite].mean() if is_finite.any() else 0.0
        contributions.append(np.where(is_finite, weight * (part[0] - centre), 0.0))
    reason_lists: list[list[Reason]] = []
    for place in explained:
        reasons = [
            Reason("history", f"had {dataset.items[code].title}", float(drop), dataset.items[code].item_id)
            for code, drop in zip(left_out, drops[:, place], strict=True)
        ]
        reasons += [
            Reason("ranker", f"{ranker.name} ranks it high", float(part[place]), words=(ranker.name,))
            for ranker, part in zip(generators, contributions, strict=True)
        ]
        reason_lists.append(sorted(reasons, key=lambda reason: -reason.weight))
    return reason_lists


def combined_reasons(model: Sequence[Reason], share: float, generators: Sequence[Reason]) -> list[Reason]:
    """The language model's reasons, times its weight in the fused score, and the generators', as one list.

    Weights of the same item of the history add up, for the fused score is linear in both parts.

    Args:
        model: The language model's reasons.
        share: Its weight in the fused score.
        generators: The reasons of `generator_reasons` for the same candidate.
    """
    of_generators = {reason.item_id: reason for reason in generators if reason.kind == "history"}
    reasons: list[Reason] = []
    for reason in model:
        also = of_generators.pop(reason.item_id, None) if reason.kind == "history" else None
        weight = share * reason.weight + (also.weight if also else 0.0)
        reasons.append(replace(reason, weight=weight))
    reasons += [*of_generators.values(), *(reason for reason in generators if reason.kind != "history")]
    return sorted(reasons, key=lambda reason: -reason.weight)
