"""Tables of results: reduced from a report, kept as JSON, written into pages; no figure changes on the way."""

import json
import re

import pytest
from docs.scripts import load_script

results = load_script("docs_results")


def metric(value: float, half: float = 0.01) -> dict[str, float]:
    return {"value": value, "low": value - half, "high": value + half}


def row(model: str, protocol: str, value: float, variant: str = "whole", split: str = "leave-one-out") -> dict:
    names = results.METRICS[protocol]
    where = {"protocol": protocol, "split": split, "model": model, "variant": variant, "seed": 0, "users": 45}
    return where | {"metrics": {name: metric(value) for name in names}}


def report(**more) -> dict:
    rows = [
        row("als", "published", 0.5),
        row("als", "full", 0.25),
        row("mmsrarec", "published", 0.625, "re-ranks als"),
        row("als", "published", 0.75, split="time-cut"),
    ]
    return {"data": "tiny", "manifest": "abc", "rows": rows} | more


def reduced(**more) -> list[dict]:
    return results.reduce_report(report(**more), "tiny", "A tiny run", "mmsrarec run tiny")


def test_a_table_for_each_split_with_both_protocols():
    first, second = reduced()
    assert first["id"] == "tiny-leave-one-out"
    assert first["columns"] == ["HR@5", "NDCG@5", "MRR@5", "AUC", "full HR@10", "full NDCG@10"]
    assert [one["name"] for one in first["rows"]] == ["als", "mmsrarec, re-ranks als"]
    assert second["columns"] == ["HR@5", "NDCG@5", "MRR@5", "AUC"]
    assert second["rows"][0]["cells"][0] == {"value": 0.75, "digits": 4, "spread": 0.01}


def test_a_row_without_a_protocol_has_empty_cells():
    first, _ = reduced()
    assert first["rows"][1]["cells"][4:] == [None, None]


def test_the_cost_of_ranking_a_user_is_a_column_where_it_was_measured():
    rows = [
        row("als", "published", 0.5) | {"cost": {"ms_per_user": 0.1234}},
        row("mmsrarec", "published", 0.6),
    ]
    (table,) = results.reduce_report(report() | {"rows": rows}, "tiny", "A tiny run", "mmsrarec run tiny")
    assert table["columns"][-1] == "ms a user"
    assert [one["cells"][-1] for one in table["rows"]] == [{"value": 0.12, "digits": 2}, None]


def test_a_row_that_leaks_is_never_bold():
    rows = [row("mllmrec-style", "published", 0.5), row("mllmrec-leaky", "published", 0.9)]
    (table,) = results.reduce_report(report() | {"rows": rows}, "tiny", "A tiny run", "mmsrarec run tiny")
    clean, leaky = results.markdown_table(table).splitlines()[2:4]
    assert "**.5000**" in clean
    assert "**" not in leaky


def test_a_table_says_what_it_was_made_from():
    first, _ = reduced()
    assert first["source"] == {"kind": "report.json", "manifest": "abc"}
    assert first["command"] == "mmsrarec run tiny"
    assert first["users"] == 45


def test_several_seeds_are_a_table_of_their_own_with_their_deviation():
    seeds = row("als", "published", 0.5) | {"seeds": [0, 1, 2], "users": 90}
    seeds["metrics"] = {name: one | {"sd": 0.125} for name, one in seeds["metrics"].items()}
    *_, last = reduced(spread=[seeds])
    assert last["id"] == "tiny-leave-one-out-seeds"
    assert last["caption"] == "A tiny run, leave-one-out, seed 0, 1, 2"
    assert last["spread"] == "standard deviation over seeds"
    assert last["rows"][0]["cells"][0]["spread"] == 0.125


def test_an_unknown_protocol_is_an_error_that_names_it():
    broken = report()
    broken["rows"][0]["protocol"] = "unheard"
    with pytest.raises(ValueError, match="unheard"):
        results.reduce_report(broken, "tiny", "A tiny run", "none")


def test_markdown_of_a_table():
    first, _ = reduced()
    lines = results.markdown_table(first).splitlines()
    assert lines[0] == "| model | HR@5 | NDCG@5 | MRR@5 | AUC | full HR@10 | full NDCG@10 |"
    assert lines[2].startswith("| als | .5000 ± .0100 |")
    assert lines[2].endswith("| **.2500** ± .0100 | **.2500** ± .0100 |")
    assert lines[3].startswith("| mmsrarec, re-ranks als | **.6250** ± .0100 |")
    assert "*A tiny run, leave-one-out, seed 0; 45 users; ± is the half" in lines[5]
    assert lines[-4:] == ["mmsrarec run tiny", "```", "", "</details>"]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (None, ""),
        ({"text": "-.005 (-.015 to .005)"}, "-.005 (-.015 to .005)"),
        ({"value": -0.5, "digits": 3}, "-.500"),
        ({"value": 1.25, "digits": 2}, "1.25"),
        ({"value": 0.0, "digits": 4, "spread": 0.02}, ".0000 ± .0200"),
    ],
)
def test_a_cell_is_printed_with_its_digits(cell, text):
    assert results._cell({"name": "als", "cells": [cell]}, 0, None) == text


def test_references_are_never_bold_and_never_the_best():
    table = reduced()[0]
    table["rows"].append({"name": "reference: others", "cells": [{"value": 0.9, "digits": 4}] + [None] * 5})
    text = results.markdown_table(table)
    assert "| reference: others | .9000 |" in text
    assert "**.6250**" in text


def test_columns_may_be_chosen_and_rows_without_any_are_left_out():
    text = results.markdown_table(reduced()[0], ["full NDCG@10"])
    assert "| model | full NDCG@10 |" in text
    assert "mmsrarec" not in text
    with pytest.raises(ValueError, match="no column HR@1"):
        results.markdown_table(reduced()[0], ["HR@1"])


def test_rows_may_be_chosen_by_name():
    text = results.markdown_table(reduced()[0], ["HR@5"], ["als"])
    assert [line for line in text.splitlines() if line.startswith("| als")] == ["| als | .5000 ± .0100 |"]
    assert "mmsrarec" not in text
    with pytest.raises(ValueError, match="no row bpr"):
        results.markdown_table(reduced()[0], rows=["bpr"])


def test_two_columns_of_one_name_are_an_error():
    table = reduced()[0]
    table["columns"][1] = table["columns"][0]
    with pytest.raises(ValueError, match="two columns of one name"):
        results.markdown_table(table)


def test_a_mark_chooses_columns_and_rows():
    tables = {table["id"]: table for table in reduced()}
    mark = "<!-- table: tiny-leave-one-out columns: HR@5;\n  AUC\n  rows: mmsrarec, re-ranks als -->\n<!-- end -->"
    lines = results.with_tables(mark, tables).splitlines()
    assert lines[4:7] == [
        "| model | HR@5 | AUC |",
        "|---|--:|--:|",
        "| mmsrarec, re-ranks als | **.6250** ± .0100 | **.6250** ± .0100 |",
    ]


def test_a_page_is_written_anew_between_its_marks_and_nowhere_else():
    tables = {table["id"]: table for table in reduced()}
    page = "before\n<!-- table: tiny-time-cut -->\nold\n<!-- end -->\nafter\n"
    current = results.with_tables(page, tables)
    assert current.startswith("before\n<!-- table: tiny-time-cut -->\n\n| model |")
    assert current.endswith("<!-- end -->\nafter\n")
    assert "old" not in current
    assert results.with_tables(current, tables) == current


def test_a_page_that_asks_for_a_missing_table_is_an_error():
    with pytest.raises(ValueError, match=r"no nothing\.json"):
        results.with_tables("<!-- table: nothing -->\n<!-- end -->", {})


def test_long_commands_are_broken_at_their_options():
    command = "mmsrarec run tiny " + " ".join(f"--set recommend.key{n}={n}" for n in range(9))
    lines = results._command(command)
    assert max(map(len, lines)) <= 100
    assert " ".join(line.strip().removesuffix("\\").strip() for line in lines[3:-3]) == command


def test_reduce_writes_files_that_load_as_they_were(tmp_path, capsys):
    (tmp_path / "report.json").write_text(json.dumps(report()))
    given = ["--dataset", "tiny", "--caption", "A tiny run", "--command", "mmsrarec run tiny"]
    assert results.main(["reduce", str(tmp_path / "report.json"), "--out", str(tmp_path), *given]) == 0
    assert "tiny-time-cut.json" in capsys.readouterr().out
    tables = results.load_tables(tmp_path)
    assert [tables["tiny-leave-one-out"], tables["tiny-time-cut"]] == reduced()


def test_every_page_is_current():
    pages = [str(path) for path, _ in results.outdated()]
    assert pages == [], "run python scripts/docs_results.py write"


@pytest.mark.parametrize("name", sorted(results.load_tables()))
def test_a_committed_table_is_whole_and_shown(name):
    table = results.load_tables()[name]
    assert table["id"] == name
    assert table["command"]
    assert table["source"]["kind"] in results.ORIGINS
    assert {len(one["cells"]) for one in table["rows"]} == {len(table["columns"])}
    shown = re.compile(rf"<!-- table: {re.escape(name)}\s")
    assert any(shown.search(path.read_text(encoding="utf-8")) for path in results.PAGES)


def test_the_report_of_a_real_run_is_reduced(finished):
    record = json.loads((finished / "run" / "evaluate" / "report.json").read_text(encoding="utf-8"))
    tables = results.reduce_report(record, "tiny", "A tiny run", "mmsrarec run tiny.toml")
    assert {table["id"] for table in tables} == {f"tiny-{row['split']}" for row in record["rows"]}
    cells, place = {one["name"]: one["cells"] for one in tables[0]["rows"]}, tables[0]["columns"].index("full NDCG@10")
    full = [row for row in record["rows"] if (row["protocol"], row["split"]) == ("full", "leave-one-out")]
    for row in full:
        assert cells[results._label(row)][place]["value"] == round(row["metrics"]["NDCG@10"]["value"], 4)
    assert len(full) > 10
    assert results.markdown_table(tables[0]).count("\n| ") == len(cells)
