"""A run from recipe to report: what comes out, what is done again and what is not, what is said when it cannot be."""

import io
import json
import shutil
import sys
from pathlib import Path

import polars as pl
import pytest
from finished import copy_run, go, recipe_in

from mmsrarec import cli
from mmsrarec.artefacts import verify
from mmsrarec.data.tables import load
from mmsrarec.errors import MmsrarecError
from mmsrarec.models import mllm
from mmsrarec.models.mllm import Mllm
from mmsrarec.progress import Progress
from mmsrarec.recipe import load_recipe
from mmsrarec.recommend import tune
from mmsrarec.recommender import Recommender
from mmsrarec.retrieve.encode import Encoder
from mmsrarec.run import Run, run

SEQUENCE = ["sasrec", "gru4rec", "bert4rec"]
CLASSIC = [
    *("random", "popularity", "popularity-as-of", "recent-popularity", "sequential-rules", "item-knn", "user-knn"),
    *("als", "ease", *SEQUENCE, "neighbours-only"),
]
TUNED = ["plain-fine-tuning", "mmsrarec"]


@pytest.fixture
def mine(finished: Path, tmp_path: Path) -> Path:
    """A finished run that may be written to."""
    return copy_run(finished, tmp_path)


@pytest.fixture
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(settings: object) -> None:
        raise AssertionError("the model was loaded")

    monkeypatch.setattr(Mllm, "load", refuse)


def report_of(folder: Path) -> dict:
    return json.loads((folder / "run" / "evaluate" / "report.json").read_text())


def done(said: str) -> set[str]:
    """The parts that were computed."""
    return {line.partition(": done in")[0] for line in said.splitlines() if ": done in" in line}


def evaluated(said: str) -> set[str]:
    return {line.removeprefix("evaluating ") for line in said.splitlines() if line.startswith("evaluating ")}


def test_the_report_has_every_row_under_every_protocol(finished: Path) -> None:
    report = report_of(finished)
    parts = {
        "data",
        "manifest",
        "rows",
        "resamples",
        "pairs",
        "facts",
        "attributes",
        "notes",
        "leaks",
        "summaries",
        "published",
        "spread",
        "sweeps",
        "users",
    }
    assert report.keys() == parts
    found = {(row["protocol"], row["split"]): [] for row in report["rows"]}
    for row in report["rows"]:
        found[row["protocol"], row["split"]].append(row["model"])
        assert row.keys() == {"protocol", "split", "model", "variant", "seed", "users", "metrics", "cost", "slices"}
        assert row["users"] > 0
        assert all(0 <= m["low"] <= m["value"] <= m["high"] <= 1 for m in row["metrics"].values())
    assert found == {
        ("published", "leave-one-out"): [*CLASSIC, "context-only", *TUNED],
        ("full", "leave-one-out"): [*CLASSIC, "mmsrarec"],
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
    assert "damaged or cut short" in rejected[min(rejected)] or "not a readable" in rejected[min(rejected)]


def test_nothing_is_done_twice(mine: Path, no_model: None) -> None:
    before = {path: path.stat().st_mtime_ns for path in (mine / "run").rglob("*.json") if path.parent != mine / "run"}
    summary, said = go(mine)
    assert not done(said)
    assert not evaluated(said)
    assert said.count(": up to date") == 13
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert summary["rows"] == 46
    assert summary["summarize"]["items"] == 60


@pytest.mark.parametrize("how", ["runtime.score_tokens=900", "runtime.generate_batch=7"])
def test_how_the_work_is_done_is_no_reason_to_do_it_again(how: str, mine: Path, no_model: None) -> None:
    assert not done(go(mine, how)[1])


def test_a_setting_of_stage_3_touches_stage_3_and_its_rows(mine: Path) -> None:
    before = report_of(mine)
    _, said = go(mine, "recommend.lr=0.02")
    splits = ("leave-one-out", "user-8-1-1")
    assert done(said) == {f"recommend/{split}/{variant}" for split in splits for variant in ("titles", "whole")}
    assert {line.partition(",")[0] for line in evaluated(said)} == set(TUNED)
    assert "evaluate: up to date" not in said
    after = report_of(mine)
    assert before["manifest"] != after["manifest"]
    assert [r["metrics"] for r in before["rows"] if r["model"] in CLASSIC] == [
        r["metrics"] for r in after["rows"] if r["model"] in CLASSIC
    ]


def test_a_setting_of_stage_2_leaves_stage_1_alone(mine: Path) -> None:
    _, said = go(mine, "retrieve.k=1", "evaluate.splits=['leave-one-out']", "evaluate.rows=['sasrec', 'mmsrarec']")
    assert done(said) == {"retrieve/leave-one-out", "recommend/leave-one-out/whole"}
    assert "summarize: up to date" in said


def test_rows_of_sequence_models_are_of_their_own_kind_whatever_stage_2_searches_with(mine: Path) -> None:
    few = ("evaluate.splits=['leave-one-out']", f"evaluate.rows={SEQUENCE}", "evaluate.shown_users=0")
    only = ("retrieve", "evaluate")
    before = {row["model"]: row["metrics"] for row in report_of(mine)["rows"] if row["split"] == "leave-one-out"}
    _, said = go(mine, *few, "retrieve.encoder=gru4rec", stages=only)
    assert done(said) == {"retrieve/leave-one-out", "sequence/leave-one-out/sasrec"}
    assert not done(go(mine, *few, "retrieve.encoder=gru4rec", stages=only)[1])
    after = {row["model"]: row["metrics"] for row in report_of(mine)["rows"]}
    assert after.keys() == {*SEQUENCE, "context-only"}
    assert all(after[name] == before[name] for name in SEQUENCE)  # each as it was, from another folder
    kinds = {part: Encoder.load(mine / "run" / part).settings.encoder for part in done(said)}
    assert kinds == {"retrieve/leave-one-out": "gru4rec", "sequence/leave-one-out/sasrec": "sasrec"}


def test_a_setting_of_retrieval_alone_trains_no_other_sequence_model_again(mine: Path) -> None:
    few = ("evaluate.splits=['leave-one-out']", f"evaluate.rows={SEQUENCE}")
    assert done(go(mine, *few, "retrieve.k=1", stages=("retrieve",))[1]) == {"retrieve/leave-one-out"}
    shutil.rmtree(mine / "run" / "sequence" / "leave-one-out" / "bert4rec")
    assert done(go(mine, *few, "retrieve.k=1", stages=("retrieve",))[1]) == {"sequence/leave-one-out/bert4rec"}


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
    alike = [
        json.loads((folder / "run" / "summarize" / "manifest.json").read_text()) for folder in (tmp_path, finished)
    ]
    assert alike[0]["files"] == alike[1]["files"]


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
    assert [note for note in report["notes"] if "item-knn" in note] == report["notes"]
    page = (tmp_path / "run" / "evaluate" / "report.html").read_text()
    assert "language model" not in page
    _, said = go(tmp_path, "evaluate.rows=['random', 'item-knn', 'sasrec']", split)
    assert done(said) == {"retrieve/leave-one-out"}
    sasrec = {f"sasrec, whole: {protocol}, leave-one-out" for protocol in ("published", "full")}
    assert evaluated(said) == sasrec | {"context-only, whole: published, leave-one-out"}


def test_rows_can_be_fitted_on_validation_too_but_never_stage_2(mine: Path, no_model: None) -> None:
    few = ["evaluate.rows=['popularity', 'sasrec', 'neighbours-only']", "evaluate.splits=['leave-one-out']"]
    _, said = go(mine, *few, "evaluate.fitted_on=train+validation")
    assert done(said) == {"sequence/leave-one-out/sasrec-refit"}
    again = {f"{name}, whole: {protocol}, leave-one-out" for name in ("popularity", "sasrec")
             for protocol in ("published", "full")}  # fmt: skip
    assert evaluated(said) == again
    assert "Rows fitted on the validation events as well: popularity, sasrec." in report_of(mine)["notes"]
    own, refitted = (Encoder.load(mine / "run" / part)
                     for part in ("retrieve/leave-one-out", "sequence/leave-one-out/sasrec-refit"))  # fmt: skip
    assert len(refitted.curve) == own.best_pass


def test_repeats_draw_and_train_anew_what_is_behind_stage_1(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = 'evaluate.rows=["popularity","sasrec","mmsrarec"]'
    asked: list[object] = []
    monkeypatch.setattr(Mllm, "generate", lambda *arguments: asked.append(arguments))
    go(mine, rows, "evaluate.repeats=2")
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
            if all(row[name] == told[name] for name in ("protocol", "split", "model", "variant"))
        ]
        metric = told["metrics"]["NDCG@10" if told["protocol"] == "full" else "HR@5"]
        assert metric["mean"] == pytest.approx(sum(same) / 2)
        assert metric["sd"] == pytest.approx(abs(same[0] - same[1]) / 2**0.5)
    assert {told["model"] for told in report["spread"]} >= {"popularity", "sasrec", "mmsrarec"}
    assert "Other seeds" in (mine / "run" / "evaluate" / "report.html").read_text()
    assert not any(
        part.startswith("seeds") for part in json.loads((mine / "run" / "manifest.json").read_text())["parts"]
    )
    _, said = go(mine, rows, "evaluate.repeats=2")
    assert "done in" not in said


def test_sweeps_and_another_encoder_are_ablations_like_others(mine: Path) -> None:
    names = ["history 1", "k 1", "stage 2 with GRU4Rec"]
    _, said = go(mine, 'evaluate.rows=["sasrec","mmsrarec"]', f"evaluate.ablations={json.dumps(names)}")
    parts = {f"recommend/leave-one-out/{name.replace(' ', '-')}" for name in names}
    assert done(said) >= parts
    assert not any(part.startswith(("retrieve/", "summarize")) for part in done(said))
    report = report_of(mine)
    assert {row["variant"] for row in report["rows"]} >= set(names)
    counts = {what: [point["count"] for point in points] for what, points in report["sweeps"].items()}
    assert counts == {"items of history in the prompt": [1, 2], "similar users asked": [1, 3]}
    assert "How much is enough?" in (mine / "run" / "evaluate" / "report.html").read_text()
    _, again = go(mine, 'evaluate.rows=["sasrec","mmsrarec"]', f"evaluate.ablations={json.dumps(names)}")
    assert not done(again)
    _, other = go(mine, 'evaluate.rows=["sasrec","mmsrarec"]', 'evaluate.ablations=["k 2"]')
    assert done(other) == {"recommend/leave-one-out/k-2"}


def test_an_ablation_is_trained_and_shown(mine: Path) -> None:
    _, said = go(mine, "evaluate.ablations=['without stage 2']", "evaluate.splits=['leave-one-out']")
    assert done(said) == {"recommend/leave-one-out/without-stage-2"}
    assert evaluated(said) == {"mmsrarec, without stage 2: published, leave-one-out"}
    assert "mmsrarec, without stage 2" in {pair["b"] for pair in report_of(mine)["pairs"]}


def test_ablations_without_training_or_with_other_keywords(mine: Path) -> None:
    names = ["untrained", "random keywords", "without multi-task"]
    few = ("evaluate.splits=['leave-one-out']", "recommend.tasks.foresee=0.7", "evaluate.shown_users=0")
    _, said = go(mine, f"evaluate.ablations={names}", *few)
    assert {f"recommend/leave-one-out/{name.replace(' ', '-')}" for name in names} <= done(said)
    parts = mine / "run" / "recommend" / "leave-one-out"
    assert not (parts / "untrained" / "adapter").exists()
    assert json.loads((parts / "untrained" / "training.json").read_text()) == {"steps": 0}
    trained = {(parts / name / "adapter" / "adapter_model.safetensors").read_bytes()
               for name in ("whole", "random-keywords", "without-multi-task")}  # fmt: skip
    assert len(trained) == 3
    told = json.loads((parts / "whole" / "training.json").read_text())["tasks"]
    assert {task: one["examples"] for task, one in told.items()} == {"choose": 12, "foresee": 8}
    rows = {row["variant"]: row["metrics"] for row in report_of(mine)["rows"] if row["model"] == "mmsrarec"}
    assert {*names, "whole"} <= rows.keys()
    assert {f"mmsrarec, {name}" for name in names} <= {pair["b"] for pair in report_of(mine)["pairs"]}


def test_the_small_ranker_learns_from_the_whole_and_recommends(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = ("evaluate.splits=['leave-one-out']", "evaluate.shown_users=0")
    small = f"evaluate.ablations={['small']}"
    _, said = go(mine, small, *few)
    assert done(said) == {"recommend/leave-one-out/small"}
    assert evaluated(said) == {"mmsrarec, small: published, leave-one-out"}
    assert "mmsrarec, small" in {pair["b"] for pair in report_of(mine)["pairs"]}
    _, said = go(mine, small, "recommend.lr=2e-3", *few, stages=("recommend",))  # another teacher, another pupil
    assert done(said) == {f"recommend/leave-one-out/{variant}" for variant in ("titles", "whole", "small")}

    model = load_recipe(mine / "run" / "recipe.toml").model.name
    monkeypatch.setattr(mllm, "embedded_folder", lambda: Path(model))
    assert Recommender.load(mine / "run").prompts.settings.first_layer == 1
    text = (mine / "run" / "recipe.toml").read_text()
    (mine / "run" / "recipe.toml").write_text(text.replace(f'"{model}"', '"embedded-small"'))
    assert Recommender.load(mine / "run").prompts.settings.first_layer == 0


def test_embedded_small_is_the_embedded_model_with_a_ranker_of_its_own(mine: Path) -> None:
    names, first = ("embedded", "embedded-small"), "leave-one-out"
    plain, small = (Run(recipe_in(mine, f"model.name={name}"), mine / "run", Progress(io.StringIO())) for name in names)
    assert plain.stages.keys.pictures() == small.stages.keys.pictures()
    assert (plain.variants(first), small.variants(first)) == (["titles", "whole"], ["titles", "whole", "small"])
    assert small.variants("user-8-1-1") == ["titles", "whole"]
    told = (f"evaluate.ablations={['small']}", "evaluate.rows=['sasrec']")
    assert Run(recipe_in(mine, *told), mine / "run", Progress(io.StringIO())).variants(first) == ["whole", "small"]


def test_plain_fine_tuning_with_pictures_is_a_row(mine: Path) -> None:
    few = ("evaluate.splits=['leave-one-out']", "evaluate.shown_users=0")
    _, said = go(mine, f"evaluate.rows={[*CLASSIC, 'plain-fine-tuning-with-pictures', *TUNED]}", *few)
    assert done(said) == {"recommend/leave-one-out/titles-and-pictures"}
    assert evaluated(said) == {"plain-fine-tuning-with-pictures, whole: published, leave-one-out"}


def test_a_stopped_tuning_goes_on(mine: Path, finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tune, "CHECKPOINT_SECONDS", 0)
    shutil.rmtree(mine / "run" / "recommend")
    part = Path("run") / "recommend" / "leave-one-out" / "titles" / "adapter" / "adapter_model.safetensors"
    calls: list[int] = []
    step = tune.Trainer.step

    def twice(self, loss, **how):
        if len(calls) == 2:
            calls.append(0)
            raise KeyboardInterrupt
        calls.append(1)
        step(self, loss, **how)

    monkeypatch.setattr(tune.Trainer, "step", twice)
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
        (["recommend.lr=2"], "recommend.lr"),
        (["evaluate.rows=['guessing']"], 'unknown row "guessing": choose from random'),
        (["evaluate.ablations=['nothing']"], 'unknown variant "nothing": choose from whole'),
        (["recommend.first_layer=2"], "first_layer is 2, but the model has 2 layers"),
    ],
)
def test_what_cannot_be_is_one_line(overrides: list[str], message: str, mine: Path, capsys) -> None:
    flags = [part for override in overrides for part in ("--set", override)]
    assert cli.call(["run", str(mine / "tiny.toml"), "--out", str(mine / "run"), *flags]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err.splitlines()[-1]


def test_an_unknown_stage_and_bad_data_write_nothing(finished: Path, tmp_path: Path) -> None:
    with pytest.raises(MmsrarecError, match="unknown stage nonsense: choose from pictures"):
        run(recipe_in(finished), tmp_path / "run", ("nonsense",), Progress())
    with pytest.raises(MmsrarecError, match="does not exist"):
        run(recipe_in(finished, f"data={tmp_path / 'no'}"), tmp_path / "run", None, Progress())
    assert not (tmp_path / "run").exists()


def test_changed_data_is_summarized_again(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished / "data", tmp_path / "data")
    mine = copy_run(finished, tmp_path)
    lines = (tmp_path / "data" / "items.jsonl").read_text().splitlines()
    record = json.loads(lines[0]) | {"title": "Altogether new"}
    (tmp_path / "data" / "items.jsonl").write_text("\n".join([json.dumps(record), *lines[1:]]) + "\n")
    _, said = go(mine, f"data={tmp_path / 'data'}", stages=("summarize",))
    assert done(said) == {"pictures", "summarize"}


TUNING = (
    "summarize.tune.steps=0", "summarize.tune.items=12", "summarize.tune.heldout_items=4", "summarize.tune.samples=4",
    "summarize.tune.first_layer=0", "summarize.tune.lr_start=0.01", "evaluate.splits=['leave-one-out']",
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
    shutil.copytree(folder / "data", to / "data")
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
    assert done(said) == {"pictures", "summarize"}
    assert "tune: kept, though the catalogue has changed" in said
    assert sum(questions) == 1
    _, said = go(mine, *TUNING, changed, stages=("summarize",), retune=True)
    assert done(said) == {"tune", "summarize"}
    assert not done(go(mine, *TUNING, changed, stages=("summarize",))[1])


def test_one_changed_item_costs_one_question_and_no_look_at_the_other_pictures(
    finished: Path, mine: Path, tmp_path: Path, questions: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    see = Mllm.see
    monkeypatch.setattr(Mllm, "see", lambda self, seen, tokens: looks.append(len(seen)) or see(self, seen, tokens))
    _, said = go(mine, change(finished, tmp_path, title="Altogether new"), stages=("summarize",))
    assert done(said) == {"pictures", "summarize"}
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
    alike = [pl.read_parquet(f / "run" / "summarize" / "keywords.parquet") for f in (tmp_path, finished)]
    assert alike[0].equals(alike[1])


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
