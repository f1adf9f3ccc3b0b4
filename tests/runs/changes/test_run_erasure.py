"""A user is erased from a run: no file holds the id, every part is whole, and others are answered as before."""

import json
from pathlib import Path

import pytest

from mmsrarec.core.artefacts import finished_under, inputs_of, verify
from mmsrarec.data.identity import KeptLog
from mmsrarec.errors import MmsrarecError
from mmsrarec.runs.changes.erasure import ERASED, erase_user
from mmsrarec.runs.recommender import Recommender


def holding(folder: Path, word: str) -> list[str]:
    return [str(path) for path in folder.rglob("*") if path.is_file() and word.encode() in path.read_bytes()]


def test_no_file_holds_the_id(mine: Path) -> None:
    run = mine / "run"
    before = KeptLog.load(run / "retrieve" / "leave-one-out")
    code = 8
    user, other = before.user_ids[code], before.user_ids[2]
    scores = Recommender.load(run).score(["001", "002"], user=other)
    erasure = erase_user(run, user, "erased-1")
    assert erasure.was_there
    assert erasure.interactions == len(before.interactions.items_of(code))
    assert holding(run, user) == []
    for part in finished_under(run):
        verify(part)
    for split in ("leave-one-out", "user-8-1-1"):
        after = KeptLog.load(run / "retrieve" / split)
        assert len(after.interactions) == len(before.interactions) - erasure.interactions
        assert after.user_ids == tuple("erased-1" if name == user else name for name in before.user_ids)
        assert inputs_of(run / "recommend" / split / "whole")[ERASED] == "1"
    again = Recommender.load(run)
    assert set(again.score(["001", "002"], user=other)) == set(scores)
    assert erase_user(run, before.user_ids[3], "erased-2").was_there
    assert inputs_of(run / "recommend" / "leave-one-out" / "whole")[ERASED] == "2"


def test_a_report_that_shows_the_user_goes(mine: Path) -> None:
    report = mine / "run" / "evaluate" / "report.json"
    name = json.loads(report.read_text())["users"][0]["name"].removeprefix("User ")
    erasure = erase_user(mine / "run", name, "erased-1")
    assert not report.exists()
    assert any("report" in note for note in erasure.notes)
    assert holding(mine / "run", name) == []


def test_somebody_who_is_not_there_changes_nothing(mine: Path) -> None:
    stamps = {path: path.stat().st_mtime_ns for path in (mine / "run").rglob("*") if path.is_file()}
    assert not erase_user(mine / "run", "nobody", "erased-1").was_there
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps


def test_no_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MmsrarecError, match="is not a run"):
        erase_user(tmp_path, "u", "erased-1")
