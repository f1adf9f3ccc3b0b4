"""TRL's trainers on our prompts, with checkpoints that survive being killed.

Prompts are token ids, pictures included (`ImageTokenVocabulary`), so any multimodal model trains as a text model does.
"""

import json
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset as Table
from peft import PeftModel
from transformers import PrinterCallback, TrainerCallback
from trl.trainer import utils
from trl.trainer.grpo_config import GRPOConfig
from trl.trainer.grpo_trainer import GRPOTrainer
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from mmsrarec.core.memory import release_memory
from mmsrarec.core.progress import Count
from mmsrarec.errors import MmsrarecError
from mmsrarec.summarize.settings import TuneSettings
from mmsrarec.summarize.tuning.reward_scorer import RewardScorer, look
from mmsrarec.summarize.tuning.tuning_tasks import PolicySummarizer, SummaryTask, columns

COMPLETE = "complete"
"""A file in a checkpoint's folder, written last."""
SAVE_STEPS = 10
WARM_START_BATCH = 16
"""Answers in a step of the warm start."""

warnings.filterwarnings("ignore", message=".*rollout_func.*experimental.*")


def warm_start(
    policy_summarizer: PolicySummarizer,
    peft: PeftModel,
    chosen: Sequence[tuple[SummaryTask, str]],
    tune: TuneSettings,
    seed: int,
    work: Path,
    rows: int,
    count: Count,
) -> list[dict]:
    """Fine-tune on the chosen answers; returns the loss of every step."""
    examples = []
    for summary_task, answer in chosen:
        prompt, said = (
            policy_summarizer.prompt(summary_task, False),
            [*policy_summarizer.mllm.encode(answer), policy_summarizer.mllm.turn_end],
        )
        examples.append({"input_ids": [*prompt, *said], "labels": [-100] * len(prompt) + said})
    steps = -(-len(examples) // WARM_START_BATCH) * tune.epochs
    config = SFTConfig(
        **_common(policy_summarizer, work, seed, WARM_START_BATCH, rows),
        learning_rate=tune.warm_start_learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=steps // 10,
        max_steps=steps,
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},
        loss_type="nll",
    )
    trainer = _Quiet(SFTTrainer)(
        model=peft,
        args=config,
        train_dataset=Table.from_list(examples),
        processing_class=policy_summarizer.mllm.tokenizer,
    )
    with policy_summarizer.words.spoken():
        return _train(trainer, work, "warm start", steps, count)


def grpo(
    policy_summarizer: PolicySummarizer,
    judge: RewardScorer,
    peft: PeftModel,
    summary_tasks: Sequence[SummaryTask],
    tune: TuneSettings,
    seed: int,
    work: Path,
    rows: int,
    count: Count,
) -> list[dict]:
    """Group relative policy optimisation; returns what every step logged."""
    known = {summary_task.name: summary_task for summary_task in summary_tasks}
    table = Table.from_dict({"prompt": list(known), **columns(summary_tasks)})
    shapes: list[dict] = []

    def rollout(names: list[str], trainer: GRPOTrainer) -> dict[str, Any]:
        judge.forget()
        runs = [(known[name], len(list(run))) for name, run in groupby(names)]
        samples = runs[0][1] if len({n for _, n in runs}) == 1 else 1
        asked = [summary_task for summary_task, n in runs for _ in range(n // samples)]
        said = policy_summarizer.answers(asked, False, samples, tune.temperature)
        prompts = [policy_summarizer.prompt(known[name], False) for name in names]
        told = [known[name] for name in names]
        shapes.append(dict(look(judge, told, policy_summarizer.decode(said))))
        return {"prompt_ids": prompts, "completion_ids": said, "logprobs": None}

    config = GRPOConfig(
        **_common(policy_summarizer, work, seed, tune.prompts * tune.group, rows),
        learning_rate=tune.learning_rate,
        lr_scheduler_type="constant_with_warmup",
        warmup_steps=tune.steps // 20,
        max_steps=tune.steps,
        num_generations=tune.group,
        max_completion_length=max(policy_summarizer.tokens.values()),
        temperature=tune.temperature,
        beta=tune.kl,
        scale_rewards="group",
        reward_weights=list(judge.weights.values()),
    )
    trainer = _Quiet(_Reshuffling)(
        model=peft,
        args=config,
        train_dataset=table,
        processing_class=policy_summarizer.mllm.tokenizer,
        reward_funcs=[reward for reward, _ in judge.rewards],
        rollout_func=rollout,
    )
    with policy_summarizer.words.spoken():
        return _train(trainer, work, "grpo", tune.steps, count, shapes)


class _Reshuffling(GRPOTrainer):
    """Each epoch has its own order of the prompts. TRL's follows from all epochs that this process went through, so
    going on after the first epoch would ask other prompts."""

    def _get_train_sampler(self, dataset=None):
        sampler: Any = super()._get_train_sampler(dataset)
        sampler.set_epoch = lambda epoch: sampler.generator.manual_seed(self.args.seed + epoch)
        return sampler


def _common(policy_summarizer: PolicySummarizer, work: Path, seed: int, batch: int, rows: int) -> dict[str, Any]:
    """Settings of both trainers. rows: answers computed at once, which changes memory and not what is learned."""
    at_once = max(n for n in range(1, batch + 1) if batch % n == 0 and n <= max(rows, 1))
    return {
        "output_dir": str(work),
        "per_device_train_batch_size": at_once,
        "gradient_accumulation_steps": batch // at_once,
        "seed": seed,
        "use_cpu": policy_summarizer.mllm.device.type == "cpu",
        "bf16": False,  # the model has its dtype, the adapter is float32
        "gradient_checkpointing": False,
        "max_grad_norm": 1.0,
        "logging_steps": 1,
        "save_strategy": "steps",
        "save_steps": SAVE_STEPS,
        "save_total_limit": 2,
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
    }


def _Quiet(trainer: type) -> type:
    """The trainer without its model card, which is written from the run instead."""
    return type(trainer.__name__, (trainer,), {"create_model_card": lambda self, *args, **kwargs: None})


@contextmanager
def _answers_only() -> Iterator[None]:
    """Off the GPU, TRL projects every position onto the vocabulary, two thirds of a step; here only answers count."""
    known = getattr(utils, "_use_triton", None)
    if known is not None:
        utils._use_triton = lambda device: True  # pyright: ignore
    try:
        yield
    finally:
        if known is not None:
            utils._use_triton = known  # pyright: ignore


class _Watch(TrainerCallback):
    """Marks whole checkpoints, keeps the log beside them, shows progress."""

    def __init__(self, work: Path, phase: str, steps: int, count: Count, shapes: Sequence[dict]):
        self.work, self.phase, self.steps, self.count, self.shapes = work, phase, steps, count, shapes

    def on_save(self, args, state, control, **kwargs):
        (self.work / f"checkpoint-{state.global_step}" / COMPLETE).touch()

    def on_log(self, args, state, control, logs=None, **kwargs):
        logs = logs or {}
        if "loss" not in logs:
            return
        entry = {"phase": self.phase, "step": state.global_step, "loss": logs["loss"], **_rewards(logs)}
        if self.shapes:
            entry |= self.shapes[-1]
        with (self.work / "curve.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    def on_step_end(self, args, state, control, **kwargs):
        release_memory()
        self.count(state.global_step, self.steps, f"tuning the summaries, {self.phase}")


def _rewards(logs: dict[str, Any]) -> dict[str, Any]:
    if "reward" not in logs:
        return {}
    names = [key.split("/")[1] for key in logs if key.startswith("rewards/") and key.endswith("/mean")]
    return {
        "reward": logs["reward"],
        "reward_std": logs["reward_std"],
        "alike": logs["frac_reward_zero_std"],
        "tokens": logs["completions/mean_length"],
        "rewards": {n: {"mean": logs[f"rewards/{n}/mean"], "std": logs[f"rewards/{n}/std"]} for n in names},
    }


def _train(trainer: Any, work: Path, phase: str, steps: int, count: Count, shapes: Sequence[dict] = ()) -> list[dict]:
    """Train from the newest whole checkpoint, or from the start; returns the log, one entry a step."""
    # PEFT would ask a hub whether the vocabulary of the base model changed
    trainer.model.save_pretrained = partial(trainer.model.save_pretrained, save_embedding_layers=False)
    work.mkdir(parents=True, exist_ok=True)
    newest, curve = newest_checkpoint(work), work / "curve.jsonl"
    _cut(curve)
    trainer.add_callback(_Watch(work, phase, steps, count, shapes))
    trainer.remove_callback(PrinterCallback)
    with warnings.catch_warnings(action="ignore"), _answers_only():
        trainer.train(resume_from_checkpoint=None if newest is None else str(newest))
    entries = [json.loads(line) for line in curve.read_text().splitlines()] if curve.exists() else []
    last = {entry["step"]: entry for entry in entries}  # of a step that a restart did twice, the last counts
    if not all(map(_finite, last.values())):
        raise MmsrarecError(f"the loss of the {phase} is not a number: lower its learning rate")
    return [last[step] for step in sorted(last)]


def _cut(log: Path) -> None:
    """Cut off the line that a killed process left half-written; its step has no checkpoint and is done again."""
    if log.exists():
        os.truncate(log, log.read_bytes().rfind(b"\n") + 1)


def _finite(entry: dict) -> bool:
    return bool(torch.isfinite(torch.tensor(float(entry["loss"]))))


def newest_checkpoint(work: Path) -> Path | None:
    """The newest checkpoint that was written to its end."""
    whole = [path.parent for path in work.glob(f"checkpoint-*/{COMPLETE}")]
    return max(whole, key=lambda path: int(path.name.rpartition("-")[2]), default=None)
