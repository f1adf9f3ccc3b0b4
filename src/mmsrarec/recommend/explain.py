"""Why an item is recommended: each reason is left out, the item is scored again, and the drop is what it carried."""

from dataclasses import dataclass, replace

import numpy as np

from mmsrarec.models.packing import Pack
from mmsrarec.recommend.evidence import Evidence
from mmsrarec.recommend.prompts import Prompts
from mmsrarec.recommend.score import score_packs
from mmsrarec.retrieve.alike import ALIKE
from mmsrarec.retrieve.popularity import WORDS


@dataclass(frozen=True)
class Reason:
    """Something the model was shown. weight: how far the log-odds of yes fall without it; negative: it spoke against.

    kind: "history", "similar", "keywords", "picture", "alike" or "popularity". item_id: of a history or similar item.
    """

    kind: str
    text: str
    weight: float
    item_id: str | None = None


def explain(prompts: Prompts, evidence: Evidence) -> tuple[float, list[Reason]]:
    """The score of the one candidate in `evidence`, and the reasons by weight, heaviest first."""
    (code,) = evidence.candidates
    reasons: list[tuple[str, str, int | None]] = []
    packs: list[Pack] = [prompts.render(evidence)]

    def leave_out(kind: str, text: str, pack: Pack, item: int | None = None) -> None:
        reasons.append((kind, text, item))
        packs.append(pack)

    for place, item in enumerate(evidence.history):
        rest = evidence.history[:place] + evidence.history[place + 1 :]
        text = f"had {prompts.dataset.items[item].title}"
        leave_out("history", text, prompts.render(replace(evidence, history=rest)), item)
    if prompts.shows.similar:
        for place, item in enumerate(evidence.similar):
            rest = evidence.similar[:place] + evidence.similar[place + 1 :]
            text = f"similar people took {prompts.dataset.items[item].title} next"
            leave_out("similar", text, prompts.render(replace(evidence, similar=rest)), item)
    if words := prompts.shown_keywords(code):
        leave_out("keywords", f"it is {', '.join(words)}", prompts.render(evidence, hide="keywords"))
    if prompts.shows.pictures and code in prompts.features:
        leave_out("picture", "its picture", prompts.render(evidence, hide="picture"))
    if prompts.shows.alike:
        leave_out("alike", f"taken next by {ALIKE[evidence.alike[0]]}", prompts.render(evidence, hide="alike"))
    if prompts.shows.popularity:
        text = f"taken before by {WORDS[evidence.popularity[0]]}"
        leave_out("popularity", text, prompts.render(evidence, hide="popularity"))

    logits = [log_odds(float(scores[0])) for scores in score_packs(prompts, packs)]
    drops = [logits[0] - value for value in logits[1:]]
    items = prompts.dataset.items
    found = [
        Reason(kind, text, round(drop, 4), None if item is None else items[item].item_id)
        for (kind, text, item), drop in zip(reasons, drops, strict=True)
    ]
    return float(1 / (1 + np.exp(-logits[0]))), sorted(found, key=lambda reason: -reason.weight)


def log_odds(p: float) -> float:
    p = min(max(p, 1e-9), 1 - 1e-9)
    return float(np.log(p) - np.log1p(-p))
