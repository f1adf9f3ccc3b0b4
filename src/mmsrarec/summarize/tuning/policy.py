"""The tuning of the summarising policy (arXiv 2512.20916, stage 1): a warm start, then GRPO, with LoRA.

held-out answers before -> best of n -> supervised fine-tuning -> GRPO -> held-out answers after

LoRA sits on the language model only. Every step leaves its result in a work folder, and a stopped tuning goes on from
there to the same weights. Several processes (`models.processes`) sample and train together; the first one answers
held-out questions, measures and writes.
"""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from peft import PeftModel
from peft.utils import set_peft_model_state_dict  # pyright: ignore[reportUnknownVariableType]
from safetensors.torch import load_file  # pyright: ignore[reportUnknownVariableType]
from torch import Tensor

from mmsrarec.core.progress import Count
from mmsrarec.data.dataset import Dataset
from mmsrarec.errors import MmsrarecError
from mmsrarec.models import processes
from mmsrarec.models.backbone.adapter import WEIGHTS, adapter_hash, add_adapter, merge_adapter, trainable
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.backbone.text_embedder import Embedder
from mmsrarec.summarize.answer_reading import read_image, read_texts
from mmsrarec.summarize.language.lexicon import Lexicon
from mmsrarec.summarize.settings import SummarizeSettings, TuneSettings
from mmsrarec.summarize.tuning.best_of_n import BestAnswer, best_of
from mmsrarec.summarize.tuning.frozen_models import load_language_model
from mmsrarec.summarize.tuning.reward_parts import Embed
from mmsrarec.summarize.tuning.reward_scorer import RewardScorer, TradeOffPoint
from mmsrarec.summarize.tuning.trainers import grpo, warm_start
from mmsrarec.summarize.tuning.training_log import LogEntry
from mmsrarec.summarize.tuning.tuning_tasks import PolicySummarizer, SummaryTask, split_summary_tasks


def _no_progress(done: int, total: int, label: str) -> None:
    """Show nothing."""


@dataclass(frozen=True)
class TuningContext:
    """What tuning works with.

    Attributes:
        load: Loads a fresh untuned model.
        dataset: The catalogue.
        features: (v, d) picture features by item code.
        settings: The settings of stage 1, with those of tuning.
        seed: Seed of all random choices.
        folder: The work folder, which a stopped tuning goes on from.
        rows: Answers trained on at once, which changes memory and not what is learned.
        batch: Held-out tasks answered at once.
        count: Called with (done, total, label).
        embed: The sentence embedding phi; loaded by its name in the settings unless given.
    """

    load: Callable[[], Mllm]
    dataset: Dataset
    features: Mapping[int, Tensor]
    settings: SummarizeSettings
    seed: int
    folder: Path
    rows: int = 32
    batch: int = 32
    count: Count = _no_progress
    embed: Embed | None = None

    @property
    def tune(self) -> TuneSettings:
        """The settings of tuning."""
        assert self.settings.tune is not None
        return self.settings.tune

    def policy_summarizer(self, mllm: Mllm) -> PolicySummarizer:
        """The policy of a model."""
        return PolicySummarizer(mllm, self.dataset, self.features, self.settings)


def tune(work: TuningContext, out: Path) -> dict[str, Any]:
    """Tune the policy, and write adapter/ and heldout.parquet.

    Args:
        work: What tuning works with.
        out: The folder of the results.

    Returns:
        The learning curve, the gain of the best of n answers, the curves of tokens against information, and the numbers
        of tasks. Empty in all processes but the first.

    Raises:
        MmsrarecError: If there is nothing to tune on, or the training changed nothing.
    """
    tuned_on, held_out = split_summary_tasks(work.dataset, work.features, work.settings, work.seed)
    if not tuned_on or not held_out:
        raise MmsrarecError("too few items to tune on and to hold out: tune on a larger catalogue, or not at all")
    work.folder.mkdir(parents=True, exist_ok=True)
    mllm = work.load()
    policy_summarizer, scorer = _reward_scorer(work, mllm, tuned_on)
    before = processes.from_first(lambda: _greedy(work, policy_summarizer, held_out, "before"))
    targets = _choose(work, scorer, tuned_on)
    start = work.folder / "start"

    def train_warm_start(peft: PeftModel, policy: PolicySummarizer, scorer: RewardScorer) -> list[LogEntry]:
        """The warm start, where there are answers to learn."""
        return _start(work, policy, peft, targets)

    def train_grpo(peft: PeftModel, policy: PolicySummarizer, scorer: RewardScorer) -> list[LogEntry]:
        """GRPO, where the settings have steps of it."""
        if not work.tune.steps:
            return []
        folder = work.folder / "grpo"
        return grpo(policy, scorer, peft, tuned_on, work.tune, work.seed, folder, work.rows, work.count)

    curve = _phase(work, start, train_warm_start, mllm, tuned_on)
    curve += _phase(work, out / "adapter", train_grpo, work.load(), tuned_on, start)
    with processes.first_alone():
        if not processes.is_first():
            return {}
        facts = _measured(work, out, start, tuned_on, held_out, before, bool(targets))
    return {"best_of": _gain(targets), **facts, "curve": curve}


def _measured(
    work: TuningContext,
    out: Path,
    start: Path,
    tuned_on: Sequence[SummaryTask],
    held_out: Sequence[SummaryTask],
    before: list[str],
    has_targets: bool,
) -> dict[str, Any]:
    """Answer the held-out tasks by the tuned policy, measure it, and write the results beside the adapter."""
    answers = {"untuned": before}
    if has_targets and work.tune.steps:
        answers["warm start"] = _tuned(work, start, held_out, "after the warm start of")
    answers["tuned"] = _tuned(work, out / "adapter", held_out, "after")
    if answers["tuned"] == before:
        raise MmsrarecError(
            "the tuned policy answers as the untuned one does: raise summarize.tune.learning_rate or steps"
        )
    _, scorer = _reward_scorer(work, work.load(), tuned_on)
    trade_off = _measure(work, scorer, held_out, answers, out)
    write_card(work, out / "adapter")
    return {"trade_off": trade_off, "tuned_on": len(tuned_on), "held_out": len(held_out)}


def _reward_scorer(
    work: TuningContext, mllm: Mllm, tuned_on: Sequence[SummaryTask]
) -> tuple[PolicySummarizer, RewardScorer]:
    """The policy of a model, and the rewards of its answers."""
    name = work.tune.language_model
    other = None if name == "embedded" else load_language_model(name, mllm)
    embed = work.embed or Embedder(work.tune.embedding_model, str(mllm.device))
    policy_summarizer = work.policy_summarizer(mllm)
    pool = [summary_task.code for summary_task in tuned_on if summary_task.modality == "picture"]
    return policy_summarizer, RewardScorer(policy_summarizer, work.tune, embed, pool, work.seed, other)


def _greedy(
    work: TuningContext,
    policy_summarizer: PolicySummarizer,
    summary_tasks: Sequence[SummaryTask],
    when: str,
    shots: bool = True,
) -> list[str]:
    """The policy's likeliest answers to held-out tasks."""
    label = f"held-out items, {when} tuning"
    return policy_summarizer.greedy(
        summary_tasks, shots, work.batch, lambda done: work.count(done, len(summary_tasks), label)
    )


def _tuned(work: TuningContext, adapter: Path, summary_tasks: Sequence[SummaryTask], when: str) -> list[str]:
    """The likeliest answers of the policy with an adapter."""
    return _greedy(work, work.policy_summarizer(merge_adapter(work.load(), adapter)), summary_tasks, when, shots=False)


def _choose(
    work: TuningContext, scorer: RewardScorer, summary_tasks: Sequence[SummaryTask]
) -> list[tuple[SummaryTask, BestAnswer]]:
    """The tasks with their best answers, without tasks that have no usable one."""
    if not work.tune.samples:
        return []
    file = work.folder / "samples.jsonl"
    rows = best_of(scorer, summary_tasks, work.tune.samples, work.tune.temperature, work.seed, file, work.count)
    return [(summary_task, row) for summary_task, row in zip(summary_tasks, rows, strict=True) if row["answer"]]


def _gain(targets: Sequence[tuple[SummaryTask, BestAnswer]]) -> dict[str, float]:
    """The mean rewards of the first and of the best answers."""
    rows = [row for _, row in targets]
    n = max(len(rows), 1)
    return {
        "answers": len(rows),
        "first": sum(row["first"] for row in rows) / n,
        "reward": sum(row["reward"] for row in rows) / n,
    }


def _start(
    work: TuningContext,
    policy_summarizer: PolicySummarizer,
    peft: PeftModel,
    targets: Sequence[tuple[SummaryTask, BestAnswer]],
) -> list[LogEntry]:
    """Fine-tune on the best answers."""
    if not targets:
        return []
    pairs = [(summary_task, row["answer"]) for summary_task, row in targets]
    folder = work.folder / "warm-start"
    return warm_start(policy_summarizer, peft, pairs, work.tune, work.seed, folder, work.rows, work.count)


def _phase(
    work: TuningContext,
    out: Path,
    train: Callable[[PeftModel, PolicySummarizer, RewardScorer], list[LogEntry]],
    mllm: Mllm,
    tuned_on: Sequence[SummaryTask],
    start: Path | None = None,
) -> list[LogEntry]:
    """Train an adapter, from the weights in `start` if given, and save it in `out` with its curve."""
    finished = processes.from_first(lambda: (out / "curve.json").exists())
    if finished and processes.is_first():
        return json.loads((out / "curve.json").read_text())
    if finished:
        return []
    peft = add_adapter(mllm, work.tune.rank, work.tune.first_layer, work.seed, float32=True)
    if start is not None:
        set_peft_model_state_dict(peft, load_file(start / WEIGHTS))
    policy_summarizer, scorer = _reward_scorer(work, mllm, tuned_on)
    hash_before = adapter_hash(peft)
    curve = train(peft, policy_summarizer, scorer)
    if curve and adapter_hash(peft) == hash_before:
        raise MmsrarecError("tuning changed no weight: raise summarize.tune.learning_rate and warm_start_learning_rate")
    with processes.first_alone():
        if processes.is_first():
            _save(peft, mllm, curve, out)
    return curve


def _save(peft: PeftModel, mllm: Mllm, curve: list[LogEntry], out: Path) -> None:
    """Write a trained adapter with its curve, whole or not at all."""
    n_weights = sum(weight.numel() for weight in trainable(peft).values())
    draft = out.with_name(f"{out.name}.tmp")
    shutil.rmtree(draft, ignore_errors=True)
    saved: Any = peft  # PEFT's types are partial
    saved.peft_config["default"].base_model_name_or_path = mllm.fingerprint  # a name, not a path
    saved.save_pretrained(str(draft), save_embedding_layers=False)
    for entry in curve:
        entry["trainable"] = n_weights
    (draft / "curve.json").write_text(json.dumps(curve))
    draft.rename(out)


def _measure(
    work: TuningContext,
    scorer: RewardScorer,
    summary_tasks: Sequence[SummaryTask],
    answers_of: Mapping[str, Sequence[str]],
    out: Path,
) -> dict[str, dict[str, list[TradeOffPoint]]]:
    """Write heldout.parquet, a row a task and policy; the trade-off curves by modality and policy."""
    rows: list[dict[str, Any]] = []
    trade_off: dict[str, dict[str, list[TradeOffPoint]]] = {}
    for number, (policy, answers) in enumerate(answers_of.items()):
        work.count(number, len(answers_of), "policies weighed on held-out items")
        final = _final_keywords(work, summary_tasks, answers, policy, scorer.policy_summarizer.lexicons)
        for row in scorer.table(summary_tasks, answers, final):
            item_id = work.dataset.items[int(row.pop("code"))].item_id
            rows.append({"item_id": item_id, "policy": policy, **row})
        for modality in dict.fromkeys(summary_task.modality for summary_task in summary_tasks):
            places = [place for place, summary_task in enumerate(summary_tasks) if summary_task.modality == modality]
            curve = scorer.trade_off([summary_tasks[place] for place in places], [final[place] for place in places])
            trade_off.setdefault(modality, {})[policy] = curve
    work.count(len(answers_of), len(answers_of), "policies weighed on held-out items")
    pl.DataFrame(rows, infer_schema_length=None).write_parquet(out / "heldout.parquet")
    return trade_off


def _final_keywords(
    work: TuningContext,
    summary_tasks: Sequence[SummaryTask],
    answers: Sequence[str],
    policy: str,
    lexicons: Sequence[Lexicon],
) -> list[tuple[str, ...]]:
    """The keywords of each task that later stages get, given the lexicon of each item of the catalogue."""
    item_lexicons = [lexicons[summary_task.code] for summary_task in summary_tasks]
    items = [work.dataset.items[summary_task.code] for summary_task in summary_tasks]
    text_rows = read_texts(items, answers, work.settings, policy != "untuned", work.embed, item_lexicons)
    return [
        read_image(answer, work.settings.max_keywords_image)[0] if summary_task.modality == "picture" else keywords
        for summary_task, answer, (keywords, _) in zip(summary_tasks, answers, text_rows, strict=True)
    ]


def write_card(work: TuningContext, folder: Path) -> None:
    """Write the adapter's model card."""
    (folder / "README.md").write_text(
        f"---\nlibrary_name: peft\n---\n# A summarising policy for {work.dataset.name}\n\n"
        "LoRA made by MMSRARec (arXiv 2512.20916, stage 1): asked about an item's text or picture, the model answers "
        f"with a few keywords. Seed {work.seed}.\n\n```json\n{work.tune.model_dump_json(indent=1)}\n```\n",
        encoding="utf-8",
    )
