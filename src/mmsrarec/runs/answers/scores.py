"""The scores of an answer: log-odds of the language model or of a fused ranking, tilted by typed keywords."""

from collections.abc import Sequence

import numpy as np

from mmsrarec.core.artefacts import read_manifest
from mmsrarec.data.dataset import FloatArray
from mmsrarec.data.splits import Queries
from mmsrarec.rankers.base import CandidateGenerator
from mmsrarec.recommend.explain import log_odds
from mmsrarec.recommend.prompt.preferences import UserPreferences, preference_bonus
from mmsrarec.recommend.prompt.prompt_context import PromptContext
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.ranking.fusion import FixedScores, Fused, Fusion
from mmsrarec.runs.answers.without_model import NoPrompts
from mmsrarec.runs.run_folder import Part, RunFolder, adapter_part

UNASKED_SCORE = 0.5
"""p(yes) where the language model is not asked: log-odds of zero."""


def answer_scores(
    prompts: Prompts,
    queries: Queries,
    contexts: Sequence[PromptContext],
    preferences: UserPreferences,
    p: FloatArray,
    fusion: Fusion | None,
    generators: Sequence[CandidateGenerator],
) -> FloatArray:
    """(m, c) log-odds of the candidates; typed keywords add their bonus.

    Args:
        prompts: Of the model that answers.
        queries: m queries.
        contexts: The m prompt contexts, with c candidates each.
        preferences: The typed keywords.
        p: (m, c) p(yes) of the language model.
        fusion: How the answers are fused; None where the language model alone ranks.
        generators: The rankers that the fusion joins.
    """
    if fusion:
        fused = Fused("mmsrarec", FixedScores(p), generators, fusion.with_lm)
        logits = fused.score(queries, np.array([context.candidates for context in contexts], dtype=np.int64))
    else:
        logits = np.array([[log_odds(share) for share in row] for row in p.tolist()], dtype=np.float64)
    if preferences:
        bonus = [preference_bonus(preferences, map(prompts.shown_keywords, one.candidates)) for one in contexts]
        logits = logits + np.array(bonus)
    return logits


def learned_preferences(run_folder: RunFolder, split: Part, prompts: Prompts) -> bool:
    """Whether the adapter was trained with preferences in its prompts, which the recipe of an older run does not say.

    Args:
        run_folder: The run.
        split: Whose models answer.
        prompts: On the tuned model, or what stands in for it.
    """
    if isinstance(prompts, NoPrompts):
        return False
    manifest = read_manifest(run_folder.folder / adapter_part(split, run_folder.served))
    return bool(manifest["settings"].get("recommend", {}).get("preference_rate"))


def softmax(scores: FloatArray) -> FloatArray:
    """(..., c) scores as shares of their exponentials along the last axis."""
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)
