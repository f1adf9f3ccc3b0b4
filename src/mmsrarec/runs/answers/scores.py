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
    query: Queries,
    context: PromptContext,
    preferences: UserPreferences,
    p: FloatArray,
    fusion: Fusion | None,
    generators: Sequence[CandidateGenerator],
) -> FloatArray:
    """(c,) log-odds of the candidates; typed keywords add their bonus.

    Args:
        prompts: Of the model that answers.
        query: (1,) who asks.
        context: The prompt context, with c candidates.
        preferences: The typed keywords.
        p: (c,) p(yes) of the language model.
        fusion: How the answer is fused; None where the language model alone ranks.
        generators: The rankers that the fusion joins.
    """
    if fusion:
        fused = Fused("mmsrarec", FixedScores(p[None]), generators, fusion.with_lm)
        logits = fused.score(query, np.array([context.candidates], dtype=np.int64))[0]
    else:
        logits = np.array([log_odds(float(share)) for share in p], dtype=np.float64)
    if preferences:
        logits = logits + preference_bonus(preferences, map(prompts.shown_keywords, context.candidates))
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
    """(c,) scores as shares of their exponentials."""
    powers = np.exp(scores - scores.max())
    return powers / powers.sum()
