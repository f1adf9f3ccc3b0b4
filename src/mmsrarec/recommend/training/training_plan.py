"""The training plan of stage 3: the packs and the examples of the mixed-in tasks, in the order of the steps."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmsrarec.core.progress import Count
from mmsrarec.data.dataset import IntArray
from mmsrarec.models.packing.pack_table import PackTable
from mmsrarec.recommend.prompt.prompt_context import Retrieval
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.settings import RecommendSettings
from mmsrarec.recommend.training.pack_drawing import PackDrawing
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
        log_rates: (packs, c) what the loss takes from the logits of candidates (`draw_hard_negatives`); None: nothing.
    """

    examples: Mapping[str, PackTable]
    place: IntArray
    steps: Sequence[tuple[str, IntArray]]
    log_rates: NDArray[np.float32] | None = None

    @property
    def tokens(self) -> int:
        """Number of tokens of all steps."""
        return sum(int(self.examples[task].lengths[rows].sum()) for task, rows in self.steps)


def draw_training_plan(
    prompts: Prompts,
    retrieval: Retrieval,
    settings: RecommendSettings,
    seed: int,
    excluded_users: NDArray[np.bool_] | None = None,
    folder: Path | None = None,
    workers: int = 1,
    progress: Count = lambda done, total, label: None,
) -> TrainingPlan:
    """Draw the examples and their order. A seed draws the same packs whatever other tasks are trained.

    Args:
        prompts: Renders the prompts.
        retrieval: Gathers the prompt contexts; holds the training log.
        settings: Settings of stage 3.
        seed: Seed of all draws.
        excluded_users: (n_users,) mask of users whose queries are not trained on; None excludes nobody.
        folder: Keeps the packs of `CHOOSE` in shards, so that drawing can be stopped and resumed; None keeps none.
        workers: Processes that draw side by side.
        progress: Counts the drawn packs.

    Returns:
        The training plan.
    """
    rng, task_rng = np.random.default_rng(seed), np.random.default_rng([seed, 0])
    drawing = PackDrawing.draw(prompts, retrieval, settings, seed, rng, excluded_users)
    packs = drawing.table(folder, workers, progress)
    examples, plans = {CHOOSE: packs}, {CHOOSE: epoch_batches(packs.lengths, settings.batch_size, settings.epochs, rng)}
    for task, task_examples in draw_examples(prompts, retrieval, seed, excluded_users).items():
        batch = equal_cost_batch_size(task_examples, packs, settings.batch_size)
        examples[task] = PackTable.of(task_examples)
        plans[task] = epoch_batches(examples[task].lengths, batch, settings.epochs, task_rng)
    return TrainingPlan(examples, drawing.place, mix_tasks(plans, task_rng), drawing.log_rates)


def shuffled_batches(lengths: IntArray, batch: int, rng: np.random.Generator) -> Iterator[IntArray]:
    """The batches of one pass: packs of similar length together, the batches in random order.

    Args:
        lengths: (n,) tokens of the packs.
        batch: Packs of a batch.
        rng: The random numbers.

    Yields:
        (b,) rows of the packs of a batch.
    """
    order: IntArray = rng.permutation(len(lengths))
    batches: list[IntArray] = []
    for start in range(0, len(order), batch * SORTED_BATCHES):
        window = sorted(order[start : start + batch * SORTED_BATCHES], key=lambda row: int(lengths[row]))
        batches += [np.array(window[i : i + batch]) for i in range(0, len(window), batch)]
    for i in rng.permutation(len(batches)):
        yield batches[i]


def epoch_batches(lengths: IntArray, batch: int, epochs: int, rng: np.random.Generator) -> list[IntArray]:
    """The batches of several passes, each in its own order.

    Args:
        lengths: (n,) tokens of the packs.
        batch: Packs of a batch.
        epochs: Number of passes.
        rng: The random numbers.

    Returns:
        The rows of each batch.
    """
    return [rows for _ in range(epochs) for rows in shuffled_batches(lengths, batch, rng)]
