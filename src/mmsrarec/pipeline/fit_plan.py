"""Chooses a recipe for a data set and a time, from what its parts were measured to cost: a function of numbers alone.

The time is spent in this order: sequence models, reading the items, learning how to fuse, and training the ranker with
all that is left. What is chosen and why is told in sentences.
"""

import importlib.util
from dataclasses import dataclass
from typing import Any

from mmsrarec.pipeline.fit_costs import Costs, Facts

MAX_EASE_ITEMS = 30_000
"""EASE inverts a matrix of items by items."""
MAX_EASE_ITEMS_QUICK, QUICK_SECONDS = 10_000, 3600
"""Under an hour it is left out earlier: its time grows with the cube of the items."""
SHARE_SEQUENCE, SHARE_READING, SHARE_FUSION = 0.2, 0.4, 0.1
"""Of the time, at most."""
MAX_PASSES, MIN_PASSES, USUAL_PASSES = 100, 3, 0.5
"""Passes of a sequence model; training stops early, after about half of what is allowed."""
RANKING_LAYERS = 6
"""The lowest layers rank as well as all 30 of the embedded model (docs/results)."""
CONTEXT_TOKENS, CANDIDATE_TOKENS = 210, 20
"""Tokens of a ranking prompt: what all candidates share, and each of them (docs/results)."""
SLACK = 2.0
"""Ranking a user over the forward pass of the tokens: gathering and rendering, and batches of unequal length."""
CHOICE_SECONDS = 15
"""Of choosing who proposes, by full rankings."""
TRAIN_FACTOR = 2.5
"""A training example over ranking as many items, until it is measured: backward, and the writing tasks."""
EXAMPLES = "the ranker trains on"
MIN_EXAMPLES, MAX_EXAMPLES = 40, 1600
NEGATIVES, FEW_NEGATIVES, FEW_EXAMPLES = 7, 4, 400
FUSION_USERS, MIN_FUSION_USERS = 300, 20
LOADS = 3
"""Times that the language model is loaded in a run."""


@dataclass(frozen=True)
class Plan:
    """What was chosen.

    Attributes:
        settings: Tables of a recipe, without its name, data and seed.
        reasons: A sentence for each choice.
        predicted: Seconds of each part.
    """

    settings: dict[str, Any]
    reasons: tuple[str, ...]
    predicted: dict[str, float]


def choose(facts: Facts, costs: Costs, seconds: float) -> Plan:
    """The recipe for a data set and a time.

    Args:
        facts: What the data hold.
        costs: What was measured here.
        seconds: How long all of it may take, loading included.
    """
    reasons: list[str] = []
    predicted = {"loading": LOADS * costs.load}
    seconds_left = max(seconds - predicted["loading"], 0.2 * seconds)
    rows = rankers_for(facts, seconds, reasons)
    reads, summarize, prompt_fields = _reading(facts, costs, SHARE_READING * seconds_left, predicted, reasons)
    if facts.texts or facts.pictures:
        rows.insert(-1, "content-sasrec")
        reasons.append("content-sasrec ranks too: it knows new items by their text or picture")
    layers = min(RANKING_LAYERS, costs.layers)
    states = facts.items * 2 * CANDIDATE_TOKENS * layers * costs.token_layer
    predicted["item states"] = states if "content-sasrec" in rows else 0.0
    models = 2 if "content-sasrec" in rows else 1
    passes = int(SHARE_SEQUENCE * seconds_left / max(costs.sequence_pass * models * USUAL_PASSES, 1e-9))
    epochs = min(max(passes, MIN_PASSES), MAX_PASSES)
    predicted["sequence models"] = epochs * USUAL_PASSES * models * costs.sequence_pass
    reasons.append(f"{epochs} passes of {models} sequence models at most, {costs.sequence_pass:.2g} s each")
    propose = min(15 if facts.items <= 500 else 30, max(facts.items // 2, 1))
    of_user = prompt_seconds(costs, layers, propose)
    users = min(FUSION_USERS, facts.validated, max(int(SHARE_FUSION * seconds_left / of_user), MIN_FUSION_USERS))
    predicted["fusion"] = CHOICE_SECONDS + users * of_user
    reasons.append(f"{propose} items are proposed to the language model; how to fuse is learned on {users} users")
    small = facts.interactions < 50_000
    prompt_fields |= {"follows": True, "recency": facts.has_clock, "trend": facts.has_clock}
    recommend: dict[str, Any] = {"layers": layers, "first_layer": 0, "batch_size": 4, "learning_rate": 7e-4}
    recommend |= {"item_keywords": 4}
    recommend |= {"history": 8, "similar_items": 4, "prompt_fields": prompt_fields}
    if layers < costs.layers:
        reasons.append(f"{layers} of {costs.layers} layers rank: a fraction of the time, and as good on our data")
    if not reads:
        recommend["tasks"] = dict.fromkeys(("foresee", "recognise", "profile"), 0.0)
    predicted["ranker"] = 0.0
    plan = Plan(
        {
            "summarize": summarize,
            "retrieve": {"epochs": epochs, "patience": 10 if small else 5, "batch_size": 128 if small else 512}
            | ({"dropout": 0.4} if small else {}),
            "recommend": recommend,
            "evaluate": {
                "rows": rows,
                "splits": ["leave-one-out"],
                "n_candidates": propose,
                "fusion_users": users,
                "shown_users": 5,
            },
        },
        tuple(reasons),
        predicted,
    )
    of_example = TRAIN_FACTOR * prompt_seconds(costs, layers, 1 + NEGATIVES)
    return with_examples(plan, of_example, seconds - sum(predicted.values()))


def with_examples(plan: Plan, of_example: float, seconds: float) -> Plan:
    """The plan with as many training examples of the ranker as the time allows.

    Args:
        plan: What was chosen otherwise.
        of_example: Seconds of a training example with `NEGATIVES` negatives.
        seconds: What is left for training the ranker.
    """
    negatives, cost = NEGATIVES, max(of_example, 1e-9)
    if seconds / cost < FEW_EXAMPLES:  # fewer items an example, and more examples
        negatives = FEW_NEGATIVES
        cost *= _tokens(1 + FEW_NEGATIVES) / _tokens(1 + NEGATIVES)
    affordable = int(max(seconds, 0) / cost)
    examples = min(max(affordable, MIN_EXAMPLES), MAX_EXAMPLES)
    ranker_seconds = examples * cost
    why = f"{ranker_seconds:.0f} s"
    if affordable < MIN_EXAMPLES:
        why = f"the least that teaches anything, though it takes longer than asked for ({ranker_seconds:.0f} s)"
    elif affordable >= MAX_EXAMPLES:
        why = f"more were not seen to help ({ranker_seconds:.0f} s)"
    reason = f"{EXAMPLES} {examples} examples of 1 + {negatives} items: {why}"
    recommend = plan.settings["recommend"] | {"n_examples": examples, "negatives": negatives}
    other_reasons = tuple(sentence for sentence in plan.reasons if not sentence.startswith(EXAMPLES))
    return Plan(
        plan.settings | {"recommend": recommend}, (*other_reasons, reason), plan.predicted | {"ranker": ranker_seconds}
    )


def _tokens(candidates: int) -> int:
    """Tokens of a ranking prompt."""
    return CONTEXT_TOKENS + CANDIDATE_TOKENS * candidates


def prompt_seconds(costs: Costs, layers: int, candidates: int) -> float:
    """Seconds that ranking so many candidates takes by the language model, in one prompt."""
    return SLACK * _tokens(candidates) * layers * costs.token_layer


def rankers_for(facts: Facts, seconds: float, reasons: list[str]) -> list[str]:
    """Rows that propose or are compared, the language model's last."""
    rows = ["popularity", "sequential-rules"]
    packages = all(importlib.util.find_spec(name) for name in ("scipy", "implicit"))
    if not packages:
        reasons.append("als and ease are left out: they need pip install 'mmsrarec[baselines]'")
        return [*rows, "sasrec", "mmsrarec"]
    most = MAX_EASE_ITEMS if seconds >= QUICK_SECONDS else MAX_EASE_ITEMS_QUICK
    rows.append("als")
    if facts.items <= most:
        rows.append("ease")
    else:
        reasons.append(
            f"ease is left out: {facts.items:,} items are more than {most:,}, and it inverts a matrix of them"
        )
    return [*rows, "sasrec", "mmsrarec"]


def _reading(
    facts: Facts, costs: Costs, seconds: float, predicted: dict[str, float], reasons: list[str]
) -> tuple[bool, dict[str, Any], dict[str, bool]]:
    """Whether items are read at all; [summarize]; and what a prompt shows of items."""
    vision = facts.pictures * costs.picture
    sees = facts.pictures > 0 and vision <= seconds / 2
    predicted["pictures"] = vision if sees else 0.0
    seconds_left = seconds - predicted["pictures"]
    texts, images = facts.texts * costs.text_answer, facts.pictures * costs.image_answer if sees else 0.0
    reads_texts = facts.texts > 0 and texts <= seconds_left
    reads_images = sees and images > 0 and images <= seconds_left - (texts if reads_texts else 0.0)
    predicted["keywords"] = texts * reads_texts + images * reads_images
    if facts.pictures and not sees:
        reasons.append(f"pictures are left out: encoding {facts.pictures} would take {vision:.0f} s")
    elif sees and not reads_images:
        reasons.append(f"pictures are shown, and no keywords of them written: that would take {images:.0f} s")
    if reads_texts:
        reasons.append(f"the language model writes keywords of {facts.texts} texts: {texts:.0f} s")
    elif facts.texts:
        reasons.append(f"the first words of texts stand for keywords: writing these would take {texts:.0f} s")
    if reads_images:
        reasons.append(f"the language model writes keywords of {facts.pictures} pictures: {images:.0f} s")
    prompt_fields = {"pictures": sees, "descriptions": bool(facts.texts) and not reads_texts}
    prompt_fields |= {"text_keywords": reads_texts, "image_keywords": reads_images}
    return reads_texts or reads_images, {"texts": reads_texts, "pictures": reads_images}, prompt_fields
