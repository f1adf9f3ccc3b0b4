"""Tables of results: reduce a run's report.json to what the documentation shows, and write the tables into the pages.

python scripts/docs_results.py reduce runs/x/evaluate/report.json --dataset movielens --caption TEXT --command TEXT
python scripts/docs_results.py write          # the tables between <!-- table: ID --> and <!-- end --> in docs/
"""

import argparse
import json
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
REPORTS = DOCS / "reports"
PAGES = (ROOT / "README.md", *DOCS.rglob("*.md"))

METRICS = {"published": ("HR@5", "NDCG@5", "MRR@5", "AUC"), "full": ("HR@10", "NDCG@10")}
"""The metrics of report.json that a table shows, by protocol: one positive among sampled negatives, or all items."""
PREFIX = {"published": "", "full": "full "}
SPREADS = {"rows": "half of the 95 % interval over users", "spread": "standard deviation over seeds"}
"""The lists of report.json that hold rows, and what stands behind a value's ± sign: one seed, or several."""
COST = "ms a user"
"""The column of what ranking one user costs, in the last protocol that a row has."""
RANKING_METRIC = re.compile(r"^(?!.*(better|against)).*\b((HR|NDCG|MRR)@\d+|AUC)$")
"""Columns in which the highest value is the best, and is printed bold."""
REFERENCE = "reference: "
"""Rows that others published: never bold."""
LEAKY = "-leaky"
"""How the names of rows end that look at what they should predict: never bold."""
ORIGINS = {
    "transcribed": "transcribed from {from}",
    "report.json": "made from report.json",
    "program": "written by {program}",
}
"""Kinds of sources, and how a table names its own."""
MAX_COLUMNS = 100
MARK = re.compile(
    r"(<!--\s+table:\s+(?P<id>[\w-]+)(?:\s+columns:\s+(?P<columns>[^>]+?))?(?:\s+rows:\s+(?P<rows>[^>]+?))?\s+-->\n)"
    r".*?<!-- end -->",
    re.DOTALL,
)
"""Where a table stands. Columns and rows are those to show, parted by semicolons; none are named where all are."""


def reduce_report(report: Mapping[str, Any], dataset: str, caption: str, command: str) -> list[dict[str, Any]]:
    """Reduce a run's report to tables, one for each split.

    Args:
        report: the content of report.json.
        dataset: name of the data set, which begins the table's id.
        caption: what the table shows, in words.
        command: the command that made the run.

    Returns:
        Tables, as they are kept in docs/reports: of the first seed, and where there are several of all seeds.

    Raises:
        ValueError: The report has a protocol whose metrics this file does not know.
    """
    origin = {
        "dataset": dataset,
        "source": {"kind": "report.json", "manifest": report["manifest"]},
        "command": command,
        "first_column": "model",
    }
    tables = []
    for kind, spread in SPREADS.items():
        records = report.get(kind, [])
        if unknown := {row["protocol"] for row in records} - set(METRICS):
            raise ValueError(
                f"no metrics are chosen for the protocol {', '.join(sorted(unknown))}: add them to METRICS"
            )
        for split in dict.fromkeys(row["split"] for row in records):
            own = [row for row in records if row["split"] == split]
            seeds = ", ".join(map(str, own[0].get("seeds", [own[0].get("seed")])))
            identity = {"id": f"{dataset}-{split}" + ("-seeds" if kind == "spread" else "")}
            about = {"caption": f"{caption}, {split}, seed {seeds}", "spread": spread}
            tables.append(identity | origin | about | _rows(own))
    return tables


def _rows(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Users, columns and rows of the records of one split."""
    protocols = [protocol for protocol in METRICS if any(row["protocol"] == protocol for row in records)]
    shown = [(protocol, metric) for protocol in protocols for metric in METRICS[protocol]]
    metrics = {(_label(row), row["protocol"]): row["metrics"] for row in records}
    costs = {_label(row): cost for row in records if (cost := row.get("cost", {}).get("ms_per_user")) is not None}
    return {
        "users": max(row["users"] for row in records),
        "columns": [*(PREFIX[protocol] + metric for protocol, metric in shown), *([COST] if costs else [])],
        "rows": [
            {
                "name": name,
                "cells": [
                    *(_value(metrics.get((name, protocol), {}).get(metric)) for protocol, metric in shown),
                    *([_cost(costs.get(name))] if costs else []),
                ],
            }
            for name in dict.fromkeys(map(_label, records))
        ],
    }


def _cost(milliseconds: float | None) -> dict[str, Any] | None:
    """A cell of milliseconds; None where none were measured."""
    return None if milliseconds is None else {"value": round(milliseconds, 2), "digits": 2}


def _label(row: Mapping[str, Any]) -> str:
    """The model, and the variant where it is not the full one."""
    return row["model"] if row["variant"] in ("", "whole", "full") else f"{row['model']}, {row['variant']}"


def _value(metric: Mapping[str, float] | None) -> dict[str, Any] | None:
    """A cell: the value, and its deviation over seeds or half its interval; None where the row has no such metric."""
    if metric is None:
        return None
    spread = metric["sd"] if "sd" in metric else (metric["high"] - metric["low"]) / 2
    return {"value": round(metric["value"], 4), "digits": 4, "spread": round(spread, 4)}


def markdown_table(
    table: Mapping[str, Any], columns: Sequence[str] | None = None, rows: Sequence[str] | None = None
) -> str:
    """Write a table as Markdown, with what it was made from below it.

    Args:
        table: one of docs/reports.
        columns: those to show, without the command; all of them, and the command, unless given.
        rows: names of those to show; all of them unless given. The best of all rows is bold.

    Raises:
        ValueError: A column or a row that the table has not, or two columns of one name.
    """
    if len(set(table["columns"])) < len(table["columns"]):
        raise ValueError(f"{table['id']} has two columns of one name")
    if missing := set(columns or ()) - set(table["columns"]):
        raise ValueError(f"{table['id']} has no column {', '.join(sorted(missing))}")
    if missing := set(rows or ()) - {row["name"] for row in table["rows"]}:
        raise ValueError(f"{table['id']} has no row {', '.join(sorted(missing))}")
    places = [table["columns"].index(name) for name in columns or table["columns"]]
    best = {place: _best(table, place) for place in places}
    lines = [
        f"| {' | '.join([table['first_column'], *(table['columns'][place] for place in places)])} |",
        f"|---{'|--:' * len(places)}|",
        *(
            f"| {' | '.join([row['name'], *(_cell(row, place, best[place]) for place in places)])} |"
            for row in table["rows"]
            if any(row["cells"][place] for place in places) and (rows is None or row["name"] in rows)
        ),
    ]
    return "\n".join([*lines, "", *_provenance(table, with_command=columns is None)])


def _best(table: Mapping[str, Any], place: int) -> float | None:
    """The highest value of a column of a ranking metric, references aside; None for other columns."""
    if not RANKING_METRIC.search(table["columns"][place]):
        return None
    own = [row["cells"][place] for row in table["rows"] if not _never_best(row["name"])]
    return max((cell["value"] for cell in own if cell and "value" in cell), default=None)


def _never_best(name: str) -> bool:
    """Whether a row is of others, or looks at what it should predict."""
    return name.startswith(REFERENCE) or name.endswith(LEAKY)


def _cell(row: Mapping[str, Any], place: int, best: float | None) -> str:
    cell = row["cells"][place]
    if cell is None:
        return ""
    if "text" in cell:
        return cell["text"]
    value = _number(cell["value"], cell["digits"])
    value = f"**{value}**" if cell["value"] == best and not _never_best(row["name"]) else value
    return f"{value} ± {_number(cell['spread'], cell['digits'])}" if "spread" in cell else value


def _number(value: float, digits: int) -> str:
    """The value without a zero before the point."""
    return re.sub(r"^(-?)0\.", r"\1.", f"{value:.{digits}f}")


def _provenance(table: Mapping[str, Any], with_command: bool) -> list[str]:
    facts = [
        table["caption"],
        *([f"{table['users']:,} users"] if table["users"] else []),
        *([f"± is the {table['spread']}"] if table["spread"] else []),
    ]
    source = table["source"]
    origin = ORIGINS[source["kind"]].format(**source)
    note = textwrap.wrap(f"*{'; '.join(facts)}; {origin}.*", MAX_COLUMNS, break_on_hyphens=False)
    return [*note, "", *_command(table["command"])] if with_command else note


def _command(command: str) -> list[str]:
    """The command in a part of the page that opens on demand, an option a line where it is long."""
    lines = [""]
    for word in re.split(r" (?=--)", command):
        if lines[-1] and len(f"{lines[-1]} {word}") > MAX_COLUMNS - 2:
            lines[-1] += " \\"
            lines.append(f"    {word}")
        else:
            lines[-1] = f"{lines[-1]} {word}".lstrip() if not lines[-1].startswith(" ") else f"{lines[-1]} {word}"
    return ['<details markdown="1"><summary>Command</summary>', "", "```sh", *lines, "```", "", "</details>"]


def load_tables(folder: Path = REPORTS) -> dict[str, dict[str, Any]]:
    """Return the tables of a folder by id; a file is named after its table."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}


def with_tables(text: str, tables: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a page with its tables written anew.

    Raises:
        ValueError: The page asks for a table that docs/reports has not.
    """

    def written(mark: re.Match[str]) -> str:
        if mark["id"] not in tables:
            raise ValueError(f"docs/reports has no {mark['id']}.json")
        columns, rows = (
            [" ".join(name.split()) for name in mark[part].split(";")] if mark[part] else None
            for part in ("columns", "rows")
        )
        return f"{mark[1]}\n{markdown_table(tables[mark['id']], columns, rows)}\n\n<!-- end -->"

    return MARK.sub(written, text)


def outdated(pages: Sequence[Path] = PAGES) -> Iterator[tuple[Path, str]]:
    """Yield the pages whose tables are not as docs/reports has them, and what they should say."""
    tables = load_tables()
    for path in pages:
        text = path.read_text(encoding="utf-8")
        if (current := with_tables(text, tables)) != text:
            yield path, current


def dumped(table: Mapping[str, Any]) -> str:
    """Return a table as JSON with a line for each row, so that a change of one row is a change of one line."""
    rows = ",\n".join(f"    {json.dumps(row, ensure_ascii=False)}" for row in table["rows"])
    parts = [
        f'"rows": [\n{rows}\n  ]' if key == "rows" else f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}"
        for key, value in table.items()
    ]
    return "{\n  " + ",\n  ".join(parts) + "\n}\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Reduce a report, or write the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    write = verbs.add_parser("write", help="write the tables into the pages")
    write.add_argument("--check", action="store_true", help="write nothing; end with 1 where a page is out of date")
    reduce_ = verbs.add_parser("reduce", help="reduce a report.json to tables in docs/reports")
    reduce_.add_argument("report", type=Path)
    reduce_.add_argument("--out", type=Path, default=REPORTS)
    for name in ("dataset", "caption", "command"):
        reduce_.add_argument(f"--{name}", required=True)
    given = parser.parse_args(arguments)
    if given.verb == "reduce":
        report = json.loads(given.report.read_text(encoding="utf-8"))
        for table in reduce_report(report, given.dataset, given.caption, given.command):
            (given.out / f"{table['id']}.json").write_text(dumped(table), encoding="utf-8")
            print(given.out / f"{table['id']}.json")
        return 0
    return write_pages(outdated(), given.check)


def write_pages(found: Iterable[tuple[Path, str]], check: bool) -> int:
    """Name the files that are out of date, and write them unless they are only checked.

    Args:
        found: The files, and what they should say.
        check: Write nothing.

    Returns:
        The exit code: 1 where files are only checked and one is out of date.
    """
    any_found = False
    for path, text in found:
        any_found = True
        print(path)
        if not check:
            path.write_text(text, encoding="utf-8")
    return int(check and any_found)


if __name__ == "__main__":
    sys.exit(main())
