"""Tuning the summarising policy (arXiv 2512.20916, stage 1): warm start, then GRPO, LoRA on the language model only.

held-out answers before -> best of n -> supervised fine-tuning -> GRPO -> held-out answers after

Every step leaves its result in a work folder, and a stopped tuning goes on from there to the same weights.
"""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from peft import PeftModel
from peft.utils import set_peft_model_state_dict
from safetensors.torch import load_file
from torch import Tensor

from mmsrarec.core.progress import Count
from mmsrarec.data.dataset import Dataset
from mmsrarec.errors import MmsrarecError
from mmsrarec.models.backbone.adapter import WEIGHTS, adapter_hash, add_adapter, merge_adapter, trainable
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.backbone.text_embedder import Embedder
from mmsrarec.summarize.language.lexicon import Lexicon
from mmsrarec.summarize.settings import SummarizeSettings, TuneSettings
from mmsrarec.summarize.summarizer import read_image, read_texts
from mmsrarec.summarize.tuning.best_of_n import best_of
from mmsrarec.summarize.tuning.reward_scorer import RewardScorer, load_language_model
from mmsrarec.summarize.tuning.trainers import grpo, warm_start
from mmsrarec.summarize.tuning.tuning_tasks import PolicySummarizer, SummaryTask, split_summary_tasks


@dataclass(frozen=True)
class TuningContext:
    """What tuning works with. load: a fresh untuned model. rows: answers trained on at once; batch: asked at once."""

    load: Callable[[], Mllm]
    dataset: Dataset
    features: Mapping[int, Tensor]
    settings: SummarizeSettings
    seed: int
    folder: Path
    rows: int = 32
    batch: int = 32
    count: Count = lambda done, total, label: None
    embed: Callable | None = None

    @property
    def tune(self) -> TuneSettings:
        assert self.settings.tune is not None
        return self.settings.tune

    def policy_summarizer(self, mllm: Mllm) -> PolicySummarizer:
        return PolicySummarizer(mllm, self.dataset, self.features, self.settings)


def tune(work: TuningContext, out: Path) -> dict:
    """Write adapter/ and heldout.parquet into `out`, and return the curve and what was tuned on.

    Raises MmsrarecError where nothing can be tuned, or where the training changed nothing.
    """
    tuned_on, heldout = split_summary_tasks(work.dataset, work.features, work.settings, work.seed)
    if not tuned_on or not heldout:
        raise MmsrarecError("too few items to tune on and to hold out: tune on a larger catalogue, or not at all")
    work.folder.mkdir(parents=True, exist_ok=True)
    mllm = work.load()
    policy_summarizer, judge = _reward_scorer(work, mllm, tuned_on)
    before = _greedy(work, policy_summarizer, heldout, "before")
    chosen = _choose(work, judge, tuned_on)
    start, facts = work.folder / "start", {"best_of": _gain(chosen)}
    curve = _phase(
        work,
        start,
        lambda peft, policy_summarizer, judge: _start(work, policy_summarizer, peft, chosen),
        mllm,
        tuned_on,
    )
    curve += _phase(
        work,
        out / "adapter",
        lambda peft, policy_summarizer, judge: (
            grpo(
                policy_summarizer,
                judge,
                peft,
                tuned_on,
                work.tune,
                work.seed,
                work.folder / "grpo",
                work.rows,
                work.count,
            )
            if work.tune.steps
            else []
        ),
        work.load(),
        tuned_on,
        start,
    )
    said = {"untuned": before}
    if chosen and work.tune.steps:
        said["warm start"] = _tuned(work, start, heldout, "after the warm start of")
    said["tuned"] = _tuned(work, out / "adapter", heldout, "after")
    if said["tuned"] == before:
        raise MmsrarecError(
            "the tuned policy answers as the untuned one does: raise summarize.tune.learning_rate or steps"
        )
    _, judge = _reward_scorer(work, work.load(), tuned_on)
    facts |= _measure(work, judge, heldout, said, out)
    card(work, out / "adapter")
    return {**facts, "tuned_on": len(tuned_on), "held_out": len(heldout), "curve": curve}


def _reward_scorer(
    work: TuningContext, mllm: Mllm, tuned_on: Sequence[SummaryTask]
) -> tuple[PolicySummarizer, RewardScorer]:
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
    label = f"held-out items, {when} tuning"
    return policy_summarizer.greedy(
        summary_tasks, shots, work.batch, lambda done: work.count(done, len(summary_tasks), label)
    )


def _tuned(work: TuningContext, adapter: Path, summary_tasks: Sequence[SummaryTask], when: str) -> list[str]:
    """As `_greedy`, by the policy that an adapter makes."""
    return _greedy(work, work.policy_summarizer(merge_adapter(work.load(), adapter)), summary_tasks, when, shots=False)


def _choose(
    work: TuningContext, judge: RewardScorer, summary_tasks: Sequence[SummaryTask]
) -> list[tuple[SummaryTask, dict]]:
    """The subjects with their best answers; those without any usable one teach nothing and are left out."""
    if not work.tune.samples:
        return []
    file = work.folder / "samples.jsonl"
    rows = best_of(judge, summary_tasks, work.tune.samples, work.tune.temperature, work.seed, file, work.count)
    return [(summary_task, row) for summary_task, row in zip(summary_tasks, rows, strict=True) if row["answer"]]


def _gain(chosen: Sequence[tuple[SummaryTask, dict]]) -> dict[str, float]:
    rows = [row for _, row in chosen]
    means = {name: sum(row[name] for row in rows) / max(len(rows), 1) for name in ("first", "reward")}
    return {"answers": len(rows), **means}


def _start(
    work: TuningContext,
    policy_summarizer: PolicySummarizer,
    peft: PeftModel,
    chosen: Sequence[tuple[SummaryTask, dict]],
) -> list[dict]:
    if not chosen:
        return []
    pairs = [(summary_task, row["answer"]) for summary_task, row in chosen]
    folder = work.folder / "warm-start"
    return warm_start(policy_summarizer, peft, pairs, work.tune, work.seed, folder, work.rows, work.count)


def _phase(
    work: TuningContext,
    out: Path,
    train: Callable[[PeftModel, PolicySummarizer, RewardScorer], list[dict]],
    mllm: Mllm,
    tuned_on: Sequence[SummaryTask],
    start: Path | None = None,
) -> list[dict]:
    """Train an adapter, from the weights in `start` if given, and save it in `out` with its curve."""
    if (out / "curve.json").exists():
        return json.loads((out / "curve.json").read_text())
    peft = add_adapter(mllm, work.tune.rank, work.tune.first_layer, work.seed, float32=True)
    if start is not None:
        set_peft_model_state_dict(peft, load_file(start / WEIGHTS))
    policy_summarizer, judge = _reward_scorer(work, mllm, tuned_on)
    before = adapter_hash(peft)
    curve = train(peft, policy_summarizer, judge)
    if curve and adapter_hash(peft) == before:
        raise MmsrarecError("tuning changed no weight: raise summarize.tune.learning_rate and lr_start")
    count = sum(weight.numel() for weight in trainable(peft).values())
    draft = out.with_name(f"{out.name}.tmp")
    shutil.rmtree(draft, ignore_errors=True)
    peft.peft_config["default"].base_model_name_or_path = mllm.fingerprint  # a name, not a path
    peft.save_pretrained(str(draft), save_embedding_layers=False)
    for entry in curve:
        entry["trainable"] = count
    (draft / "curve.json").write_text(json.dumps(curve))
    draft.rename(out)
    return curve


def _measure(
    work: TuningContext,
    judge: RewardScorer,
    summary_tasks: Sequence[SummaryTask],
    said: Mapping[str, Sequence[str]],
    out: Path,
) -> dict:
    """heldout.parquet, a row a subject and policy, and the curves of length against information."""
    rows, trade_off = [], {}
    for number, (policy, answers) in enumerate(said.items()):
        work.count(number, len(said), "policies weighed on held-out items")
        read = _read(work, summary_tasks, answers, policy, judge.policy_summarizer.lexicons)
        for row in judge.table(summary_tasks, answers, read):
            item = work.dataset.items[row.pop("code")].item_id
            rows.append({"item_id": item, "policy": policy, **row})
        for modality in dict.fromkeys(summary_task.modality for summary_task in summary_tasks):
            places = [place for place, summary_task in enumerate(summary_tasks) if summary_task.modality == modality]
            curve = judge.trade_off([summary_tasks[p] for p in places], [read[p] for p in places])
            trade_off.setdefault(modality, {})[policy] = curve
    work.count(len(said), len(said), "policies weighed on held-out items")
    pl.DataFrame(rows, infer_schema_length=None).write_parquet(out / "heldout.parquet")
    return {"trade_off": trade_off}


def _read(
    work: TuningContext,
    summary_tasks: Sequence[SummaryTask],
    answers: Sequence[str],
    policy: str,
    lexicons: Sequence[Lexicon],
) -> list[tuple[str, ...]]:
    """The keywords that later stages get, the fallback's included. lexicons: of each item of the catalogue."""
    spoken = [lexicons[summary_task.code] for summary_task in summary_tasks]
    items = [work.dataset.items[summary_task.code] for summary_task in summary_tasks]
    texts = read_texts(items, answers, work.settings, policy != "untuned", work.embed, spoken)
    return [
        read_image(answer, work.settings.max_keywords_image)[0] if summary_task.modality == "picture" else text
        for summary_task, answer, (text, _) in zip(summary_tasks, answers, texts, strict=True)
    ]


def card(work: TuningContext, folder: Path) -> None:
    """The adapter's model card."""
    (folder / "README.md").write_text(
        f"---\nlibrary_name: peft\n---\n# A summarising policy for {work.dataset.name}\n\n"
        "LoRA made by MMSRARec (arXiv 2512.20916, stage 1): asked about an item's text or picture, the model answers "
        f"with a few keywords. Seed {work.seed}.\n\n```json\n{work.tune.model_dump_json(indent=1)}\n```\n",
        encoding="utf-8",
    )
