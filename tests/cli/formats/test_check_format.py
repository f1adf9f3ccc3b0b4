"""The answer of `check`, for people and as JSON."""

import json
from pathlib import Path

import pytest
from hostile import obeyed

from mmsrarec.cli import commands
from mmsrarec.cli.formats.check_format import check_text
from mmsrarec.core.json_values import plain
from mmsrarec.data.checking.check_data import check
from mmsrarec.data.checking.findings import Finding
from mmsrarec.data.checking.robots import Suspect
from mmsrarec.data.dataset import Dataset


def test_facts_stand_in_two_columns_and_findings_below(drawn: Dataset) -> None:
    facts = check(drawn)
    facts.findings = [Finding("mend", "many things", "do this"), Finding("know", "few things", "so that")]
    facts.suspicious_users = [Suspect(f"u{place}", 90, ("like a clock", "fast")) for place in range(7)]
    lines = check_text(plain(facts)).splitlines()
    assert "items                             100" in lines
    assert lines.index("Before a run:") < lines.index("- many things") < lines.index("Good to know:")
    assert lines[lines.index("- few things") + 1] == "  so that"
    assert "- u4: 90 interactions; like a clock; fast" in lines
    assert lines[-1] == "  and 2 more"


def test_what_was_not_looked_at_is_said(drawn: Dataset) -> None:
    facts = plain(check(drawn))
    assert "0 of 92 that were tried" in check_text(facts)
    facts |= {"pictures_opened": 5, "texts_compared": 60}
    text = check_text(facts)
    assert "0 of the first 5 of 92 (see --pictures)" in text
    assert ", of the first 60\n" in text


def test_nothing_odd_is_said_too(drawn: Dataset) -> None:
    facts = check(drawn)
    facts.findings = []
    assert check_text(plain(facts)).endswith("\n\nNothing is odd.")


def test_hostile_names_do_not_reach_the_terminal(drawn: Dataset) -> None:
    facts = check(drawn)
    facts.suspicious_users = [Suspect("\x1b[2J\u202e\n", 60, ("like a clock",))]
    facts.data = "\x1b[31m"
    assert not {letter for line in check_text(plain(facts)).split("\n") for letter in obeyed(line)}


def test_leaks_keep_their_form() -> None:
    assert check_text({"failed": [], "checks": 3}) == "failed: -\nchecks: 3"


def test_the_command_prints_text_and_json_and_writes_a_page(
    drawn: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    assert commands.call(["check", str(drawn.folder), "--html", str(page)]) == 0
    shown = capsys.readouterr().out
    assert "sparsity" in shown
    assert "languages                         en 100%" in shown
    assert page.read_text().startswith("<!doctype html>")
    assert commands.call(["check", str(drawn.folder), "--json", "--pictures", "5"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["items"], answer["pictures_opened"], answer["median_events_per_user"]) == (
        100,
        5,
        answer["per_user"]["median"],
    )


def test_a_page_that_cannot_be_written_is_one_line(
    drawn: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.call(["check", str(drawn.folder), "--html", str(tmp_path / "none" / "page.html")]) == 2
    assert "is not a folder" in capsys.readouterr().err
    (tmp_path / "folder").mkdir()
    assert commands.call(["check", str(drawn.folder), "--html", str(tmp_path / "folder")]) == 2
    assert "cannot write" in capsys.readouterr().err
