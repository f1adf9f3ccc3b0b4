"""Fine-tune the language model to choose: LoRA on packs of one positive and its negatives (stage 3 of the paper).

Tasks of writing keywords are mixed in, a step being of one task.
"""

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from mmsrarec.data.dataset import IntArray
from mmsrarec.errors import MmsrarecError
from mmsrarec.models import processes
from mmsrarec.models.adapter import Trainer, adapter_hash, add_adapter, save_whole
from mmsrarec.models.packing import Pack
from mmsrarec.recommend.evidence import Retrieval, sample_training
from mmsrarec.recommend.prompts import Prompts
from mmsrarec.recommend.score import score_packs, yes_minus_no
from mmsrarec.recommend.settings import RecommendSettings
from mmsrarec.recommend.tasks import alike_in_cost, answer_loss, answer_share, draw_examples, mix
from mmsrarec.recommend.wishes import draw_wishes

CHOOSE = "choose"
CHECKPOINT_SECONDS = 30.0
SORTED_BATCHES = 16
"""Packs are sorted by length within this many batches, so that little of a batch is padding."""
SQUARED = 0.1
"""Weight of the squared difference of logits beside the divergence of rankings, when scores are distilled."""


def tune(
    prompts: Prompts,
    retrieval: Retrieval,
    settings: RecommendSettings,
    seed: int,
    folder: Path,
    work: Path,
    progress: Callable[[int, int, str], None] = lambda done, total, label: None,
    teacher: Callable[[], Prompts] | None = None,
) -> dict:
    """Train an adapter and save it into `folder`; `work` keeps what a restart needs. Returns what the manifest says.

    teacher: makes the tuned model whose scores of the same packs are learned as well; None: there is none. Several
    processes (`processes`) share each batch; only the first writes, and has something to tell. A restarted run reaches
    the same weights as an uninterrupted one (bit-equal on a CPU in float32).
    """
    rng, other = np.random.default_rng(seed), np.random.default_rng([seed, 0])  # whatever is mixed in, the same packs
    moments, candidates, place = sample_training(retrieval.train, settings.packs, settings.negatives, rng)
    evidence = retrieval.gather(moments, candidates, settings)
    wishes = draw_wishes(candidates, place, prompts.shown_keywords, settings.wishes, seed)
    packs = [prompts.render(replace(one, wishes=wish)) for one, wish in zip(evidence, wishes, strict=True)]
    examples, plans = {CHOOSE: packs}, {CHOOSE: passes(packs, settings.batch, settings.epochs, rng)}
    for task, found in draw_examples(prompts, retrieval, seed).items():
        batch = alike_in_cost(found, packs, settings.batch)
        examples[task], plans[task] = found, passes(found, batch, settings.epochs, other)
    steps = mix(plans, other)
    work.mkdir(parents=True, exist_ok=True)
    with processes.first_alone():
        taught = learn_from(teacher, packs, work / "taught.safetensors", progress) if teacher else None
    peft = add_adapter(prompts.mllm, settings.rank, settings.first_layer, seed)
    trainer = Trainer(peft, settings.lr, len(steps))
    before = adapter_hash(peft)
    checkpoint, curve = work / "trainer.safetensors", work / "curve.jsonl"
    if curve.exists() and processes.is_first():  # a kill may have cut the last line short; its step is done again
        text = curve.read_text()
        curve.write_text(text[: text.rfind("\n") + 1])
    if checkpoint.exists():
        trainer.resume(checkpoint)
    saved = time.monotonic()
    for number in range(trainer.done, len(steps)):
        task, together = steps[number]
        rows, weight = processes.share(together)
        batch, first = [examples[task][r] for r in rows], math.nan
        if task == CHOOSE:
            logits = yes_minus_no(prompts, batch).view(len(rows), -1)
            loss = choose_loss(logits, torch.from_numpy(place[rows]).to(logits.device), settings.loss)
            if taught is not None:
                loss = loss + distil_loss(logits, taught[rows].to(logits.device))
            loss = weight * loss
            first = weight * float((logits.argmax(1).cpu().numpy() == place[rows]).mean())
        else:
            weight = answer_share(examples[task], rows, together) if weight else 0.0
            loss = weight * answer_loss(prompts, batch)
        told = torch.tensor([loss.item(), first], dtype=torch.float64, device=loss.device)
        processes.add_up([told])
        whole, first = told.tolist()
        if not math.isfinite(whole):
            raise MmsrarecError(f"the loss is {whole} at step {number}: lower recommend.lr")
        trainer.step(loss, together=True)
        if not processes.is_first():
            continue
        line = {"step": number, "task": task, "loss": whole} | ({"first": first} if task == CHOOSE else {})
        with curve.open("a") as file:
            file.write(json.dumps(line) + "\n")
        if time.monotonic() - saved > CHECKPOINT_SECONDS:
            trainer.save(checkpoint)
            saved = time.monotonic()
        progress(number + 1, len(steps), "tuning")
    if adapter_hash(peft) == before:
        raise MmsrarecError("training changed no weight: raise recommend.lr or recommend.packs")
    if not processes.is_first():
        return {}
    trainer.save(checkpoint)
    peft.requires_grad_(False)
    count = sum(w.numel() for w in trainer.weights.values())
    tokens = settings.epochs * sum(len(one) for found in examples.values() for one in found)
    peft.peft_config["default"].base_model_name_or_path = prompts.mllm.fingerprint  # a name, not a path
    peft.save_pretrained(str(folder), save_embedding_layers=False)
    (folder / "README.md").write_text(card(prompts, settings, seed, count, tokens), encoding="utf-8")
    lines = read_curve(curve)
    tasks = {task: {"examples": len(found)} | task_losses(lines, task) for task, found in examples.items()}
    return {"steps": len(steps), "trainable": count, "tokens": tokens, "tasks": tasks, "curve": lines}


def card(prompts: Prompts, settings: RecommendSettings, seed: int, count: int, tokens: int) -> str:
    """The adapter's model card."""
    return (
        f"---\nlibrary_name: peft\n---\n# A ranking adapter for {prompts.dataset.name}\n\n"
        f"LoRA with {count:,} weights on {prompts.mllm.fingerprint}, made by MMSRARec (arXiv 2512.20916) to answer yes "
        f"or no to a candidate; trained on {settings.packs} packs and on writing keywords (`tasks`), {tokens:,} tokens "
        f"in all, seed {seed}.\n\n"
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


def distil_loss(logits: Tensor, taught: Tensor) -> Tensor:
    """How far (b, c) yes-minus-no logits are from a teacher's: the divergence of the two softmaxes over the pack
    (Hinton et al., arXiv 1503.02531, at temperature 1), which ranks, and the squared difference, which sets the level.
    """
    ranking = F.kl_div(logits.log_softmax(1), taught.log_softmax(1), reduction="batchmean", log_target=True)
    return ranking + SQUARED * F.mse_loss(logits, taught)


def learn_from(
    teacher: Callable[[], Prompts], packs: list[Pack], file: Path, progress: Callable[[int, int, str], None]
) -> Tensor:
    """The teacher's (packs, c) yes-minus-no logits, asked once and kept in `file`."""
    if not file.exists():
        scores = np.stack(score_packs(teacher(), packs, progress=progress))
        save_whole({"logits": torch.from_numpy(scores).logit(eps=1e-9).float()}, file)
    return load_file(file)["logits"]


def plan(packs: list[Pack], batch: int, rng: np.random.Generator) -> Iterator[IntArray]:
    """The order of training: batches of packs of like length, in random order."""
    order, batches = rng.permutation(len(packs)), []
    for start in range(0, len(order), batch * SORTED_BATCHES):
        window = sorted(order[start : start + batch * SORTED_BATCHES], key=lambda r: len(packs[r]))
        batches += [np.array(window[i : i + batch]) for i in range(0, len(window), batch)]
    for i in rng.permutation(len(batches)):
        yield batches[i]


def passes(packs: list[Pack], batch: int, epochs: int, rng: np.random.Generator) -> list[IntArray]:
    """The batches of several passes over the examples, each in an order of its own."""
    return [rows for _ in range(epochs) for rows in plan(packs, batch, rng)]


def task_losses(lines: list[dict], task: str) -> dict[str, float]:
    """steps: of the task; first, last: its mean loss over their first and their last tenth."""
    losses = [line["loss"] for line in lines if line["task"] == task]
    tenth = math.ceil(len(losses) / 10)
    return {"steps": len(losses), "first": float(np.mean(losses[:tenth])), "last": float(np.mean(losses[-tenth:]))}


def read_curve(file: Path) -> list[dict]:
    """Training curve; of a step that a restart did twice, the last line counts."""
    lines = {line["step"]: line for line in map(json.loads, file.read_text().splitlines())}
    return [lines[step] for step in sorted(lines)]
