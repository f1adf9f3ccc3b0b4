"""Fine-tuning of the language model: LoRA on packs of one positive and its negatives.

This is stage 3 of MMSRARec (arXiv 2512.20916). Tasks of writing keywords are mixed in [extension]; each step is of one
task.
"""

import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file  # pyright: ignore[reportUnknownVariableType]
from torch import Tensor

from mmsrarec.core.progress import Count
from mmsrarec.errors import MmsrarecError
from mmsrarec.models import processes
from mmsrarec.models.backbone.adapter import Trainer, adapter_hash, add_adapter, save_atomically
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.backbone.quick_layers import quickened
from mmsrarec.models.packing.pack_table import PackTable
from mmsrarec.recommend.prompt.prompt_context import Retrieval
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.ranking.scorer import score_packs
from mmsrarec.recommend.settings import RecommendSettings
from mmsrarec.recommend.soft.soft_token_map import SoftTokenMap, spread_of
from mmsrarec.recommend.training.early_stopping import EarlyStopping, ValidationSet
from mmsrarec.recommend.training.ranking_objective import RankingObjective, StepFigures
from mmsrarec.recommend.training.training_plan import CHOOSE, draw_training_plan

CHECKPOINT_SECONDS = 30.0
"""Seconds between two checkpoints, at least."""


class CurvePoint(StepFigures):
    """A line of the training curve: the figures of a step and its number, from 0."""

    step: int


def tune(
    prompts: Prompts,
    retrieval: Retrieval,
    settings: RecommendSettings,
    seed: int,
    folder: Path,
    work_folder: Path,
    progress: Count = lambda done, total, label: None,
    teacher: Callable[[], Prompts] | None = None,
    excluded_users: NDArray[np.bool_] | None = None,
    workers: int = 1,
    step_tokens: int = 16_384,
    validation: ValidationSet | None = None,
) -> dict[str, Any]:
    """Train an adapter and save it.

    Several processes (`models.processes`) share each batch; only the first writes. A restarted training reaches the
    same weights as an uninterrupted one, bit-equal on a CPU in float32.

    Args:
        prompts: Renders the prompts; holds the model, which gets the adapter.
        retrieval: Gathers the prompt contexts.
        settings: Settings of stage 3.
        seed: Seed of the examples, their order and the adapter's first weights.
        folder: Where the adapter and its model card are written.
        work_folder: Keeps what a restart needs.
        progress: Counts the steps.
        teacher: Loads the prompts with the tuned model whose scores of the same packs are distilled; None: there is
            none.
        excluded_users: (n_users,) mask of users whose queries are not trained on; None excludes nobody.
        workers: Processes that draw prompts side by side.
        step_tokens: Tokens computed at once, padding included; a larger batch adds up gradients.
        validation: Decides which weights are kept, where the settings ask for validations.

    Returns:
        What the manifest records: steps, trainable weights, tokens, figures of each task and the curve. Empty in all
        processes but the first.

    Raises:
        MmsrarecError: The loss is not finite, or training changed no weight.
    """
    with processes.first_alone():
        training_plan = draw_training_plan(
            prompts, retrieval, settings, seed, excluded_users, work_folder / "packs", workers, progress
        )
        work_folder.mkdir(parents=True, exist_ok=True)
        packs, logits_file = training_plan.examples[CHOOSE], work_folder / "taught.safetensors"
        teacher_logits = load_teacher_logits(teacher, packs, logits_file, progress) if teacher else None
    peft = add_adapter(prompts.mllm, settings.rank, settings.first_layer, seed)
    soft = new_soft_tokens(prompts.mllm, retrieval, settings, seed)
    if settings.soft.alone:
        peft.requires_grad_(False)
    learning = soft if soft is not None and settings.soft.alone else peft
    trainer = Trainer(peft, settings.learning_rate, len(training_plan.steps), soft, settings.soft.learning_rate)
    objective = RankingObjective(prompts, settings, training_plan, teacher_logits, step_tokens)
    untrained_hash = adapter_hash(learning)
    checkpoint_file, curve_file = work_folder / "trainer.safetensors", work_folder / "curve.jsonl"
    if curve_file.exists() and processes.is_first():  # a kill may have cut the last line short; its step is done again
        text = curve_file.read_text()
        curve_file.write_text(text[: text.rfind("\n") + 1])
    if checkpoint_file.exists():
        trainer.resume(checkpoint_file)
    saved_at = time.monotonic()
    first_step, n_steps = trainer.done, len(training_plan.steps)
    stopping = None
    if validation is not None and settings.validations:
        stopping = EarlyStopping(work_folder, n_steps, settings.validations, settings.patience)
    with quickened(peft):
        for step, batches in enumerate(objective.batches(training_plan.steps[first_step:]), start=first_step):
            if stopping is not None and stopping.is_over:
                break
            step_figures = objective.add_gradients(batches)
            if not math.isfinite(step_figures["loss"]):
                raise MmsrarecError(f"the loss is {step_figures['loss']} at step {step}: lower recommend.learning_rate")
            trainer.step(None, all_reduce=True)
            if stopping is not None and validation is not None and stopping.is_due(step + 1):
                stopping.record(step + 1, validation.ndcg(prompts), trainer, processes.is_first())
            if not processes.is_first():
                continue
            with curve_file.open("a") as file:
                file.write(json.dumps({"step": step, **step_figures}) + "\n")
            if time.monotonic() - saved_at > CHECKPOINT_SECONDS:
                trainer.save(checkpoint_file)
                saved_at = time.monotonic()
            progress(step + 1, n_steps, "tuning")
    if stopping is not None:
        stopping.restore(trainer)
    if adapter_hash(learning) == untrained_hash:
        raise MmsrarecError("training changed no weight: raise recommend.learning_rate or recommend.n_examples")
    if not processes.is_first():
        return {}
    trainer.save(checkpoint_file)
    peft.requires_grad_(False)
    count = sum(w.numel() for w in trainer.weights.values())
    peft.peft_config["default"].base_model_name_or_path = prompts.mllm.fingerprint  # a name, not a path
    peft.save_pretrained(str(folder), save_embedding_layers=False)
    if soft is not None:
        soft.requires_grad_(False).save(folder)
    (folder / "README.md").write_text(
        model_card(prompts, settings, seed, count, training_plan.tokens), encoding="utf-8"
    )
    curve = read_curve(curve_file)
    return {
        "steps": trainer.done,
        "validation": [] if stopping is None else [point._asdict() for point in stopping.curve],
        "trainable": count,
        "tokens": training_plan.tokens,
        "tasks": {
            task: {"examples": len(examples)} | task_losses(curve, task)
            for task, examples in training_plan.examples.items()
        },
        "curve": curve,
    }


def new_soft_tokens(mllm: Mllm, retrieval: Retrieval, settings: RecommendSettings, seed: int) -> SoftTokenMap | None:
    """Give the model a new map of soft tokens; None where the settings name no source of vectors.

    Args:
        mllm: The model, changed in place.
        retrieval: Holds the sources that training sees.
        settings: Settings of stage 3.
        seed: Seed of the first weights.
    """
    if retrieval.soft is None:
        return None
    spread = spread_of(mllm.model.get_input_embeddings())
    soft = SoftTokenMap(retrieval.soft, mllm.hidden_size, settings.soft.hidden, spread, seed).to(mllm.device)
    mllm.soft_tokens = soft
    return soft


def model_card(prompts: Prompts, settings: RecommendSettings, seed: int, count: int, tokens: int) -> str:
    """The adapter's model card in Markdown.

    Args:
        prompts: Holds the model and the data set.
        settings: Settings of stage 3.
        seed: Seed of the training.
        count: Number of trained weights.
        tokens: Tokens of all steps.

    Returns:
        The text of the card.
    """
    return (
        f"---\nlibrary_name: peft\n---\n# A ranking adapter for {prompts.dataset.name}\n\n"
        f"LoRA with {count:,} weights on {prompts.mllm.fingerprint}, made by MMSRARec (arXiv 2512.20916) to answer yes "
        f"or no to a candidate; trained on {settings.n_examples} packs and on writing keywords (`tasks`), {tokens:,} "
        f"tokens in all, seed {seed}.\n\n"
        f"```json\n{settings.model_dump_json(indent=1)}\n```\n"
    )


def load_teacher_logits(teacher: Callable[[], Prompts], packs: PackTable, file: Path, progress: Count) -> Tensor:
    """The teacher's logits of packs, computed once and stored.

    Args:
        teacher: Loads the prompts with the teacher's model.
        packs: The packs, all with c candidates.
        file: Stores the logits.
        progress: Counts the packs.

    Returns:
        (packs, c) differences log p(yes) - log p(no).
    """
    if not file.exists():
        scores = np.stack(score_packs(teacher(), [packs[row] for row in range(len(packs))], progress=progress))
        save_atomically({"logits": torch.as_tensor(scores).logit(eps=1e-9).float()}, file)
    return load_file(file)["logits"]


def task_losses(curve: Sequence[CurvePoint], task: str) -> dict[str, float]:
    """The losses of one task at the beginning and at the end of training.

    Args:
        curve: The training curve.
        task: Name of the task.

    Returns:
        steps: its number of steps; first, last: its mean loss over the first and the last tenth of them.
    """
    losses = [point["loss"] for point in curve if point["task"] == task]
    tenth = math.ceil(len(losses) / 10)
    return {"steps": len(losses), "first": float(np.mean(losses[:tenth])), "last": float(np.mean(losses[-tenth:]))}


def read_curve(file: Path) -> list[CurvePoint]:
    """Read a training curve. Of a step that a restart repeated the last line counts.

    Args:
        file: JSON lines.

    Returns:
        The points in the order of the steps.
    """
    lines: list[CurvePoint] = [json.loads(line) for line in file.read_text().splitlines()]
    points = {line["step"]: line for line in lines}
    return [points[step] for step in sorted(points)]
