"""Tuning survives SIGKILL at any query: every restart works and reaches the weights of an uninterrupted tuning."""

import json
import random
import time
from collections import Counter
from pathlib import Path

import kills
import polars as pl
import pytest
import torch
from safetensors.torch import load_file, save_file
from teach import embedding_model, restored_mllm, settings_of, taught_mllm
from tiny import tiny_mllm
from torch import Tensor

from mmsrarec.data.dataset import Dataset
from mmsrarec.models.backbone.adapter import WEIGHTS
from mmsrarec.models.vision import image_features
from mmsrarec.summarize import prompts
from mmsrarec.summarize.tuning import policy, trainers, training_log

STEPS = 16  # more than an epoch of 24 prompts, two a step
KILLS, LITTLE = 25, 0.15  # LITTLE: share of the work below which it is finished, and a new tuning begun


def work(dataset: Dataset, given: Path, folder: Path) -> None:
    """What the child does."""
    torch.set_num_threads(1)
    prompts.SHOTS, trainers.SAVE_STEPS = (), 1  # this process is here for nothing else
    weights, seen = load_file(given / "taught"), image_features.load(given / "features")
    (folder / "out").mkdir(parents=True, exist_ok=True)
    asked = policy.TuningContext(
        lambda: restored_mllm(weights),
        dataset,
        seen,
        settings_of(items=12, steps=STEPS, epochs=3),
        0,
        folder / "work",
        embed=embedding_model,
    )
    facts = policy.tune(asked, folder / "out")
    (folder / "facts").write_text(json.dumps(facts))


def reached(folder: Path) -> str:
    """How far a killed tuning had come."""
    there = folder / "work"
    if (folder / "out" / "adapter").exists():
        return "measuring"
    if newest := training_log.newest_checkpoint(there / "grpo"):
        return f"grpo {newest.name.rpartition('-')[2]}"
    if (there / "start").exists():
        return "grpo 0"
    if newest := training_log.newest_checkpoint(there / "warm-start"):
        return f"warm start {newest.name.rpartition('-')[2]}"
    return "best of n" if (there / "samples.jsonl").exists() else "nothing"


def result(folder: Path) -> tuple[dict[str, Tensor], pl.DataFrame, dict]:
    """Weights, answers to what was held out, and facts. Nothing else lies there."""
    assert {path.name for path in (folder / "out").iterdir()} == {"adapter", "heldout.parquet"}
    table = pl.read_parquet(folder / "out" / "heldout.parquet")
    return load_file(folder / "out" / "adapter" / WEIGHTS), table, json.loads((folder / "facts").read_text())


def logs(folder: Path) -> list[Path]:
    return [path for name in ("warm-start", "grpo") if (path := folder / "work" / name / "curve.jsonl").exists()]


def tear(folder: Path) -> None:
    """A kill amid a write cuts a line short, though seldom: so that it happens, it is done here after every kill."""
    for path in [*logs(folder), folder / "work" / "samples.jsonl"]:
        if path.exists():
            with path.open("a") as file:
                file.write('{"phase": "gr')


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in (folder / "out").rglob("*")}


def seconds_of(*args: Path | Dataset) -> float:
    begun = time.monotonic()
    kills.run_to_the_end(work, args)
    return time.monotonic() - begun


@pytest.mark.slow
def test_killed_at_any_moment_tuning_reaches_the_same_weights(
    drawn: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompts, "SHOTS", ())
    save_file(
        {name: weight.clone() for name, weight in taught_mllm(drawn).model.state_dict().items()}, tmp_path / "taught"
    )
    image_features.save(image_features.encode_catalogue_images(tiny_mllm(), drawn, 4).features, tmp_path / "features")
    rng, whole = random.Random(0), tmp_path / "whole"
    kills.run_to_the_end(work, (drawn, tmp_path, tmp_path / "first"))  # waits for the server
    at_work, idle = (seconds_of(drawn, tmp_path, whole) for _ in range(2))
    weights, table, facts = result(whole)
    assert [entry["step"] for entry in facts["curve"] if entry["phase"] == "grpo"] == list(range(1, STEPS + 1))

    tries = hits = tunings = 0
    places: Counter[str] = Counter()
    while hits < KILLS:
        folder, left, hit, before = tmp_path / f"{tunings}", at_work - idle, True, hits
        while hit and left > LITTLE * at_work and hits < KILLS:
            begun = time.monotonic()
            hit = kills.kill_at_random(work, (drawn, tmp_path, folder), rng, 0, idle + left)
            left -= max(time.monotonic() - begun - idle / 2, 0)  # about half of being idle comes before the work
            tries, hits = tries + 1, hits + hit
            places[reached(folder)] += hit
            tear(folder)
        kills.run_to_the_end(work, (drawn, tmp_path, folder))
        found, found_table, found_facts = result(folder)
        assert found.keys() == weights.keys()
        assert all(torch.equal(found[name], weights[name]) for name in weights)
        assert found_table.equals(table)
        assert found_facts == facts
        assert names(folder) == names(whole)
        for log, of_whole in zip(logs(folder), logs(whole), strict=True):  # a kill costs a step, not a phase
            done = [path.read_text().count("\n") for path in (log, of_whole)]
            assert 0 <= done[0] - done[1] <= hits - before
        tunings += 1
        assert hits >= tries / 2 or tries < 10, f"only {hits} of {tries} kills met a living process"
    print(f"{hits} of {tries} kills met a living process; {tunings} tunings finished")
    print(f"uninterrupted: {at_work:.1f} s, {idle:.1f} s when all is done; killed after: {dict(places)}")
