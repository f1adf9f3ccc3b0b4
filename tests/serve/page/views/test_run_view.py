"""The view of a run: the parts of its report, and what is said where there is none."""

import json
from pathlib import Path

from served import Served, served
from served_pages import get

from mmsrarec.serve.page.views.run_view import run_page


def test_every_part_of_the_report_is_there(server: Served, finished: Path) -> None:
    report = json.loads((finished / "run" / "evaluate" / "report.json").read_text())
    shown = run_page(server.service.run())
    names = [name for _, name, _ in shown.sections]
    assert sum("leave-one-out" in name or "user-8-1-1" in name for name in names) == len(
        {(row["protocol"], row["split"]) for row in report["rows"]}
    )
    assert {"Is it real?", "Method"} <= set(names)
    assert "Leak checks" in names
    assert len({part for part, _, _ in shown.sections}) == len(names)
    dataset = server.recommender.dataset
    assert (len(dataset.items), "items") in shown.tiles
    assert (len(dataset.interactions), "interactions") in shown.tiles


def test_leak_checks_are_shown(mine: Path, tmp_path: Path) -> None:
    file = mine / "run" / "evaluate" / "report.json"
    report = json.loads(file.read_text())
    leak = {
        "check": "<b>later",
        "split": "",
        "passed": False,
        "measured": {"share": 0.5},
        "advice": "mend",
        "means": "",
    }
    file.write_text(json.dumps(report | {"leaks": [leak]}))
    with served(mine / "run", tmp_path / "s.sqlite") as server:
        page = get(server, "/run")
        assert "1 of 1 checks failed" in page.text
        assert "<b>later" in page.text


def test_that_leak_checks_found_nothing_or_were_not_run_is_said(mine: Path, tmp_path: Path) -> None:
    file = mine / "run" / "evaluate" / "report.json"
    report = json.loads(file.read_text())
    leak = {"check": "later", "split": "", "passed": True, "measured": {}, "advice": "", "means": "no later one counts"}
    for leaks, said in (([], "mmsrarec check --leaks run"), ([leak, leak], "2 checks were run. No check failed.")):
        file.write_text(json.dumps(report | {"leaks": leaks}))
        with served(mine / "run", tmp_path / "s.sqlite") as server:
            assert said in get(server, "/run").text


def test_a_run_that_was_not_measured_says_how(mine: Path, tmp_path: Path) -> None:
    (mine / "run" / "evaluate" / "report.json").unlink()
    fit = {"reasons": ["<i>small</i>"], "seconds": {"ranker": 12.4}}
    (mine / "run" / "fit.json").write_text(json.dumps(fit))
    with served(mine / "run", tmp_path / "s.sqlite") as server:
        page = get(server, "/run")
        assert "mmsrarec evaluate run/recipe.toml --out run" in page.text
        assert str(mine) not in page.html  # where it lies is nobody's business
        assert "<i>small</i>" in page.text
        assert "12 s" in page.text


def test_a_damaged_report_is_none(mine: Path, tmp_path: Path) -> None:
    (mine / "run" / "evaluate" / "report.json").write_text("[1, 2")
    with served(mine / "run", tmp_path / "s.sqlite") as server:
        assert "Not measured yet" in get(server, "/run").text
