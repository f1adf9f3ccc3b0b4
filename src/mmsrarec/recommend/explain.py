"""Why an item is recommended: each reason is left out, the item is scored again, and the drop is what it carried."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from mmsrarec.models.packing import Pack
from mmsrarec.recommend.evidence import Evidence
from mmsrarec.recommend.prompts import FACTS, Fact, Prompts
from mmsrarec.recommend.score import score_packs

SAID: Mapping[Fact, str] = {
    "popularity": "taken before by {}",
    "alike": "taken next by {}",
    "follows": "it {} what they had last",
    "recency": "{}",
    "trend": "it is {}",
}


@dataclass(frozen=True)
class Reason:
    """Something the model was shown. weight: how far the log-odds of yes fall without it; negative: it spoke against.

    kind: "history", "similar", "similar_keywords", "keywords", "picture", or a fact of the candidate, as in
    `recommend.prompts`. item_id: of a history or similar item.
    """

    kind: str
    text: str
    weight: float
    item_id: str | None = None


def explain(prompts: Prompts, evidence: Evidence) -> tuple[float, list[Reason]]:
    """The score of the one candidate in `evidence`, and the reasons by weight, heaviest first.

    What similar people took is named only where at least `min_people` distinct ones stand behind it.
    """
    (code,) = evidence.candidates
    least = prompts.settings.min_people
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
        for place, (item, people) in enumerate(zip(evidence.similar, evidence.similar_people, strict=False)):
            if people >= least:  # what nobody counted is not named
                rest = evidence.similar[:place] + evidence.similar[place + 1 :]
                text = f"similar people took {prompts.dataset.items[item].title} next"
                leave_out("similar", text, prompts.render(replace(evidence, similar=rest)), item)
    if words := prompts.similar_keywords(evidence, least):
        text = f"similar people went on to {', '.join(words)}"
        leave_out("similar_keywords", text, prompts.render(evidence, hide="similar_keywords"))
    if words := prompts.shown_keywords(code):
        leave_out("keywords", f"it is {', '.join(words)}", prompts.render(evidence, hide="keywords"))
    if prompts.shows.pictures and code in prompts.features:
        leave_out("picture", "its picture", prompts.render(evidence, hide="picture"))
    behind = {"alike": evidence.alike_people, "follows": evidence.follows_people}
    for name, text in SAID.items():
        if getattr(prompts.shows, name):
            level = getattr(evidence, name)[0]
            single = name in behind and level > 0 and min(behind[name], default=0) < least
            if not single:
                leave_out(name, text.format(FACTS[name][level]), prompts.render(evidence, hide=name))

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
