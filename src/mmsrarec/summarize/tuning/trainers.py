"""TRL's trainers on the prompts of stage 1, with checkpoints that survive a killed process.

Several processes (`models.processes`) share the answers of each step, and reach the weights of one process.
Prompts are token ids, pictures included (`ImageTokenVocabulary`), so any multimodal model trains as a text model does.
"""

import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import cycle, groupby, islice
from math import isfinite
from pathlib import Path
from typing import Any, Protocol, cast

from datasets import Dataset as Table  # pyright: ignore[reportMissingTypeStubs]
from peft import PeftModel
from transformers import PrinterCallback, TrainerCallback, TrainingArguments
from trl.trainer import utils
from trl.trainer.grpo_config import GRPOConfig
from trl.trainer.grpo_trainer import GRPOTrainer
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from mmsrarec.core.progress import Count
from mmsrarec.errors import MmsrarecError
from mmsrarec.models import processes
from mmsrarec.summarize.settings import TuneSettings
from mmsrarec.summarize.tuning.reward_scorer import RewardScorer
from mmsrarec.summarize.tuning.training_log import (
    LOG_FILE,
    LogEntry,
    TuningCallback,
    cut_log,
    newest_checkpoint,
    read_log,
)
from mmsrarec.summarize.tuning.tuning_tasks import PolicySummarizer, SummaryTask, answer_draws, columns

SAVE_STEPS = 10
"""Steps between checkpoints."""
WARM_START_BATCH = 16
"""Answers in a step of the warm start."""

warnings.filterwarnings("ignore", message=".*rollout_func.*experimental.*")


class Trainer(Protocol):
    """What is used of the trainers of transformers and TRL, whose types are partial."""

    model: Any
    args: TrainingArguments

    def add_callback(self, callback: TrainerCallback) -> None:
        """Add a callback."""
        ...

    def remove_callback(self, callback: type[TrainerCallback]) -> None:
        """Remove the callbacks of a class."""
        ...

    def train(self, resume_from_checkpoint: str | None = None) -> object:
        """Train to the end, from a checkpoint if given."""
        ...


def warm_start(
    policy_summarizer: PolicySummarizer,
    peft: PeftModel,
    targets: Sequence[tuple[SummaryTask, str]],
    tune: TuneSettings,
    seed: int,
    work: Path,
    rows: int,
    count: Count,
) -> list[LogEntry]:
    """Fine-tune the policy on the best answers to its tasks.

    Args:
        policy_summarizer: The policy.
        peft: Its model with the adapter that is trained.
        targets: Tasks and the answers to learn.
        tune: The settings of tuning.
        seed: Seed of the order of examples.
        work: The folder of checkpoints; a stopped training goes on from there.
        rows: Answers computed at once, which changes memory and not what is learned.
        count: Called with (done, total, label).

    Returns:
        A log entry for each step.

    Raises:
        MmsrarecError: If the loss becomes no number.
    """
    mllm, examples = policy_summarizer.mllm, list[dict[str, list[int]]]()
    for summary_task, answer in targets:
        prompt = policy_summarizer.prompt(summary_task, False)
        answer_ids = [*mllm.encode(answer), mllm.turn_end]
        examples.append({"input_ids": [*prompt, *answer_ids], "labels": [-100] * len(prompt) + answer_ids})
    # whole steps, so that processes have equal parts of each: some examples are seen twice in a pass
    missing = -len(examples) % WARM_START_BATCH
    examples += [*islice(cycle(examples), missing)]
    steps = len(examples) // WARM_START_BATCH * tune.epochs
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
    trainer = _without_card(SFTTrainer)(
        model=peft, args=config, train_dataset=_table(examples), processing_class=_tokenizer(policy_summarizer)
    )
    with policy_summarizer.words.installed():
        return _train(trainer, work, "warm start", steps, count)


def grpo(
    policy_summarizer: PolicySummarizer,
    scorer: RewardScorer,
    peft: PeftModel,
    summary_tasks: Sequence[SummaryTask],
    tune: TuneSettings,
    seed: int,
    work: Path,
    rows: int,
    count: Count,
) -> list[LogEntry]:
    """Train the policy by group relative policy optimisation (Shao et al., 2024).

    Args:
        policy_summarizer: The policy.
        scorer: The rewards.
        peft: The policy's model with the adapter that is trained.
        summary_tasks: The tasks to tune on.
        tune: The settings of tuning.
        seed: Seed of the order of tasks and of sampling.
        work: The folder of checkpoints; a stopped training goes on from there.
        rows: Answers computed at once, which changes memory and not what is learned.
        count: Called with (done, total, label).

    Returns:
        A log entry for each step, with rewards and the profile of the answers.

    Raises:
        MmsrarecError: If the loss becomes no number.
    """
    task_of = {summary_task.name: summary_task for summary_task in summary_tasks}
    table = _table(
        [{"prompt": task.name, **row} for task, row in zip(summary_tasks, _rows(summary_tasks), strict=True)]
    )
    profiles: list[dict[str, float]] = []

    def rollout(names: list[str], trainer: GRPOTrainer) -> dict[str, Any]:
        """Sample the answers to the named tasks; those to a task stand side by side."""
        scorer.forget()
        first = processes.rank() * len(names)  # of this process's answers, among those of the step
        numbered = [f"{trainer.state.global_step}|{name}|{(first + n) % tune.group}" for n, name in enumerate(names)]
        draws = answer_draws(seed, numbered, max(policy_summarizer.tokens.values()))
        groups = [(task_of[name], len(list(group))) for name, group in groupby(names)]
        samples = groups[0][1] if len({size for _, size in groups}) == 1 else 1
        distinct_tasks = [summary_task for summary_task, size in groups for _ in range(size // samples)]
        answers = policy_summarizer.answers(distinct_tasks, False, samples, tune.temperature, draws)
        tasks = [task_of[name] for name in names]
        texts = policy_summarizer.decode(answers)
        every = processes.gather(([task.name for task in tasks], texts))
        all_tasks = [task_of[name] for task_names, _ in every for name in task_names]
        profiles.append(scorer.profile(all_tasks, [text for _, more in every for text in more]))
        prompts = [policy_summarizer.prompt(summary_task, False) for summary_task in tasks]
        return {"prompt_ids": prompts, "completion_ids": answers, "logprobs": None}

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
        reward_weights=list(scorer.weights.values()),
    )
    trainer = _without_card(_Reshuffling)(
        model=peft,
        args=config,
        train_dataset=table,
        processing_class=_tokenizer(policy_summarizer),
        reward_funcs=[reward for reward, _ in scorer.rewards],
        rollout_func=rollout,
    )
    with policy_summarizer.words.installed():
        return _train(trainer, work, "grpo", tune.steps, count, profiles)


def _rows(summary_tasks: Sequence[SummaryTask]) -> list[dict[str, Any]]:
    """The columns that rewards receive, as a row for each task."""
    table = columns(summary_tasks)
    return [{name: column[row] for name, column in table.items()} for row in range(len(summary_tasks))]


def _table(rows: Sequence[Mapping[str, Any]]) -> Any:
    """A table of the datasets package, which has no types."""
    from_list = cast(Callable[[list[Any]], Any], Table.from_list)  # pyright: ignore[reportUnknownMemberType]
    return from_list(list(rows))


def _tokenizer(policy_summarizer: PolicySummarizer) -> Any:
    """The tokenizer of the policy; transformers' class of it is known at run time only."""
    mllm: Any = policy_summarizer.mllm
    return mllm.tokenizer


class _Reshuffling(GRPOTrainer):
    """A GRPO trainer in which each epoch has its own order of prompts.

    TRL's order follows from all epochs that the process went through, so a training that continues after the first
    epoch would see other prompts.
    """

    def _get_train_sampler(self, dataset: Any = None) -> Any:
        """TRL's sampler, whose random state is set by the epoch."""
        make_sampler = cast(Any, super()._get_train_sampler)  # pyright: ignore[reportUnknownMemberType]
        sampler, seed = make_sampler(dataset), self.args.seed

        def set_epoch(epoch: int) -> None:
            sampler.generator.manual_seed(seed + epoch)

        sampler.set_epoch = set_epoch
        return sampler


def _common(policy_summarizer: PolicySummarizer, work: Path, seed: int, batch: int, rows: int) -> dict[str, Any]:
    """The settings of both trainers; rows: answers computed at once."""
    share = processes.divide(batch, "answers of a tuning step")
    at_once = max(n for n in range(1, share + 1) if share % n == 0 and n <= max(rows, 1))
    return {
        "output_dir": str(work),
        "per_device_train_batch_size": at_once,
        "gradient_accumulation_steps": share // at_once,
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


def _without_card(trainer: type) -> Callable[..., Trainer]:
    """The trainer without its model card, which is written from the run instead."""

    def create_model_card(self: object, *args: object, **kwargs: object) -> None:
        """Write nothing."""

    return cast(Any, type(trainer.__name__, (trainer,), {"create_model_card": create_model_card}))


@contextmanager
def _answers_only() -> Generator[None]:
    """Project the answers' positions only onto the vocabulary.

    Off the GPU, TRL projects every position, which takes two thirds of a step.
    """
    module = cast(Any, utils)
    original = getattr(module, "_use_triton", None)
    if original is not None:
        module._use_triton = _always
    try:
        yield
    finally:
        if original is not None:
            module._use_triton = original


def _always(device: object) -> bool:
    """True for every device."""
    return True


def _train(
    trainer: Trainer,
    work: Path,
    phase: str,
    steps: int,
    count: Count,
    profiles: Sequence[Mapping[str, float]] = (),
) -> list[LogEntry]:
    """Train from the newest complete checkpoint, or from the start; the log has one entry a step."""
    # PEFT would ask a hub whether the vocabulary of the base model changed
    trainer.model.save_pretrained = partial(trainer.model.save_pretrained, save_embedding_layers=False)
    work.mkdir(parents=True, exist_ok=True)
    curve = work / LOG_FILE

    def start() -> Path | None:
        cut_log(curve)
        return newest_checkpoint(work)

    checkpoint = processes.from_first(start)
    trainer.add_callback(TuningCallback(work, phase, steps, count, profiles))
    trainer.remove_callback(PrinterCallback)
    with warnings.catch_warnings(action="ignore"), _answers_only():
        trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    processes.wait()  # the first one has written its last entry
    entries = read_log(curve)
    if not all(isfinite(float(entry["loss"])) for entry in entries):
        raise MmsrarecError(f"the loss of the {phase} is not a number: lower its learning rate")
    return entries
