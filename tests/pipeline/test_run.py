"""A run from recipe to report: what comes out, how it goes on, what is said when it cannot be."""

import json
import re
import shutil
from pathlib import Path

import pytest
from finished import CLASSIC, TUNED, done, evaluated, go, recipe_in, report_of

from mmsrarec.cli import commands
from mmsrarec.core.artefacts import verify
from mmsrarec.core.progress import Progress
from mmsrarec.data.folder import load
from mmsrarec.errors import MmsrarecError
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.pipeline.run import run
from mmsrarec.recommend.training import fine_tuning


def test_the_report_has_every_row_under_every_protocol(finished: Path) -> None:
    report = report_of(finished)
    parts = {
        "data",
        "diagnostics",
        "manifest",
        "rows",
        "resamples",
        "pairs",
        "facts",
        "attributes",
        "notes",
        "served",
        "leaks",
        "summaries",
        "published",
        "spread",
        "spread_pairs",
        "sweeps",
        "users",
        "worse",
        "lost_users",
    }
    assert report.keys() == parts
    found = {(row["protocol"], row["split"]): [] for row in report["rows"]}
    for row in report["rows"]:
        found[row["protocol"], row["split"]].append(row["model"])
        assert row.keys() == {
            *("protocol", "split", "model", "variant", "seed", "users", "metrics", "cost", "coverage", "slices")
        }
        assert (row["coverage"] is not None) == (row["protocol"] == "full")
        assert row["users"] > 0
        assert all(0 <= m["low"] <= m["value"] <= m["high"] <= 1 for m in row["metrics"].values())
    choice = next(finished.rglob("generators/leave-one-out-*.json"))
    names: list[str] = json.loads(choice.read_text())["names"]
    together = ["+".join(names)] if len(names) > 1 else []
    assert found == {
        ("published", "leave-one-out"): [*CLASSIC, "context-only", *TUNED],
        ("full", "leave-one-out"): [*CLASSIC, *together, "mmsrarec"],
        ("published", "user-8-1-1"): [*CLASSIC, "context-only", *TUNED],
    }
    (reranked,) = (row for row in report["rows"] if row["protocol"] == "full" and row["model"] == "mmsrarec")
    assert reranked["variant"].startswith("re-ranks ")
    costs = {"tokens_per_user", "calls_per_user", "ms_per_user", "peak_mb"}
    assert all(row["cost"].keys() == costs for row in report["rows"] if row["model"] in TUNED)
    assert {pair["a"] for pair in report["pairs"] if pair["protocol"] == "published"} == {"mmsrarec"}
    assert {pair["b"] for pair in report["pairs"] if pair["protocol"] == "published"} == {
        *CLASSIC,
        "context-only",
        TUNED[0],
    }
    assert [(table["protocol"], table["split"], table["a"]) for table in report["worse"]] == [
        ("published", "leave-one-out", "mmsrarec"),
        ("full", "leave-one-out", f"mmsrarec, {reranked['variant']}"),
        ("published", "user-8-1-1", "mmsrarec"),
    ]
    single = {row["model"] for row in report["rows"] if row["model"] != "mmsrarec"}
    assert all({"all users"} < {part["part"] for part in table["parts"]} for table in report["worse"])
    assert all(table["b"] in single for table in report["worse"])
    assert len(report["users"]) == 2
    assert all("had it at place" in user["note"] for user in report["lost_users"])
    assert [(fact["protocol"], fact["split"]) for fact in report["facts"]] == [
        ("published", "leave-one-out"),
        ("full", "leave-one-out"),
        ("published", "user-8-1-1"),
    ]
    assert report["attributes"]["items"] == 60
    assert {name for name in report["attributes"] if name.startswith("series")} == {
        "series told apart, titles",
        "series told apart, whole",
    }


def test_users_are_shown_with_reasons(finished: Path) -> None:
    shown = report_of(finished)["users"]
    assert len(shown) == 2
    for user in shown:
        assert len(user["recommendations"]) == 3
        assert all(item["because"] for item in user["recommendations"][:1])
        had = {item["item_id"] for item in user["history"]}
        assert not had & {item["item_id"] for item in user["recommendations"]}
    page = (finished / "run" / "evaluate" / "report.html").read_text()
    assert shown[0]["recommendations"][0]["title"] in page
    assert "data:image/jpeg" in page


def test_every_part_is_whole_and_listed(finished: Path) -> None:
    manifest = json.loads((finished / "run" / "manifest.json").read_text())
    assert {"pictures", "summarize", "retrieve/leave-one-out", "recommend/user-8-1-1/whole"} <= manifest["parts"].keys()
    for part, key in manifest["parts"].items():
        assert verify(finished / "run" / part)["key"] == key
    assert not (finished / "run" / "unfinished").exists() or not list((finished / "run" / "unfinished").iterdir())
    assert not list((finished / "run").rglob("*.tmp"))
    training = json.loads((finished / "run" / "recommend" / "leave-one-out" / "whole" / "training.json").read_text())
    assert [line["step"] for line in training["curve"]] == [0, 1, 2]


def test_a_broken_picture_leaves_its_item_text_only(finished: Path) -> None:
    rejected = json.loads((finished / "run" / "pictures" / "rejected.json").read_text())
    dataset = load(finished / "data")
    assert list(rejected) == [next(item.item_id for item in dataset.items if item.image)]
    assert any(words in rejected[min(rejected)] for words in ("damaged", "cut short", "not a readable"))


def test_stages_can_be_had_one_by_one(finished: Path, tmp_path: Path) -> None:
    shutil.copy(finished / "tiny.toml", tmp_path)
    few = [
        "evaluate.splits=['leave-one-out']",
        "evaluate.rows=['random', 'sasrec', 'mmsrarec']",
        "evaluate.shown_users=0",
    ]
    with pytest.raises(MmsrarecError, match="summarize is not a finished artefact"):
        go(tmp_path, *few, stages=("recommend",))
    assert done(go(tmp_path, *few, stages=("summarize",))[1]) == {"pictures", "summarize"}
    assert done(go(tmp_path, *few, stages=("retrieve",))[1]) == {"retrieve/leave-one-out"}
    assert done(go(tmp_path, *few, stages=("recommend",))[1]) == {"recommend/leave-one-out/whole"}
    summary, said = go(tmp_path, *few, stages=("evaluate",))
    assert not done(said)
    assert summary["rows"] == 7
    assert not done(go(tmp_path, *few)[1])  # the whole finds nothing left to do
    neighbour_votes = [
        json.loads((folder / "run" / "summarize" / "manifest.json").read_text()) for folder in (tmp_path, finished)
    ]
    assert neighbour_votes[0]["files"] == neighbour_votes[1]["files"]


@pytest.mark.parametrize(
    ("rows", "stage", "part", "command"),
    [
        (["sasrec"], "evaluate", "retrieve/leave-one-out", "retrieve"),
        (["neighbours-only"], "evaluate", "retrieve/leave-one-out", "retrieve"),
        (["popularity", "gru4rec"], "evaluate", "retrieve/leave-one-out", "retrieve"),
        (["mllm-msr"], "evaluate", "retrieve/leave-one-out", "retrieve"),
        (["mllm-msr"], "recommend", "pictures", "summarize"),
        (["content-sasrec"], "retrieve", "summarize", "summarize"),
        (["sasrec", "mmsrarec"], "evaluate", "summarize", "summarize"),
    ],
)
def test_a_stage_by_itself_names_what_goes_before_it(
    finished: Path, tmp_path: Path, rows: list[str], stage: str, part: str, command: str
) -> None:
    shutil.copy(finished / "tiny.toml", tmp_path)
    with pytest.raises(MmsrarecError) as error:
        go(tmp_path, f"evaluate.rows={rows}", "evaluate.splits=['leave-one-out']", stages=(stage,))
    assert str(error.value).startswith(f"{part} is not a finished artefact")
    assert f"make it first with mmsrarec {command} " in str(error.value)
    assert not (tmp_path / "run" / "retrieve").exists()


def test_without_a_language_model_nothing_of_it_is_made(finished: Path, tmp_path: Path, no_model: None) -> None:
    shutil.copy(finished / "tiny.toml", tmp_path)
    rows, split = "evaluate.rows=['random', 'item-knn']", "evaluate.splits=['leave-one-out']"
    summary, said = go(tmp_path, rows, split)
    assert not done(said)
    assert summary.keys() == {"run", "report", "rows", "seconds"}
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"recipe.toml", "manifest.json", "evaluate"}
    report = report_of(tmp_path)
    assert [row["model"] for row in report["rows"]] == ["random", "random", "item-knn", "item-knn"]
    assert (report["attributes"], report["users"], report["pairs"], report["summaries"]) == ({}, [], [], False)
    assert report["worse"] == report["lost_users"] == []
    of_rows = [note for note in report["notes"] if "sealed" not in note]
    assert all("item-knn" in note for note in of_rows)
    assert len(of_rows) == 2  # what it was trained on, and its settings
    page = (tmp_path / "run" / "evaluate" / "report.html").read_text()
    assert "language model" not in page
    _, said = go(tmp_path, "evaluate.rows=['random', 'item-knn', 'sasrec']", split)
    assert done(said) == {"retrieve/leave-one-out"}
    sasrec = {f"sasrec, whole: {protocol}, leave-one-out" for protocol in ("published", "full")}
    assert evaluated(said) == sasrec | {"context-only, whole: published, leave-one-out"}


def test_repeats_draw_and_train_anew_what_is_behind_stage_1(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = 'evaluate.rows=["popularity","sasrec","mmsrarec"]'
    asked: list[object] = []
    monkeypatch.setattr(Mllm, "generate", lambda *arguments: asked.append(arguments))
    go(mine, rows, "evaluate.n_seeds=2")
    assert not asked  # stage 1 is shared
    report = json.loads((mine / "run" / "evaluate" / "report.json").read_text())
    again = json.loads((mine / "run" / "seeds" / "1" / "evaluate" / "report.json").read_text())
    assert {row["seed"] for row in report["rows"]} == {0}
    assert {row["seed"] for row in again["rows"]} == {1}
    hashes = [{fact["candidate_hash"] for fact in one["facts"]} for one in (report, again)]
    assert hashes[0].isdisjoint(hashes[1] - {None})
    for told in report["spread"]:
        same = [
            row["metrics"]["NDCG@10" if told["protocol"] == "full" else "HR@5"]["value"]
            for one in (report, again)
            for row in one["rows"]
            if all(row[name] == told[name] for name in ("protocol", "split", "model"))
            and re.sub(" sasrec| with sasrec", "", row["variant"]) == told["variant"]
        ]
        metric = told["metrics"]["NDCG@10" if told["protocol"] == "full" else "HR@5"]
        assert metric["value"] == pytest.approx(sum(same) / 2)
        assert metric["sd"] == pytest.approx(abs(same[0] - same[1]) / 2**0.5)
    assert {told["model"] for told in report["spread"]} >= {"popularity", "sasrec", "mmsrarec"}
    assert {pair["b"] for pair in report["spread_pairs"]} >= {"popularity", "sasrec"}
    assert "Seeds 0, 1" in (mine / "run" / "evaluate" / "report.html").read_text()
    assert not any(
        part.startswith("seeds") for part in json.loads((mine / "run" / "manifest.json").read_text())["parts"]
    )
    _, said = go(mine, rows, "evaluate.n_seeds=2")
    assert "done in" not in said
    assert "2 seeds together, published, " in said


def test_plain_fine_tuning_with_pictures_is_a_row(mine: Path) -> None:
    few = ("evaluate.splits=['leave-one-out']", "evaluate.shown_users=0")
    _, said = go(mine, f"evaluate.rows={[*CLASSIC, 'plain-fine-tuning-with-pictures', *TUNED]}", *few)
    assert done(said) == {"recommend/leave-one-out/titles-and-pictures"}
    assert evaluated(said) == {"plain-fine-tuning-with-pictures, whole: published, leave-one-out"}


def test_a_stopped_tuning_goes_on(mine: Path, finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fine_tuning, "CHECKPOINT_SECONDS", 0)
    shutil.rmtree(mine / "run" / "recommend")
    part = Path("run") / "recommend" / "leave-one-out" / "titles" / "adapter" / "adapter_model.safetensors"
    calls: list[int] = []
    step = fine_tuning.Trainer.step

    def twice(self, loss, **how):
        if len(calls) == 2:
            calls.append(0)
            raise KeyboardInterrupt
        calls.append(1)
        step(self, loss, **how)

    monkeypatch.setattr(fine_tuning.Trainer, "step", twice)
    with pytest.raises(KeyboardInterrupt):
        go(mine)
    assert not (mine / part).exists()
    assert list((mine / "run" / "unfinished").iterdir())
    _, said = go(mine)
    assert (mine / part).read_bytes() == (finished / part).read_bytes()
    assert len(calls) == 3 + 1 + 3 * 3  # two steps, the stop, the last step; three whole trainings
    assert len(done(said)) == 4


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data=/nowhere/at/all"], "/nowhere/at/all does not exist: make a data folder"),
        (["recommend.epoch=3"], "unknown key recommend.epoch"),
        (["recommend.learning_rate=2"], "recommend.learning_rate"),
        (["evaluate.rows=['guessing']"], 'unknown row "guessing": choose from random'),
        (["evaluate.ablations=['nothing']"], 'unknown variant "nothing": choose from whole'),
        (["recommend.first_layer=2"], "first_layer is 2, but the model has 2 layers"),
    ],
)
def test_what_cannot_be_is_one_line(overrides: list[str], message: str, mine: Path, capsys) -> None:
    flags = [part for override in overrides for part in ("--set", override)]
    assert commands.call(["run", str(mine / "tiny.toml"), "--out", str(mine / "run"), *flags]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err.splitlines()[-1]


def test_an_unknown_stage_and_bad_data_write_nothing(finished: Path, tmp_path: Path) -> None:
    with pytest.raises(MmsrarecError, match="unknown stage nonsense: choose from pictures"):
        run(recipe_in(finished), tmp_path / "run", ("nonsense",), Progress())
    with pytest.raises(MmsrarecError, match="does not exist"):
        run(recipe_in(finished, f"data={tmp_path / 'no'}"), tmp_path / "run", None, Progress())
    assert not (tmp_path / "run").exists()
