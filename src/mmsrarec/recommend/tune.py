"""Fine-tune the language model to choose: LoRA on packs of one positive and its negatives (stage 3 of the paper)."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmsrarec.data.dataset import IntArray
from mmsrarec.errors import MmsrarecError
from mmsrarec.models.adapter import Trainer, adapter_hash, add_adapter
from mmsrarec.models.packing import Pack
from mmsrarec.recommend.evidence import Retrieval, harden, sample_training
from mmsrarec.recommend.head import Head, item_states
from mmsrarec.recommend.prompts import Prompts
from mmsrarec.recommend.score import logits_and_users
from mmsrarec.recommend.settings import RecommendSettings

CHECKPOINT_SECONDS = 30.0
SORTED_BATCHES = 16
"""Packs are sorted by length within this many batches, so that little of a batch is padding."""


def tune(
    prompts: Prompts,
    retrieval: Retrieval,
    settings: RecommendSettings,
    seed: int,
    folder: Path,
    work: Path,
    progress: Callable[[int, int, str], None] = lambda done, total, label: None,
    items: Path | None = None,
) -> dict:
    """Train an adapter and save it into `folder`; `work` keeps what a restart needs. Returns what the manifest says.

    A cheap head is trained along and saved beside the adapter where it has a weight; the file `items` keeps what it
    needs of the items.

    A restarted run reaches the same weights as an uninterrupted one (bit-equal on a CPU in float32).
    """
    rng = np.random.default_rng(seed)
    moments, candidates, place = sample_training(
        retrieval.train, settings.packs, settings.negatives, rng, settings.late
    )
    if hard := round(settings.hard_negatives * settings.negatives):
        ranked = retrieval.neighbours.encoder.scores
        candidates = harden(retrieval.train, moments, candidates, place, ranked, hard, rng)
    packs = [prompts.render(one) for one in retrieval.gather(moments, candidates, settings)]
    batches = list(plan(packs, settings.batch, rng))
    states = item_states(prompts, items) if settings.head_weight else None
    peft = add_adapter(prompts.mllm, settings.rank, settings.first_layer, seed)
    head = None if states is None else Head.fresh(states, settings.head_dims, seed)
    trainer = Trainer(peft if head is None else nn.ModuleDict({"model": peft, "head": head}), settings.lr, len(batches))
    known, target = torch.from_numpy(np.flatnonzero(retrieval.train.counts)), torch.from_numpy(moments.target)
    before = adapter_hash(peft)
    work.mkdir(parents=True, exist_ok=True)
    checkpoint, curve = work / "trainer.safetensors", work / "curve.jsonl"
    if curve.exists():  # a kill may have cut the last line short; its step is done again
        text = curve.read_text()
        curve.write_text(text[: text.rfind("\n") + 1])
    if checkpoint.exists():
        trainer.resume(checkpoint)
    saved = time.monotonic()
    for number in range(trainer.done, len(batches)):
        rows = batches[number]
        logits, users = logits_and_users(prompts, [packs[r] for r in rows])
        logits = logits.view(len(rows), -1)
        loss = choose_loss(logits, torch.from_numpy(place[rows]).to(logits.device), settings.loss)
        if head is not None and states is not None:
            loss = loss + settings.head_weight * head.loss(users.cpu(), target[rows], states, known).to(loss.device)
        if not torch.isfinite(loss):
            raise MmsrarecError(f"the loss is {loss.item()} at step {number}: lower recommend.lr")
        trainer.step(loss)
        with curve.open("a") as file:
            hit = (logits.argmax(1).cpu().numpy() == place[rows]).mean()
            file.write(json.dumps({"step": number, "loss": loss.item(), "first": float(hit)}) + "\n")
        if time.monotonic() - saved > CHECKPOINT_SECONDS:
            trainer.save(checkpoint)
            saved = time.monotonic()
        progress(number + 1, len(batches), "tuning")
    if adapter_hash(peft) == before:
        raise MmsrarecError("training changed no weight: raise recommend.lr or recommend.packs")
    trainer.save(checkpoint)
    peft.requires_grad_(False)
    count = sum(w.numel() for w in trainer.weights.values())
    tokens = sum(map(len, packs))
    peft.peft_config["default"].base_model_name_or_path = prompts.mllm.fingerprint  # a name, not a path
    peft.save_pretrained(str(folder), save_embedding_layers=False)
    if head is not None:
        head.save(folder)
    (folder / "README.md").write_text(card(prompts, settings, seed, count, tokens), encoding="utf-8")
    return {"steps": len(batches), "trainable": count, "tokens": tokens, "curve": read_curve(curve)}


def card(prompts: Prompts, settings: RecommendSettings, seed: int, count: int, tokens: int) -> str:
    """The adapter's model card."""
    return (
        f"---\nlibrary_name: peft\n---\n# A ranking adapter for {prompts.dataset.name}\n\n"
        f"LoRA with {count:,} weights on {prompts.mllm.fingerprint}, made by MMSRARec (arXiv 2512.20916) to answer yes "
        f"or no to a candidate; trained on {settings.packs} packs, {tokens:,} tokens, seed {seed}.\n\n"
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


def plan(packs: list[Pack], batch: int, rng: np.random.Generator) -> Iterator[IntArray]:
    """The order of training: batches of packs of like length, in random order."""
    order, batches = rng.permutation(len(packs)), []
    for start in range(0, len(order), batch * SORTED_BATCHES):
        window = sorted(order[start : start + batch * SORTED_BATCHES], key=lambda r: len(packs[r]))
        batches += [np.array(window[i : i + batch]) for i in range(0, len(window), batch)]
    for i in rng.permutation(len(batches)):
        yield batches[i]


def read_curve(file: Path) -> list[dict]:
    """Training curve; of a step that a restart did twice, the last line counts."""
    lines = {line["step"]: line for line in map(json.loads, file.read_text().splitlines())}
    return [lines[step] for step in sorted(lines)]
