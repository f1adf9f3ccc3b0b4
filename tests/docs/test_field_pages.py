"""The leaderboard and the map are made from docs/reports: each figure is one of a report, and gaps are named."""

import json
import re
import sys

from docs.scripts import DOCS, ROOT, load_script

sys.modules["docs_results"] = load_script("docs_results")
pages = load_script("field_pages")

CELL = {"value": 0.25, "digits": 4}


def table(name: str, rows: dict[str, list], columns: tuple[str, ...] = ("HR@5", "full NDCG@10")) -> dict:
    entries = [{"name": row, "cells": cells} for row, cells in rows.items()]
    return {"id": name, "dataset": "x", "caption": f"Of {name}", "users": 9, "columns": [*columns], "rows": entries}


def test_the_pages_are_as_docs_reports_has_them() -> None:
    found = [path.name for path, _ in pages.outdated(pages.load_tables())]
    assert found == [], "run python scripts/field_pages.py write"


def test_a_row_has_one_name_whatever_a_report_calls_it() -> None:
    assert pages.row_name("ALS") == pages.row_name("als") == "als"
    assert pages.row_name("MMSRARec, language model only") == "mmsrarec"
    assert pages.row_name("ensemble without the language model (SASRec, ALS)") == "ensemble without the language model"
    assert pages.row_name("ensemble, sasrec+ease") == "ensemble without the language model"
    assert pages.row_name("sasrec+als, ensemble, no language model") == "ensemble without the language model"
    assert pages.row_name("content-sasrec+als") == "candidate generators (ensemble)"
    assert pages.row_name("mmsrarec, ensemble") == "mmsrarec, ensemble"
    assert pages.row_name("mmsrarec, ensemble with sasrec+als") == "mmsrarec, ensemble"
    assert pages.row_name("mmsrarec, re-ranks sasrec+als, ensemble") == "mmsrarec, ensemble"
    assert pages.row_name("mmsrarec, re-ranks sasrec+als") == "mmsrarec"
    assert pages.row_name("reference: SASRec") == "reference: SASRec"


def test_every_row_of_a_report_that_has_a_figure_stands_in_the_leaderboard_or_is_left_out_knowingly() -> None:
    """A renamed row must not drop out of the leaderboard in silence."""
    tables, rows = pages.load_tables(), set(pages.all_rows())
    named = [name for reports in pages.DATA_SETS.values() for name in reports if name in tables]
    unknown = {pages.row_name(row["name"]) for name in named for row in tables[name]["rows"]} - rows
    assert {name for name in unknown if not name.startswith("reference: ")} <= {"context only"}


def test_the_first_report_that_has_a_figure_is_shown_with_its_letter() -> None:
    tables = {
        "movielens-three-seeds": table("movielens-three-seeds", {"ALS": [CELL, None]}),
        "movielens-seed-0": table(
            "movielens-seed-0", {"als": [{"value": 0.5, "digits": 3}, {"text": ".125 (.1 to .2)"}]}
        ),
    }
    page = pages.leaderboard(tables)
    sampled, full = (part.split("\n## ")[0] for part in page.split("HR@5\n")[1:2] + page.split("NDCG@10\n")[1:2])
    assert "| als | .2500 a |" in sampled
    assert "| als | .125 b |" in full
    assert "`bpr`" in page.split("Rows without any figure: ")[1]
    assert "`als`" not in page.split("Rows without any figure: ")[1]
    assert re.search(r"Data sets without any: MicroLens, synthetic, Games, Beauty, Toys", " ".join(page.split()))


def test_every_figure_of_the_map_is_the_cell_of_its_report() -> None:
    kept = json.loads(pages.FIGURES.read_text(encoding="utf-8"))
    assert kept
    for figure in kept.values():
        report = json.loads((DOCS / "reports" / f"{figure['report']}.json").read_text(encoding="utf-8"))
        column = report["columns"].index(figure["metric"])
        assert figure["figure"] in {
            pages.cell_words(row["cells"][column]) for row in report["rows"] if row["cells"][column]
        }


def test_one_command_writes_and_checks(capsys) -> None:
    assert pages.main(["write", "--check"]) == 0
    assert capsys.readouterr().out == ""
    assert "results/leaderboard.md" in (ROOT / "zensical.toml").read_text(encoding="utf-8")
