"""The training plan of stage 3: the packs and the examples of the mixed-in tasks, in the order of the steps."""

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
from mmsrarec.recommend.training.training_tasks import draw_examples, equal_cost_batch_size, mix_tasks

CHOOSE = "choose"
"""Name of the task of choosing among the candidates of a pack."""
SORTED_BATCHES = 16
"""Number of batches within which packs are sorted by length, so that a batch needs little padding."""


@dataclass(frozen=True, eq=False)
class TrainingPlan:
    """The examples of all tasks and the order of training.

    Attributes:
        examples: Task to its packs.
        place: (packs,) columns of the positives in the packs of `CHOOSE`.
        steps: For each step its task and the rows of its examples.
    """

    examples: Mapping[str, Sequence[PackedPrompt]]
    place: IntArray
    steps: Sequence[tuple[str, IntArray]]

    @property
    def tokens(self) -> int:
        """Number of tokens of all steps."""
        return sum(len(self.examples[task][int(row)]) for task, rows in self.steps for row in rows)


def draw_training_plan(prompts: Prompts, retrieval: Retrieval, settings: RecommendSettings, seed: int) -> TrainingPlan:
    """Draw the examples and their order. A seed draws the same packs whatever other tasks are trained.

    Args:
        prompts: Renders the prompts.
        retrieval: Gathers the prompt contexts; holds the training log.
        settings: Settings of stage 3.
        seed: Seed of all draws.

    Returns:
        The training plan.
    """
    rng, task_rng = np.random.default_rng(seed), np.random.default_rng([seed, 0])
    queries, candidates, place = sample_training(
        retrieval.train,
        settings.n_examples,
        settings.negatives,
        rng,
        settings.recency_power,
        settings.new_negatives == "matched",
    )
    if n_hard := round(settings.hard_negatives * settings.negatives):
        scores = retrieval.neighbours.encoder.scores
        candidates = draw_hard_negatives(retrieval.train, queries, candidates, place, scores, n_hard, rng)
    cold_mask = np.random.default_rng([seed, 1]).random(candidates.shape) < settings.cold_item_rate
    context_list = retrieval.gather(queries, candidates, settings)
    cold_places = [set(np.flatnonzero(row).tolist()) for row in cold_mask]
    contexts = [context.as_cold(places) for context, places in zip(context_list, cold_places, strict=True)]
    preferences = draw_preferences(
        candidates, place, prompts.shown_keywords, settings.preference_rate, seed, prompts.keywords.lexicon
    )
    packs = [
        prompts.render(replace(context, preferences=preference))
        for context, preference in zip(contexts, preferences, strict=True)
    ]
    examples, plans = {CHOOSE: packs}, {CHOOSE: epoch_batches(packs, settings.batch_size, settings.epochs, rng)}
    for task, task_examples in draw_examples(prompts, retrieval, seed).items():
        batch = equal_cost_batch_size(task_examples, packs, settings.batch_size)
        examples[task], plans[task] = task_examples, epoch_batches(task_examples, batch, settings.epochs, task_rng)
    return TrainingPlan(examples, place, mix_tasks(plans, task_rng))


def shuffled_batches(packs: Sequence[PackedPrompt], batch: int, rng: np.random.Generator) -> Iterator[IntArray]:
    """The batches of one pass: packs of similar length together, the batches in random order.

    Args:
        packs: The packs to train on.
        batch: Packs of a batch.
        rng: The random numbers.

    Yields:
        (b,) rows of the packs of a batch.
    """
    order: IntArray = rng.permutation(len(packs))
    batches: list[IntArray] = []
    for start in range(0, len(order), batch * SORTED_BATCHES):
        window = sorted(order[start : start + batch * SORTED_BATCHES], key=lambda row: len(packs[int(row)]))
        batches += [np.array(window[i : i + batch]) for i in range(0, len(window), batch)]
    for i in rng.permutation(len(batches)):
        yield batches[i]


def epoch_batches(packs: Sequence[PackedPrompt], batch: int, epochs: int, rng: np.random.Generator) -> list[IntArray]:
    """The batches of several passes, each in its own order.

    Args:
        packs: The packs to train on.
        batch: Packs of a batch.
        epochs: Number of passes.
        rng: The random numbers.

    Returns:
        The rows of each batch.
    """
    return [rows for _ in range(epochs) for rows in shuffled_batches(packs, batch, rng)]
