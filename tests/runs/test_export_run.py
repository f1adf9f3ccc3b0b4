"""An exported run answers anywhere as the run did: to the last digit, moved, without its data folder and any cache."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from finished import copy_run, go

from mmsrarec.cli import commands
from mmsrarec.core.artefacts import finished_under, verify
from mmsrarec.data.folder import IMAGES
from mmsrarec.errors import MmsrarecError
from mmsrarec.runs.export_run import export_run
from mmsrarec.runs.exported import KIND
from mmsrarec.runs.recommender import Recommender

ASK = """
import json, sys
from mmsrarec.runs.recommender import Recommender
recommender = Recommender.load(sys.argv[1])
dataset = recommender.dataset
users = [dataset.user_ids[place] for place in (0, 5, 7)]
questions = [*({"user": user} for user in users), {"history": ["003", "017"]}, {"history": []}]
questions.append({"user": users[0], "more": ["clay"]})
answers = [
    [[one.item_id, one.title, one.score.hex(), one.because, [[r.kind, r.weight.hex(), r.text] for r in one.reasons]]
     for one in recommender.recommend(**question, k=4)]
    for question in questions
]
similar = recommender.similar_items(["003"]).rows()
print(json.dumps({"answers": answers, "similar": similar, "notes": recommender.notes}))
"""


def ask(run: Path, cache: Path) -> dict:
    """What a fresh process, with a cache of its own, answers from a folder."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "MMSRAREC_CACHE": str(cache)}
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(run)], capture_output=True, text=True, env=environment, cwd=cache.parent
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(params=["plain", "fused", pytest.param("refitted", marks=pytest.mark.slow)], scope="module")
def work(request: pytest.FixtureRequest, finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with data of its own, which a test may take away: as it was evaluated, fused, or refitted."""
    folder = copy_run(finished, tmp_path_factory.mktemp(request.param))
    shutil.copytree(finished / "data", folder / "data")
    recipe = folder / "tiny.toml"
    recipe.write_text(recipe.read_text().replace(str(finished / "data"), str(folder / "data")))
    rows = 'evaluate.rows=["popularity", "sequential-rules", "ease", "sasrec", "mmsrarec"]'
    go(folder, *(["evaluate.fusion_users=20", rows] if request.param == "fused" else []), stages=("evaluate",))
    if request.param == "refitted":
        assert commands.call(["refit", str(folder / "run")]) == 0
    return folder


def test_it_answers_to_the_last_digit_when_moved_without_data_and_cache(work: Path, tmp_path: Path) -> None:
    before = ask(work / "run", tmp_path / "one")
    export_run(work / "run", tmp_path / "export")
    moved = tmp_path / "elsewhere" / "deep"
    moved.parent.mkdir()
    (tmp_path / "export").rename(moved)
    hidden = [(work / name).rename(work / f"hidden {name}") for name in ("data", "run")]
    try:
        after = ask(moved, tmp_path / "two")
    finally:
        for path in hidden:
            path.rename(path.with_name(path.name.removeprefix("hidden ")))
    assert after["notes"] == before["notes"] == []
    assert after["similar"] == before["similar"]
    assert after["answers"] == before["answers"]
    assert any(because for answer in after["answers"] for *_, because, _ in answer)


def test_it_holds_whole_parts_and_nothing_that_only_training_needs(work: Path, tmp_path: Path) -> None:
    told = export_run(work / "run", tmp_path / "export")
    out = tmp_path / "export"
    assert verify(out)["kind"] == KIND
    parts = {path.relative_to(out).as_posix() for path in finished_under(out)}
    assert {"summarize", "pictures", "data"} < parts
    assert not parts & {"retrieve/leave-one-out"} or not parts & {"retrieve/all"}  # of the models that answer only
    for part in parts:
        verify(out / part)
    names = {path.name for path in out.rglob("*")}
    assert not names & {"summaries.sqlite", "unfinished", "items.safetensors", "seeds", "report.html", "tiny.toml"}
    assert told["bytes"] == sum(told["contents"].values())
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    assert told["bytes"] < size < told["bytes"] + 100_000  # the card and the manifest come last


def test_the_card_says_what_it_is_and_how_well_it_ranks(work: Path, tmp_path: Path) -> None:
    export_run(work / "run", tmp_path / "export")
    card = (tmp_path / "export" / "README.md").read_text()
    report = json.loads((work / "run" / "evaluate" / "report.json").read_text())
    for row in report["rows"]:
        label = row["model"] if row["variant"] in ("", "whole") else f"{row['model']}, {row['variant']}"
        value = row["metrics"]["HR@5"]
        assert f"| {label} |" in card
        assert f"{value['value']:.3f} ({value['low']:.3f} to {value['high']:.3f})" in card
    assert "60 items, 60 users" in card
    assert ("refitted after this was measured" in card) == (work.name.startswith("refitted"))
    assert "needs no other file, and no network, except the language model" in card  # the tiny one is not embedded
    assert max(map(len, card.splitlines())) < 400


def test_pictures_can_be_left_out_and_change_no_answer(work: Path, tmp_path: Path) -> None:
    told = export_run(work / "run", tmp_path / "with")
    bare = export_run(work / "run", tmp_path / "without", pictures=False)
    drawn = [path.name for path in (tmp_path / "with" / "data" / IMAGES).iterdir()]
    assert len(drawn) == len(list((work / "data" / IMAGES).iterdir()))
    assert any(f"{len(drawn)} pictures are taken along" in note for note in told["notes"])
    assert not (tmp_path / "without" / "data" / IMAGES).exists()
    assert bare["bytes"] < told["bytes"]
    user = Recommender.load(work / "run").dataset.user_ids[3]
    one, other = (Recommender.load(tmp_path / name).recommend(user=user, k=3) for name in ("with", "without"))
    assert one == other


def test_a_run_without_its_data_folder_is_exported_with_what_it_keeps(work: Path, tmp_path: Path) -> None:
    hidden = (work / "data").rename(work / "hidden")
    try:
        before = Recommender.load(work / "run")
        told = export_run(work / "run", tmp_path / "export")
        after = Recommender.load(tmp_path / "export")
    finally:
        hidden.rename(work / "data")
    assert any("is not there: answers come from what" in note for note in told["notes"])
    assert after.notes == ()
    user = before.dataset.user_ids[2]
    assert after.recommend(user=user, k=3) == before.recommend(user=user, k=3)


def test_items_that_joined_or_left_are_as_they_were(work: Path, tmp_path: Path) -> None:
    folder = copy_run(work, tmp_path)
    shutil.copytree(work / "data", tmp_path / "data")
    table = pl.read_parquet(tmp_path / "data" / "items.parquet")
    newest = table[:1].with_columns(pl.lit("new").alias("item_id"), pl.lit(None, pl.String).alias("image"))
    pl.concat([table[:-1], newest]).write_parquet(tmp_path / "data" / "items.parquet")
    export_run(folder / "run", tmp_path / "export", tmp_path / "data")
    before, after = Recommender.load(folder / "run", tmp_path / "data"), Recommender.load(tmp_path / "export")
    assert [item.item_id for item in after.dataset.items] == [item.item_id for item in before.dataset.items]
    assert after.available.tolist() == before.available.tolist()
    assert not all(after.available.tolist())
    user = before.dataset.user_ids[4]
    assert after.recommend(user=user, k=3) == before.recommend(user=user, k=3)


def test_an_export_replaces_an_export_and_nothing_else(work: Path, tmp_path: Path) -> None:
    export_run(work / "run", tmp_path / "export")
    again = export_run(tmp_path / "export", tmp_path / "again")  # an export is a run that can be exported
    assert export_run(work / "run", tmp_path / "export")["contents"].keys() == again["contents"].keys()
    for out, message in ((work / "data", "holds something else"), (work / "run", "the run itself"), (work, "itself")):
        with pytest.raises(MmsrarecError, match=message):
            export_run(work / "run", out)
    with pytest.raises(MmsrarecError, match="is not a run"):
        export_run(work / "nothing", tmp_path / "export")


def test_the_command_tells_sizes_and_wants_a_format_of_data(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.call(["export", str(work / "run"), "--out", str(tmp_path / "export"), "--no-pictures"]) == 0
    shown = capsys.readouterr().out
    assert "kB" in shown
    assert "summarize/keywords.parquet" in shown
    assert commands.call(["export", str(work / "data"), "--out", str(tmp_path / "other")]) == 2
    assert "--to recbole, mmrec or parquet" in capsys.readouterr().err
    line = ["recommend", str(tmp_path / "export"), "--history", "003", "--k", "1", "--json"]
    assert commands.call(line) == 0
    assert json.loads(capsys.readouterr().out)["notes"] == []
