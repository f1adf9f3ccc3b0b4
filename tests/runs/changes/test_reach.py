"""An erasure reaches a run and its data, an exported run, a data folder, and the runs beside the one that is served."""

import json
import shutil
from pathlib import Path

import pytest

from mmsrarec.cli import commands
from mmsrarec.core.artefacts import MANIFEST, finished_under, verify
from mmsrarec.data.erasing.id_traces import files_holding
from mmsrarec.data.folder import load
from mmsrarec.errors import MmsrarecError
from mmsrarec.runs.changes.reach import COMMAND, ELSEWHERE, erase_beside, erase_in, runs_beside
from mmsrarec.runs.export_run import export_run
from mmsrarec.runs.recommender import Recommender


def bytes_hold(folder: Path, word: str) -> list[str]:
    return [str(path) for path in folder.rglob("*") if path.is_file() and word.encode() in path.read_bytes()]


def test_a_run_and_the_data_that_it_was_made_from(alone: Path) -> None:
    before = load(alone / "data")
    user, other = before.user_ids[6], before.user_ids[7]
    expected = [item.item_id for item in Recommender.load(alone / "run").recommend(user=other, k=60, reasons=False)]
    erasure = erase_in(alone / "run", user, "erased-1")
    assert erasure.was_there
    assert erasure.interactions == len(before.interactions.items_of(6))
    assert bytes_hold(alone, user) == list(files_holding(alone, user)) == []
    assert load(alone / "data").user_ids == tuple(name for name in before.user_ids if name != user)
    for part in finished_under(alone / "run"):
        verify(part)
    after = Recommender.load(alone / "run")
    assert user not in after.dataset.user_code
    assert {item.item_id for item in after.recommend(user=other, k=60, reasons=False)} == set(expected)
    assert not erase_in(alone / "run", user, "erased-2").was_there


def test_data_that_were_written_by_hand_are_pointed_out_or_named(alone: Path) -> None:
    (alone / "data" / MANIFEST).unlink()
    user, other = load(alone / "data").user_ids[:2]
    (note,) = [note for note in erase_in(alone / "run", user, "erased-1").notes if "by hand" in note]
    assert COMMAND in note
    assert user in load(alone / "data").user_code
    assert erase_in(alone / "run", other, "erased-2", data=alone / "data").was_there
    assert other not in load(alone / "data").user_code
    assert bytes_hold(alone, other) == []
    assert erase_in(alone / "data", user, "erased-3").was_there
    assert bytes_hold(alone, user) == []


def test_an_exported_run_is_whole_afterwards(alone: Path, tmp_path: Path) -> None:
    out = tmp_path / "elsewhere" / "served"
    export_run(alone / "run", out)
    user, other = Recommender.load(out).dataset.user_ids[8:10]
    assert erase_in(out, user, "erased-1").was_there
    assert bytes_hold(out, user) == []
    verify(out)
    for part in finished_under(out):
        verify(part)
    assert user not in Recommender.load(out).dataset.user_code
    assert Recommender.load(out).recommend(user=other, k=3, reasons=False)
    assert bytes_hold(alone / "run", user)  # another folder


def test_runs_beside_one_another(alone: Path) -> None:
    shutil.copytree(alone / "run", alone / "second")
    export_run(alone / "run", alone / "exported")
    (alone / "notes").mkdir()
    assert [path.name for path in runs_beside(alone / "run")] == ["exported", "run", "second"]
    user = load(alone / "data").user_ids[9]
    assert erase_beside([alone / "run"], user, "erased-1").was_there
    assert bytes_hold(alone, user) == []
    verify(alone / "exported")


def test_a_run_beside_that_cannot_be_read_is_said(alone: Path) -> None:
    broken = alone / "broken"
    (broken / "retrieve").mkdir(parents=True)
    (broken / "recipe.toml").write_text("no recipe")
    user = load(alone / "data").user_ids[9]
    (note,) = [note for note in erase_beside([alone / "run"], user, "erased-1").notes if "broken" in note]
    assert COMMAND in note
    assert COMMAND in ELSEWHERE
    with pytest.raises(MmsrarecError):
        erase_in(broken, user, "erased-2")


def test_what_is_left_in_a_run_is_named(alone: Path) -> None:
    user = load(alone / "data").user_ids[9]
    (alone / "run" / "remarks.txt").write_text(f"look at {user}")
    assert any("remarks.txt" in note for note in erase_in(alone / "run", user, "erased-1").notes)


def test_the_command(alone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    user = load(alone / "data").user_ids[9]
    assert commands.call(["erase", str(alone / "run"), str(alone / "data"), "--user", user, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["folders"][str(alone / "run")]["erased"]
    assert bytes_hold(alone, user) == []
    assert commands.call(["erase", str(alone / "nowhere"), "--user", user]) != 0
