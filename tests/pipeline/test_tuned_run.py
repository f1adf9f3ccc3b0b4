"""Stage 1 of a run: a tuned policy, a catalogue that changes, shards."""

import json
import shutil
import sys
from pathlib import Path

import polars as pl
import pytest
from finished import done, go, report_of
from text_folders import as_text

from mmsrarec.errors import MmsrarecError
from mmsrarec.models.backbone.mllm import Mllm

TUNING = (
    "summarize.tune.steps=0", "summarize.tune.items=12", "summarize.tune.held_out_items=4", "summarize.tune.samples=4",
    "summarize.tune.first_layer=0", "summarize.tune.warm_start_learning_rate=0.01", "evaluate.splits=['leave-one-out']",
)  # fmt: skip


@pytest.fixture
def questions(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many prompts each call of the model answers."""
    asked: list[int] = []
    generate = Mllm.generate

    def counting(self, prompts, *more):
        asked.append(len(prompts))
        return generate(self, prompts, *more)

    monkeypatch.setattr(Mllm, "generate", counting)
    return asked


def change(folder: Path, to: Path, **fields: str) -> str:
    """A copy of the data in which the first item is another; as `--set` wants it."""
    as_text(Path(shutil.copytree(folder / "data", to / "data")))
    lines = (to / "data" / "items.jsonl").read_text().splitlines()
    record = json.loads(lines[0]) | fields
    (to / "data" / "items.jsonl").write_text("\n".join([json.dumps(record), *lines[1:]]) + "\n")
    return f"data={to / 'data'}"


def test_a_tuned_policy_summarizes_and_outlives_a_change_of_the_catalogue(
    finished: Path, mine: Path, tmp_path: Path, questions: list[int]
) -> None:
    summary, said = go(mine, *TUNING, stages=("summarize",))
    assert done(said) == {"tune", "summarize"}
    assert {"untuned", "tuned"} <= summary["tune"]["text"].keys()
    assert all(part["low"] <= part["value"] <= part["high"] for part in summary["tune"]["text"]["tuned"].values())
    model = pl.read_parquet(mine / "run" / "summarize" / "keywords.parquet")["model"]
    assert model.n_unique() == 1
    assert "+" in model[0]
    page = (mine / "run" / "evaluate" / "summaries.html").read_text()
    assert "Winter" in page or "mug" in page
    assert not done(go(mine, *TUNING, stages=("summarize",))[1])
    questions.clear()
    changed = change(finished, tmp_path, title="Altogether new")
    _, said = go(mine, *TUNING, changed, stages=("summarize",))
    assert done(said) == {"summarize"}  # a title is no part of a picture
    assert "tune: kept, though the catalogue has changed" in said
    assert sum(questions) == 1
    _, said = go(mine, *TUNING, changed, stages=("summarize",), retune=True)
    assert done(said) == {"tune", "summarize"}
    assert not done(go(mine, *TUNING, changed, stages=("summarize",))[1])


def test_one_changed_item_costs_one_question_and_no_look_at_the_other_pictures(
    finished: Path, mine: Path, tmp_path: Path, questions: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    encode_images = Mllm.encode_images
    monkeypatch.setattr(
        Mllm, "encode_images", lambda self, seen, tokens: looks.append(len(seen)) or encode_images(self, seen, tokens)
    )
    _, said = go(mine, change(finished, tmp_path, title="Altogether new"), stages=("summarize",))
    assert done(said) == {"summarize"}  # a title is no part of a picture
    assert sum(questions) == 1
    assert sum(looks) == 0


def test_shards_are_joined_and_nothing_is_asked_again(finished: Path, tmp_path: Path, questions: list[int]) -> None:
    shutil.copy(finished / "tiny.toml", tmp_path)
    for number in range(3):
        summary, _ = go(tmp_path, stages=("summarize",), shard=(number, 3))
        assert summary["summarize"]["shard"] == f"{number + 1}/3"
        assert not (tmp_path / "run" / "summarize").exists()
    asked = sum(questions)
    _, said = go(tmp_path, stages=("summarize",))
    assert "answers taken from summaries-2-of-3.sqlite" in said
    assert sum(questions) == asked
    neighbour_votes = [pl.read_parquet(f / "run" / "summarize" / "keywords.parquet") for f in (tmp_path, finished)]
    assert neighbour_votes[0].equals(neighbour_votes[1])


@pytest.mark.slow
def test_the_ablation_of_tuning_reads_the_untuned_keywords(mine: Path) -> None:
    ablation = "evaluate.ablations=['untuned keywords']"
    _, said = go(mine, *TUNING, ablation, "evaluate.rows=['sasrec', 'mmsrarec']")
    assert {"summarize-untuned", "recommend/leave-one-out/untuned-keywords"} <= done(said)
    kept = {
        part: pl.read_parquet(mine / "run" / part / "keywords.parquet")["model"][0]
        for part in ("summarize", "summarize-untuned")
    }
    assert kept["summarize"].startswith(kept["summarize-untuned"] + "+")
    assert "mmsrarec, untuned keywords" in {pair["b"] for pair in report_of(mine)["pairs"]}


def test_tuning_without_its_packages_is_one_line(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ["trl", *(name for name in sys.modules if name.startswith("trl."))]:
        monkeypatch.setitem(sys.modules, name, None)
    for name in [name for name in sys.modules if name.startswith("mmsrarec.summarize.t")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(
        MmsrarecError, match=r"tuning the summaries needs the package trl.*: pip install 'mmsrarec\[tune\]'"
    ):
        go(mine, *TUNING, stages=("summarize",))
