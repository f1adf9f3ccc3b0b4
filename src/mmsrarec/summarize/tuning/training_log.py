"""The log and the checkpoints of a training that may be killed and started again."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from mmsrarec.core.memory import release_memory
from mmsrarec.core.progress import Count
from mmsrarec.models import processes

COMPLETE = "complete"
"""The file in a checkpoint's folder that is written last."""
LOG_FILE = "curve.jsonl"
"""The log of training in the folder of checkpoints."""
LogEntry = dict[str, Any]
"""What the log of training says of a step."""


class TuningCallback(TrainerCallback):
    """Marks complete checkpoints, keeps the log beside them, and shows progress.

    Attributes:
        work: The folder of checkpoints.
        phase: The name of the training in the log.
        steps: Steps in all.
        count: Called with (done, total, label).
        profiles: The profiles of the answers so far; the last one joins the entry of a step.
    """

    def __init__(
        self, work: Path, phase: str, steps: int, count: Count, profiles: Sequence[Mapping[str, float]]
    ) -> None:
        self.work, self.phase, self.steps, self.count, self.profiles = work, phase, steps, count, profiles

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Mark the checkpoint as complete, once every process has written its part."""
        processes.wait()
        if processes.is_first():
            (self.work / f"checkpoint-{state.global_step}" / COMPLETE).touch()

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Write the entry of a step."""
        logs = logs or {}
        if "loss" not in logs or not processes.is_first():
            return
        entry: LogEntry = {"phase": self.phase, "step": state.global_step, "loss": logs["loss"], **_rewards(logs)}
        if self.profiles:
            entry |= self.profiles[-1]
        with (self.work / LOG_FILE).open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Show progress."""
        release_memory()
        if processes.is_first():
            self.count(state.global_step, self.steps, f"tuning the summaries, {self.phase}")


def _rewards(logs: Mapping[str, Any]) -> LogEntry:
    """What TRL logs of rewards and answers, in the names of the curve."""
    if "reward" not in logs:
        return {}
    names = [name.split("/")[1] for name in logs if name.startswith("rewards/") and name.endswith("/mean")]
    return {
        "reward": logs["reward"],
        "reward_std": logs["reward_std"],
        "alike": logs["frac_reward_zero_std"],
        "tokens": logs["completions/mean_length"],
        "rewards": {n: {"mean": logs[f"rewards/{n}/mean"], "std": logs[f"rewards/{n}/std"]} for n in names},
    }


def cut_log(log: Path) -> None:
    """Cut off the line that a killed process left half-written; its step has no checkpoint and is done again."""
    if log.exists():
        os.truncate(log, log.read_bytes().rfind(b"\n") + 1)


def read_log(log: Path) -> list[LogEntry]:
    """The entries of a log by step; of a step that a restart did twice, the last entry counts."""
    if not log.exists():
        return []
    entries: list[LogEntry] = [json.loads(line) for line in log.read_text().splitlines()]
    entry_of = {entry["step"]: entry for entry in entries}
    return [entry_of[step] for step in sorted(entry_of)]


def newest_checkpoint(work: Path) -> Path | None:
    """The newest checkpoint in a folder that was written to its end; None where there is none."""
    checkpoints = [path.parent for path in work.glob(f"checkpoint-*/{COMPLETE}")]
    return max(checkpoints, key=lambda path: int(path.name.rpartition("-")[2]), default=None)
