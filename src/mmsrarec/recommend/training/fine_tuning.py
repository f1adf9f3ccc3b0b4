"""Fine-tune the language model to choose: LoRA on packs of one positive and its negatives (stage 3 of the paper).

Tasks of writing keywords are mixed in, a step being of one task.
"""

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from mmsrarec.core.progress import Count
from mmsrarec.data.dataset import IntArray
from mmsrarec.errors import MmsrarecError
from mmsrarec.models import processes
from mmsrarec.models.backbone.adapter import Trainer, adapter_hash, add_adapter, save_atomically
from mmsrarec.models.packing.packed_prompt import PackedPrompt
from mmsrarec.recommend.prompt.prompt_context import Retrieval
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.ranking.scorer import score_packs, yes_minus_no
from mmsrarec.recommend.settings import RecommendSettings
from mmsrarec.recommend.training.training_plan import CHOOSE, TrainingPlan, draw_training_plan
from mmsrarec.recommend.training.training_tasks import answer_loss, answer_share

CHECKPOINT_SECONDS = 30.0
SQUARED = 0.1
"""Weight of the squared difference of logits beside the divergence of rankings, when scores are distilled."""


def tune(
    prompts: Prompts,
    retrieval: Retrieval,
    settings: RecommendSettings,
    seed: int,
    folder: Path,
    work: Path,
    progress: Count = lambda done, total, label: None,
    teacher: Callable[[], Prompts] | None = None,
) -> dict:
    """Train an adapter and save it into `folder`; `work` keeps what a restart needs. Returns what the manifest says.

    teacher: makes the tuned model whose scores of the same packs are learned as well; None: there is none. Several
    processes (`processes`) share each batch; only the first writes, and has something to tell. A restarted run reaches
    the same weights as an uninterrupted one (bit-equal on a CPU in float32).
    """
    training_plan = draw_training_plan(prompts, retrieval, settings, seed)
    work.mkdir(parents=True, exist_ok=True)
    with processes.first_alone():
        packs = training_plan.examples[CHOOSE]
        teacher_logits = learn_from(teacher, packs, work / "taught.safetensors", progress) if teacher else None
    peft = add_adapter(prompts.mllm, settings.rank, settings.first_layer, seed)
    trainer = Trainer(peft, settings.learning_rate, len(training_plan.steps))
    objective = RankingObjective(prompts, settings, training_plan, teacher_logits)
    before = adapter_hash(peft)
    checkpoint, curve = work / "trainer.safetensors", work / "curve.jsonl"
    if curve.exists() and processes.is_first():  # a kill may have cut the last line short; its step is done again
        text = curve.read_text()
        curve.write_text(text[: text.rfind("\n") + 1])
    if checkpoint.exists():
        trainer.resume(checkpoint)
    saved = time.monotonic()
    for number in range(trainer.done, len(training_plan.steps)):
        loss, told = objective.loss(*training_plan.steps[number])
        if not math.isfinite(told["loss"]):
            raise MmsrarecError(f"the loss is {told['loss']} at step {number}: lower recommend.learning_rate")
        trainer.step(loss, all_reduce=True)
        if not processes.is_first():
            continue
        with curve.open("a") as file:
            file.write(json.dumps({"step": number, **told}) + "\n")
        if time.monotonic() - saved > CHECKPOINT_SECONDS:
            trainer.save(checkpoint)
            saved = time.monotonic()
        progress(number + 1, len(training_plan.steps), "tuning")
    if adapter_hash(peft) == before:
        raise MmsrarecError("training changed no weight: raise recommend.learning_rate or recommend.n_examples")
    if not processes.is_first():
        return {}
    trainer.save(checkpoint)
    peft.requires_grad_(False)
    count = sum(w.numel() for w in trainer.weights.values())
    peft.peft_config["default"].base_model_name_or_path = prompts.mllm.fingerprint  # a name, not a path
    peft.save_pretrained(str(folder), save_embedding_layers=False)
    (folder / "README.md").write_text(card(prompts, settings, seed, count, training_plan.tokens), encoding="utf-8")
    lines = read_curve(curve)
    tasks = {
        task: {"examples": len(found)} | task_losses(lines, task) for task, found in training_plan.examples.items()
    }
    return {
        "steps": len(training_plan.steps),
        "trainable": count,
        "tokens": training_plan.tokens,
        "tasks": tasks,
        "curve": lines,
    }


@dataclass(frozen=True, eq=False)
class RankingObjective:
    """What a step is graded by. taught: (packs, c) logits of a teacher."""

    prompts: Prompts
    settings: RecommendSettings
    training_plan: TrainingPlan
    teacher_logits: Tensor | None

    def loss(self, task: str, together: IntArray) -> tuple[Tensor, dict]:
        """This process's part of the loss of a batch, and what the curve tells of the whole."""
        rows, weight = processes.batch_share(together)
        examples, first = self.training_plan.examples[task], math.nan
        if task == CHOOSE:
            loss, hit = self._choose([examples[row] for row in rows], rows)
            loss, first = weight * loss, weight * hit
        else:
            weight = answer_share(examples, rows, together) if weight else 0.0
            loss = weight * answer_loss(self.prompts, [examples[row] for row in rows])
        told = torch.tensor([loss.item(), first]).to(loss.device)
        processes.sum_tensors([told])
        whole, first = told.tolist()
        return loss, {"task": task, "loss": whole} | ({"first": first} if task == CHOOSE else {})

    def _choose(self, packs: Sequence[PackedPrompt], rows: IntArray) -> tuple[Tensor, float]:
        """The loss of packs, and the share of them whose positive came first."""
        logits, place = yes_minus_no(self.prompts, packs).view(len(rows), -1), self.training_plan.place[rows]
        loss = choose_loss(logits, torch.from_numpy(place).to(logits.device), self.settings.loss)
        if self.teacher_logits is not None:
            loss = loss + distil_loss(logits, self.teacher_logits[rows].to(logits.device))
        return loss, float((logits.argmax(1).cpu().numpy() == place).mean())


def card(prompts: Prompts, settings: RecommendSettings, seed: int, count: int, tokens: int) -> str:
    """The adapter's model card."""
    return (
        f"---\nlibrary_name: peft\n---\n# A ranking adapter for {prompts.dataset.name}\n\n"
        f"LoRA with {count:,} weights on {prompts.mllm.fingerprint}, made by MMSRARec (arXiv 2512.20916) to answer yes "
        f"or no to a candidate; trained on {settings.n_examples} packs and on writing keywords (`tasks`), {tokens:,} "
        f"tokens in all, seed {seed}.\n\n"
        f"```json\n{settings.model_dump_json(indent=1)}\n```\n"
    )


def choose_loss(logits: Tensor, place: Tensor, kind: str) -> Tensor:
    """Loss of (b, c) yes-minus-no logits whose positives stand at `place`, (b,).

    yesno: cross-entropy of the answer between yes and no, positives and negatives weighing the same. softmax: the
    positive against its pack. both: their sum.
    """
    answer = torch.zeros_like(logits).scatter_(1, place[:, None], 1.0)
    each = F.binary_cross_entropy_with_logits(logits, answer, reduction="none")
    weight = torch.where(answer > 0, 0.5, 0.5 / (logits.shape[1] - 1))
    yesno = (each * weight).sum(1).mean()
    if kind == "yesno":
        return yesno
    softmax = F.cross_entropy(logits, place)
    return softmax if kind == "softmax" else yesno + softmax


def distil_loss(logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """How far (b, c) yes-minus-no logits are from a teacher's: the divergence of the two softmaxes over the pack
    (Hinton et al., arXiv 1503.02531, at temperature 1), which ranks, and the squared difference, which sets the level.
    """
    ranking = F.kl_div(logits.log_softmax(1), teacher_logits.log_softmax(1), reduction="batchmean", log_target=True)
    return ranking + SQUARED * F.mse_loss(logits, teacher_logits)


def learn_from(teacher: Callable[[], Prompts], packs: Sequence[PackedPrompt], file: Path, progress: Count) -> Tensor:
    """The teacher's (packs, c) yes-minus-no logits, asked once and kept in `file`."""
    if not file.exists():
        scores = np.stack(score_packs(teacher(), packs, progress=progress))
        save_atomically({"logits": torch.from_numpy(scores).logit(eps=1e-9).float()}, file)
    return load_file(file)["logits"]


def task_losses(lines: list[dict], task: str) -> dict[str, float]:
    """steps: of the task; first, last: its mean loss over their first and their last tenth."""
    losses = [line["loss"] for line in lines if line["task"] == task]
    tenth = math.ceil(len(losses) / 10)
    return {"steps": len(losses), "first": float(np.mean(losses[:tenth])), "last": float(np.mean(losses[-tenth:]))}


def read_curve(file: Path) -> list[dict]:
    """Training curve; of a step that a restart did twice, the last line counts."""
    lines = {line["step"]: line for line in map(json.loads, file.read_text().splitlines())}
    return [lines[step] for step in sorted(lines)]
