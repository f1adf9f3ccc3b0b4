"""What stage 3 is trained on: packs to choose from, and examples of the tasks mixed in, in the order of the steps."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mmsrarec.data.dataset import IntArray
from mmsrarec.models.packing.packed_prompt import PackedPrompt
from mmsrarec.recommend.prompt.preferences import draw_preferences
from mmsrarec.recommend.prompt.prompt_context import Retrieval
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.settings import RecommendSettings
from mmsrarec.recommend.training.training_samples import draw_hard_negatives, sample_training
from mmsrarec.recommend.training.training_tasks import alike_in_cost, draw_examples, mix

CHOOSE = "choose"
SORTED_BATCHES = 16
"""Packs are sorted by length within this many batches, so that little of a batch is padding."""


@dataclass(frozen=True, eq=False)
class TrainingPlan:
    """examples: task -> packs; those of CHOOSE have the positive at `place`, (packs,).

    steps: the task of each step, and the rows of its examples.
    """

    examples: Mapping[str, Sequence[PackedPrompt]]
    place: IntArray
    steps: Sequence[tuple[str, IntArray]]

    @property
    def tokens(self) -> int:
        """Tokens of all steps."""
        return sum(len(self.examples[task][row]) for task, rows in self.steps for row in rows)


def draw_training_plan(prompts: Prompts, retrieval: Retrieval, settings: RecommendSettings, seed: int) -> TrainingPlan:
    """Whatever else is trained along, the same seed draws the same packs."""
    rng, other = np.random.default_rng(seed), np.random.default_rng([seed, 0])
    queries, candidates, place = sample_training(
        retrieval.train,
        settings.n_examples,
        settings.negatives,
        rng,
        settings.recency_power,
        settings.new_negatives == "matched",
    )
    if hard := round(settings.hard_negatives * settings.negatives):
        ranked = retrieval.neighbours.encoder.scores
        candidates = draw_hard_negatives(retrieval.train, queries, candidates, place, ranked, hard, rng)
    as_cold = np.random.default_rng([seed, 1]).random(candidates.shape) < settings.cold_item_rate
    gathered = retrieval.gather(queries, candidates, settings)
    context = [one.as_cold(set(np.flatnonzero(row).tolist())) for one, row in zip(gathered, as_cold, strict=True)]
    preferences = draw_preferences(
        candidates, place, prompts.shown_keywords, settings.preference_rate, seed, prompts.keywords.lexicon
    )
    packs = [
        prompts.render(replace(one, preferences=preference))
        for one, preference in zip(context, preferences, strict=True)
    ]
    examples, plans = {CHOOSE: packs}, {CHOOSE: passes(packs, settings.batch_size, settings.epochs, rng)}
    for task, found in draw_examples(prompts, retrieval, seed).items():
        batch = alike_in_cost(found, packs, settings.batch_size)
        examples[task], plans[task] = found, passes(found, batch, settings.epochs, other)
    return TrainingPlan(examples, place, mix(plans, other))


def plan(packs: Sequence[PackedPrompt], batch: int, rng: np.random.Generator) -> Iterator[IntArray]:
    """The order of training: batches of packs of like length, in random order."""
    order, batches = rng.permutation(len(packs)), []
    for start in range(0, len(order), batch * SORTED_BATCHES):
        window = sorted(order[start : start + batch * SORTED_BATCHES], key=lambda r: len(packs[r]))
        batches += [np.array(window[i : i + batch]) for i in range(0, len(window), batch)]
    for i in rng.permutation(len(batches)):
        yield batches[i]


def passes(packs: Sequence[PackedPrompt], batch: int, epochs: int, rng: np.random.Generator) -> list[IntArray]:
    """The batches of several passes over the examples, each in an order of its own."""
    return [rows for _ in range(epochs) for rows in plan(packs, batch, rng)]
