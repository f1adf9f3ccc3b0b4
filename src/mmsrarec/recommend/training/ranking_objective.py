"""The loss of a training step: packs laid out ahead, computed in parts that fit in memory, their gradients added up."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NotRequired, TypedDict

import numpy as np
import torch
from torch import Tensor

from mmsrarec.data.dataset import IntArray
from mmsrarec.models import processes
from mmsrarec.models.packing.forward import PreparedBatch, batch_of_rows
from mmsrarec.models.packing.packed_batch import Batch
from mmsrarec.models.untyped import backward, to_list
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.ranking.scorer import prepare_candidates, read_candidates
from mmsrarec.recommend.settings import RecommendSettings
from mmsrarec.recommend.training.prefetching import ahead
from mmsrarec.recommend.training.ranking_loss import choose_loss, distil_loss
from mmsrarec.recommend.training.training_plan import CHOOSE, TrainingPlan
from mmsrarec.recommend.training.training_tasks import answer_loss, answer_token_share, prepare_answers


class StepFigures(TypedDict):
    """The figures of one step.

    Attributes:
        task: Name of the task.
        loss: Loss of the batch, over all processes.
        first: Share of the packs whose positive ranks first; only for the task of choosing.
    """

    task: str
    loss: float
    first: NotRequired[float]


@dataclass(frozen=True, eq=False)
class Microbatch:
    """Packs that are computed at once.

    Attributes:
        task: Name of the task.
        rows: Rows of the task's examples.
        prepared: The packs, laid out, on their way to the model's device with their labels.
        weight: The weight of their mean loss in that of the step.
    """

    task: str
    rows: IntArray
    prepared: PreparedBatch
    weight: float


@dataclass(frozen=True, eq=False)
class RankingObjective:
    """The loss of a training step.

    Attributes:
        prompts: Renders the prompts; holds the model in training.
        settings: Settings of stage 3.
        training_plan: The examples.
        teacher_logits: (packs, c) yes-minus-no logits of a teacher; None without one.
        step_tokens: Tokens computed at once, padding included.
    """

    prompts: Prompts
    settings: RecommendSettings
    training_plan: TrainingPlan
    teacher_logits: Tensor | None
    step_tokens: int = 16_384

    def batches(self, steps: Sequence[tuple[str, IntArray]]) -> Iterator[list[Microbatch]]:
        """Lay out this process's packs of each step, ahead of the step that is computed.

        Args:
            steps: For each step its task and the rows of its examples, the same in all processes.

        Yields:
            The microbatches of a step.
        """
        return ahead(self.microbatches(task, rows) for task, rows in steps)

    def microbatches(self, task: str, batch_rows: IntArray) -> list[Microbatch]:
        """Lay out this process's packs of one step.

        Args:
            task: Name of the task.
            batch_rows: (b,) rows of the task's examples, the same in all processes.

        Returns:
            The microbatches, each of at most `step_tokens` tokens or of one pack.
        """
        table, mllm = self.training_plan.examples[task], self.prompts.mllm
        rows, share = processes.batch_share(batch_rows)
        batches: list[Microbatch] = []
        size = max(1, self.step_tokens // int(table.lengths[rows].max()))
        for part in np.split(rows, range(size, len(rows), size)):
            whole = share * len(part) / len(rows)
            weight = whole if task == CHOOSE or not share else answer_token_share(table, part, batch_rows)
            batches.append(Microbatch(task, part, self._prepare(task, part, batch_of_rows(mllm, table, part)), weight))
        return batches

    def _prepare(self, task: str, rows: IntArray, batch: Batch) -> PreparedBatch:
        """A batch with the labels of its task."""
        if task != CHOOSE:
            return prepare_answers(self.prompts, batch)
        labels = [torch.as_tensor(self.training_plan.place[rows])]
        labels += [] if self.teacher_logits is None else [self.teacher_logits[torch.as_tensor(rows)]]
        return prepare_candidates(self.prompts, batch, labels)

    def add_gradients(self, batches: Sequence[Microbatch]) -> StepFigures:
        """Compute the loss of a step and add its gradients to the weights.

        Args:
            batches: This process's microbatches of the step.

        Returns:
            The figures of the whole step, over all processes.
        """
        sums = torch.zeros(2, device=self.prompts.mllm.device)
        for each in batches:
            loss, first_share = self.loss(each)
            backward(each.weight * loss)
            sums += each.weight * torch.stack([loss.detach(), first_share])
        processes.sum_tensors([sums])
        task = batches[0].task
        loss_sum, first_sum = to_list(sums)
        figures: StepFigures = {"task": task, "loss": loss_sum}
        if task == CHOOSE:
            figures["first"] = first_sum
        return figures

    def loss(self, batch: Microbatch) -> tuple[Tensor, Tensor]:
        """The mean loss of a microbatch, and the share of its packs whose positive ranks first; 0 for other tasks."""
        if batch.task != CHOOSE:
            loss = answer_loss(self.prompts, batch.prepared)
            return loss, torch.zeros_like(loss)
        values, (place, *teacher_logits) = read_candidates(self.prompts, batch.prepared)
        logits = values.view(len(batch.rows), -1)
        loss = choose_loss(logits, place, self.settings.loss)
        if teacher_logits:
            loss = loss + distil_loss(logits, teacher_logits[0])
        return loss, (logits.argmax(1) == place).float().mean()
