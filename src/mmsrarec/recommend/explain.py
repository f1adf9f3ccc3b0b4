"""Why items are recommended: each reason is left out, the items are scored again, and the drop is what it carried.

Of a pack with k explained candidates, leaving out something of who is asking is a pack with all k; leaving out
something of a candidate is one more candidate in the pack that has everything. All packs are scored together, through a
`PrefixTree`: a prompt is the whole one up to what it leaves out, and only what comes after that is computed for it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mmsrarec.models.packing.packed_prompt import PackedPrompt
from mmsrarec.models.packing.prefix_tree import PrefixTree
from mmsrarec.recommend.prompt.explanation_units import Mask, PromptFact, candidate_facts, user_facts
from mmsrarec.recommend.prompt.prompt_context import PromptContext
from mmsrarec.recommend.prompt.prompts import FACTS, Prompts
from mmsrarec.recommend.ranking.scorer import score_packs

MAX_BATCH_TOKENS = 4096
"""Tokens of packs in one batch at most, which bounds the memory. After the whole prompts small batches compute nothing
twice; on a processor 1,500 take a tenth longer."""


@dataclass(frozen=True)
class Reason:
    """Something the model was shown, and how much it carried.

    Attributes:
        kind: As of a `PromptFact`; or "ranker", of what a candidate generator says (`generator_reasons`).
        text: What the prompt says.
        weight: How far the log-odds of yes fall without it; negative: it spoke against the item. Where spans are scored
            (`recommend.score`): how far the mean log-likelihood of the item's words falls.
        item_id: Of a history or similar item.
        parts: Where asked for, the keywords of a reason that is made of several, each left out alone; their weights
            need not add up to that of all.
        words: The keywords that it names.
        level: Of a fact that is told in words, which of them, from 0.
        known: Whether who asks has a history; of somebody without one no taste and no past may be spoken of.
    """

    kind: str
    text: str
    weight: float
    item_id: str | None = None
    parts: "tuple[Reason, ...]" = ()
    words: tuple[str, ...] = ()
    level: int | None = None
    known: bool = True


Wanted = Callable[[str, int | None], bool]
"""Whether reasons of a kind are asked for, and of a fact that is told in words, at a level."""


def everything(kind: str, level: int | None) -> bool:
    """All reasons are asked for."""
    _ = kind, level
    return True


def explain(prompts: Prompts, context: PromptContext) -> tuple[float, list[Reason]]:
    """The score of the one candidate in `context`, and its reasons, keywords also one by one."""
    (explanation,) = explain_all(prompts, context, each_keyword=True)
    return explanation


def explain_all(
    prompts: Prompts,
    context: PromptContext,
    batch_tokens: int = 8192,
    each_keyword: bool = False,
    wanted: Wanted = everything,
) -> list[tuple[float, list[Reason]]]:
    """The score of each candidate in `context`, and its reasons by weight, heaviest first.

    What similar users chose is named only where at least `k_anonymity` distinct ones stand behind it.

    Args:
        prompts: Of the model that is asked.
        context: The prompt context, with c candidates.
        batch_tokens: Tokens of packs in one batch, at most.
        each_keyword: Measure keywords one by one as well, as parts of the reason that holds them all.
        wanted: What is measured; nothing is computed for other reasons.

    Returns:
        For each candidate p(yes), from which the weights are differences, and the reasons. p(yes) is computed as these
        are, through a tree, and is no rank's: see `score_contexts`.
    """
    about_user, own = facts_of(prompts, context, each_keyword, wanted)
    packs = explanation_prompts(prompts, context, about_user, own)
    tree = PrefixTree() if prompts.mllm.packs and prompts.settings.score == "answer" else None
    if tree is not None:
        score_packs(prompts, [prompts.render(context)], batch_tokens, tree=tree)
    scored = score_packs(prompts, packs, min(batch_tokens, MAX_BATCH_TOKENS), tree=tree)
    logits = [np.array([log_odds(float(p)) for p in scores]) for scores in scored]
    n = len(context.candidates)
    whole, rest = logits[0][:n], np.split(logits[0][n:], np.cumsum([len(own_facts) for own_facts in own])[:-1])
    explanations: list[tuple[float, list[Reason]]] = []
    for place, (own_facts, values) in enumerate(zip(own, rest, strict=True)):
        without = [part[place] for part in logits[1:]] + values.tolist()
        drops = {
            fact: round(float(whole[place] - value), 4)
            for fact, value in zip([*about_user, *own_facts], without, strict=True)
        }
        reasons = [_reason(prompts, context, place, fact, drops) for fact in drops if not fact.part]
        explanations.append(
            (float(1 / (1 + np.exp(-whole[place]))), sorted(reasons, key=lambda reason: -reason.weight))
        )
    return explanations


def facts_of(
    prompts: Prompts, context: PromptContext, each_keyword: bool = False, wanted: Wanted = everything
) -> tuple[list[PromptFact], list[list[PromptFact]]]:
    """What the prompt says of who is asking, and of each candidate, as far as it is wanted."""

    def spread(facts: Iterable[PromptFact], place: int = 0) -> list[PromptFact]:
        chosen = [fact for fact in facts if wanted(fact.kind, level_of(context, fact.kind, place))]
        return [fact for whole in chosen for fact in (whole, *(whole.each() if each_keyword else ()))]

    places = range(len(context.candidates))
    own = [spread(candidate_facts(prompts, context, place), place) for place in places]
    return spread(user_facts(prompts, context)), own


def level_of(context: PromptContext, kind: str, place: int) -> int | None:
    """The level of a fact about the candidate at a place; None of kinds that have none."""
    return getattr(context, kind)[place] if kind in FACTS else None


def explanation_prompts(
    prompts: Prompts, context: PromptContext, about_user: Sequence[PromptFact], own: Sequence[Sequence[PromptFact]]
) -> list[PackedPrompt]:
    """The packs whose scores give the reasons.

    The first holds everything: the candidates, then each once more for each fact of its own. The others leave out one
    fact of the user each.

    Args:
        prompts: Of the model that is asked.
        context: The prompt context, with c candidates.
        about_user: Facts of the user.
        own: For each candidate its facts.
    """
    nothing = Mask()
    whole = [nothing.candidate(prompts, context, place) for place in range(len(own))]
    less = [fact.cut.candidate(prompts, context, place) for place, own_facts in enumerate(own) for fact in own_facts]
    first = PackedPrompt(nothing.shared(prompts, context), [*whole, *less], context.state)
    masked = [(fact.cut, fact.cut.of(prompts, context).state) for fact in about_user]
    return [first, *(PackedPrompt(cut.shared(prompts, context), whole, state) for cut, state in masked)]


def _reason(
    prompts: Prompts, context: PromptContext, place: int, fact: PromptFact, drops: Mapping[PromptFact, float]
) -> Reason:
    item_id = None if fact.item is None else prompts.dataset.items[fact.item].item_id
    parts = [Reason(part.kind, part.text, drops[part]) for part in fact.each() if part in drops]
    parts.sort(key=lambda part: -part.weight)
    words = fact.words
    if fact.kind in ("more", "less"):
        words = tuple(getattr(fact.cut, fact.kind))
    level = level_of(context, fact.kind, place)
    return Reason(fact.kind, fact.text, drops[fact], item_id, tuple(parts), words, level)


def log_odds(p: float) -> float:
    """The log-odds log p - log(1 - p), finite: p is held within [1e-9, 1 - 1e-9]."""
    p = min(max(p, 1e-9), 1 - 1e-9)
    return float(np.log(p) - np.log1p(-p))
