"""The log of training: one entry a step, whatever was killed and started again; and the checkpoints beside it."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import TrainerControl, TrainerState, TrainingArguments

from mmsrarec.summarize.tuning.training_log import (
    COMPLETE,
    LOG_FILE,
    TuningCallback,
    cut_log,
    newest_checkpoint,
    read_log,
)

reused_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
REWARDS = {
    "reward": 0.5,
    "reward_std": 0.1,
    "frac_reward_zero_std": 0.25,
    "completions/mean_length": 7.0,
    "rewards/information/mean": 0.4,
    "rewards/information/std": 0.2,
    "rewards/length/mean": -0.3,
    "rewards/length/std": 0.05,
}
"""What TRL's GRPO trainer logs of a step, beside the loss."""


def callback(work: Path, profiles: list | None = None, told: list | None = None) -> TuningCallback:
    return TuningCallback(
        work, "grpo", 9, lambda *count: (told if told is not None else []).append(count), profiles or []
    )


def at(step: int, work: Path) -> tuple[TrainingArguments, TrainerState, TrainerControl]:
    return TrainingArguments(output_dir=str(work), report_to=[]), TrainerState(global_step=step), TrainerControl()


def write(log: Path, steps: list[int]) -> list[dict]:
    entries = [{"step": step, "written": number} for number, step in enumerate(steps)]
    log.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return entries


@reused_folder
@given(st.lists(st.integers(0, 12), max_size=20))
def test_a_log_has_each_step_once_in_order_as_it_was_done_last(tmp_path: Path, steps: list[int]) -> None:
    write(tmp_path / LOG_FILE, steps)
    read = read_log(tmp_path / LOG_FILE)
    assert [entry["step"] for entry in read] == sorted(set(steps))
    last = len(steps) - 1
    assert all(entry["written"] == last - steps[::-1].index(entry["step"]) for entry in read)


@reused_folder
@given(st.lists(st.integers(0, 12), max_size=6, unique=True), st.integers(0, 400))
def test_a_log_cut_anywhere_by_a_kill_keeps_all_whole_lines_and_can_go_on(
    tmp_path: Path, steps: list[int], written: int
) -> None:
    log = tmp_path / LOG_FILE
    entries = write(log, steps)
    whole = log.read_bytes()[:written]
    log.write_bytes(whole)
    cut_log(log)
    kept = entries[: whole.count(b"\n")]
    assert read_log(log) == sorted(kept, key=lambda entry: entry["step"])
    cut_log(log)
    with log.open("a") as file:
        file.write(json.dumps({"step": 99}) + "\n")
    assert read_log(log)[-1] == {"step": 99}
    assert len(read_log(log)) == len(kept) + 1


def test_without_a_log_there_is_nothing_to_read_and_nothing_is_made(tmp_path: Path) -> None:
    cut_log(tmp_path / LOG_FILE)
    assert read_log(tmp_path / LOG_FILE) == []
    assert list(tmp_path.iterdir()) == []


def test_an_entry_says_the_phase_the_loss_and_what_the_rewards_were(tmp_path: Path) -> None:
    profiles = [{"keywords": 1.0, "empty": 0.5}]
    log = callback(tmp_path, profiles)
    log.on_log(*at(1, tmp_path), logs={"loss": 2.0})
    profiles.append({"keywords": 3.0, "empty": 0.0})
    log.on_log(*at(2, tmp_path), logs={"loss": 1.5, "grad_norm": 9.0, **REWARDS})
    first, second = read_log(tmp_path / LOG_FILE)
    assert first == {"phase": "grpo", "step": 1, "loss": 2.0, "keywords": 1.0, "empty": 0.5}
    assert second == {
        "phase": "grpo",
        "step": 2,
        "loss": 1.5,
        "reward": 0.5,
        "reward_std": 0.1,
        "alike": 0.25,
        "tokens": 7.0,
        "rewards": {"information": {"mean": 0.4, "std": 0.2}, "length": {"mean": -0.3, "std": 0.05}},
        "keywords": 3.0,
        "empty": 0.0,
    }


@pytest.mark.parametrize("logs", [None, {}, {"train_runtime": 3.0, "train_loss": 0.5}])
def test_what_is_logged_at_the_end_of_training_is_no_step(tmp_path: Path, logs: dict | None) -> None:
    callback(tmp_path).on_log(*at(3, tmp_path), logs=logs)
    assert not (tmp_path / LOG_FILE).exists()


def test_a_checkpoint_counts_once_it_is_complete(tmp_path: Path) -> None:
    for step in (9, 10, 100):
        (tmp_path / f"checkpoint-{step}").mkdir()
    log = callback(tmp_path)
    assert newest_checkpoint(tmp_path) is None
    log.on_save(*at(9, tmp_path))
    assert newest_checkpoint(tmp_path) == tmp_path / "checkpoint-9"
    log.on_save(*at(10, tmp_path))
    assert newest_checkpoint(tmp_path) == tmp_path / "checkpoint-10"  # as numbers: 9 is no later than 10


@reused_folder
@given(complete=st.sets(st.integers(0, 2000), max_size=5), torn=st.sets(st.integers(0, 2000), max_size=5))
def test_the_newest_checkpoint_is_the_largest_step_that_was_written_to_its_end(
    tmp_path_factory: pytest.TempPathFactory, complete: set[int], torn: set[int]
) -> None:
    work = tmp_path_factory.mktemp("work")
    for step in complete | torn:
        (work / f"checkpoint-{step}").mkdir()
        if step in complete:
            (work / f"checkpoint-{step}" / COMPLETE).touch()
    newest = newest_checkpoint(work)
    assert newest == (work / f"checkpoint-{max(complete)}" if complete else None)


def test_a_checkpoint_that_the_trainer_did_not_write_is_not_marked(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        callback(tmp_path).on_save(*at(4, tmp_path))
    assert newest_checkpoint(tmp_path) is None


def test_every_step_tells_how_far_the_training_is(tmp_path: Path) -> None:
    told: list = []
    log = callback(tmp_path, told=told)
    for step in (1, 2):
        log.on_step_end(*at(step, tmp_path))
    assert told == [(1, 9, "tuning the summaries, grpo"), (2, 9, "tuning the summaries, grpo")]
