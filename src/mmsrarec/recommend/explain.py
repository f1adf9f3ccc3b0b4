"""Why items are recommended: each reason is left out, the items are scored again, and the drop is what it carried.

Of a pack with k explained candidates, leaving out something of who is asking is a pack with all k; leaving out
something of a candidate is one more candidate in the pack that has everything. All packs are scored together, through a
`Tree`: a prompt is the whole one up to what it leaves out, and only what comes after that is computed for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mmsrarec.models.packing.packed_prompt import Pack
from mmsrarec.models.packing.prefix_tree import Tree
from mmsrarec.recommend.prompt.explanation_units import Cut, Statement, of_asker, of_candidate
from mmsrarec.recommend.prompt.prompt_context import Evidence
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.ranking.scorer import score_packs

TOGETHER = 1536
"""Tokens of packs in one batch at most. After the whole prompts small batches compute nothing twice, and on a CPU large
ones take longer, for the memory that they ask for."""


@dataclass(frozen=True)
class Reason:
    """Something the model was shown. weight: how far the log-odds of yes fall without it; negative: it spoke against.

    kind: as of a `Statement`. item_id: of a history or similar item. parts: where asked for, the keywords of a reason
    that is made of several, each left out alone; their weights need not add up to that of all.
    """

    kind: str
    text: str
    weight: float
    item_id: str | None = None
    parts: "tuple[Reason, ...]" = ()


def explain(prompts: Prompts, evidence: Evidence) -> tuple[float, list[Reason]]:
    """The score of the one candidate in `evidence`, and its reasons, keywords also one by one."""
    (found,) = explain_all(prompts, evidence, each_keyword=True)
    return found


def explain_all(
    prompts: Prompts,
    evidence: Evidence,
    batch_tokens: int = 8192,
    each_keyword: bool = False,
) -> list[tuple[float, list[Reason]]]:
    """The score of each candidate in `evidence`, and its reasons by weight, heaviest first.

    What similar people took is named only where at least `min_people` distinct ones stand behind it. each_keyword:
    keywords are measured one by one as well, as parts of the reason that holds them all. The score is what the weights
    are differences from. It is computed as these are, through a tree, and is no rank's: see `score_evidence`.
    """
    asker, own = statements_of(prompts, evidence, each_keyword)
    packs = explaining_packs(prompts, evidence, asker, own)
    tree = Tree() if prompts.mllm.packs else None
    if tree is not None:
        score_packs(prompts, [prompts.render(evidence)], batch_tokens, tree=tree)
    scored = score_packs(prompts, packs, min(batch_tokens, TOGETHER), tree=tree)
    logits = [np.array([log_odds(float(p)) for p in scores]) for scores in scored]
    n = len(evidence.candidates)
    whole, rest = logits[0][:n], np.split(logits[0][n:], np.cumsum([len(mine) for mine in own])[:-1])
    found = []
    for place, (mine, values) in enumerate(zip(own, rest, strict=True)):
        without = [part[place] for part in logits[1:]] + values.tolist()
        drops = {
            statement: round(float(whole[place] - value), 4)
            for statement, value in zip([*asker, *mine], without, strict=True)
        }
        reasons = [_reason(prompts, statement, drops) for statement in drops if not statement.part]
        found.append((float(1 / (1 + np.exp(-whole[place]))), sorted(reasons, key=lambda reason: -reason.weight)))
    return found


def statements_of(
    prompts: Prompts, evidence: Evidence, each_keyword: bool = False
) -> tuple[list[Statement], list[list[Statement]]]:
    """What the prompt says of who is asking, and of each candidate."""

    def spread(statements: Sequence[Statement]) -> list[Statement]:
        return [one for whole in statements for one in (whole, *(whole.each() if each_keyword else ()))]

    places = range(len(evidence.candidates))
    own = [spread(list(of_candidate(prompts, evidence, place))) for place in places]
    return spread(list(of_asker(prompts, evidence))), own


def explaining_packs(
    prompts: Prompts, evidence: Evidence, asker: Sequence[Statement], own: Sequence[Sequence[Statement]]
) -> list[Pack]:
    """A pack with everything: the candidates, then each once more for each statement of its own; and a pack for each
    statement of the asker."""
    nothing = Cut()
    whole = [nothing.candidate(prompts, evidence, place) for place in range(len(own))]
    less = [one.cut.candidate(prompts, evidence, place) for place, mine in enumerate(own) for one in mine]
    first = Pack(nothing.shared(prompts, evidence), [*whole, *less])
    return [first, *(Pack(one.cut.shared(prompts, evidence), whole) for one in asker)]


def _reason(prompts: Prompts, statement: Statement, drops: Mapping[Statement, float]) -> Reason:
    item_id = None if statement.item is None else prompts.dataset.items[statement.item].item_id
    parts = [Reason(part.kind, part.text, drops[part]) for part in statement.each() if part in drops]
    parts.sort(key=lambda part: -part.weight)
    return Reason(statement.kind, statement.text, drops[statement], item_id, tuple(parts))


def log_odds(p: float) -> float:
    p = min(max(p, 1e-9), 1 - 1e-9)
    return float(np.log(p) - np.log1p(-p))
