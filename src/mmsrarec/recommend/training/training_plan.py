"""What stage 3 is trained on: packs to choose from, and examples of the tasks mixed in, in the order of the steps."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mmsrarec.data.dataset import IntArray
from mmsrarec.models.packing.packed_prompt import Pack
from mmsrarec.recommend.prompt.preferences import draw_wishes
from mmsrarec.recommend.prompt.prompt_context import Retrieval, harden, sample_training
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.settings import RecommendSettings
from mmsrarec.recommend.training.training_tasks import alike_in_cost, draw_examples, mix

CHOOSE = "choose"
SORTED_BATCHES = 16
"""Packs are sorted by length within this many batches, so that little of a batch is padding."""


@dataclass(frozen=True, eq=False)
class Lessons:
    """examples: task -> packs; those of CHOOSE have the positive at `place`, (packs,).

    steps: the task of each step, and the rows of its examples.
    """

    examples: Mapping[str, Sequence[Pack]]
    place: IntArray
    steps: Sequence[tuple[str, IntArray]]

    @property
    def tokens(self) -> int:
        """Tokens of all steps."""
        return sum(len(self.examples[task][row]) for task, rows in self.steps for row in rows)


def draw_lessons(prompts: Prompts, retrieval: Retrieval, settings: RecommendSettings, seed: int) -> Lessons:
    """Whatever else is trained along, the same seed draws the same packs."""
    rng, other = np.random.default_rng(seed), np.random.default_rng([seed, 0])
    moments, candidates, place = sample_training(
        retrieval.train, settings.packs, settings.negatives, rng, settings.late, settings.new_negatives == "matched"
    )
    if hard := round(settings.hard_negatives * settings.negatives):
        ranked = retrieval.neighbours.encoder.scores
        candidates = harden(retrieval.train, moments, candidates, place, ranked, hard, rng)
    as_new = np.random.default_rng([seed, 1]).random(candidates.shape) < settings.as_new
    gathered = retrieval.gather(moments, candidates, settings)
    evidence = [one.as_new(set(np.flatnonzero(row).tolist())) for one, row in zip(gathered, as_new, strict=True)]
    wishes = draw_wishes(candidates, place, prompts.shown_keywords, settings.wishes, seed, prompts.keywords.lexicon)
    packs = [prompts.render(replace(one, wishes=wish)) for one, wish in zip(evidence, wishes, strict=True)]
    examples, plans = {CHOOSE: packs}, {CHOOSE: passes(packs, settings.batch, settings.epochs, rng)}
    for task, found in draw_examples(prompts, retrieval, seed).items():
        batch = alike_in_cost(found, packs, settings.batch)
        examples[task], plans[task] = found, passes(found, batch, settings.epochs, other)
    return Lessons(examples, place, mix(plans, other))


def plan(packs: Sequence[Pack], batch: int, rng: np.random.Generator) -> Iterator[IntArray]:
    """The order of training: batches of packs of like length, in random order."""
    order, batches = rng.permutation(len(packs)), []
    for start in range(0, len(order), batch * SORTED_BATCHES):
        window = sorted(order[start : start + batch * SORTED_BATCHES], key=lambda r: len(packs[r]))
        batches += [np.array(window[i : i + batch]) for i in range(0, len(window), batch)]
    for i in rng.permutation(len(batches)):
        yield batches[i]


def passes(packs: Sequence[Pack], batch: int, epochs: int, rng: np.random.Generator) -> list[IntArray]:
    """The batches of several passes over the examples, each in an order of its own."""
    return [rows for _ in range(epochs) for rows in plan(packs, batch, rng)]
