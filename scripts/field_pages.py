"""Write what is made of docs/reports as a whole: the leaderboard, the map of the survey, and the figures of the map.

python scripts/field_pages.py write          # docs/results/leaderboard.md, docs/results/map.md, the map's figures.json
python scripts/field_pages.py write --check  # writes nothing; ends with 1 where one is out of date
"""

import argparse
import json
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from docs_results import REPORTS, load_tables, write_pages

from mmsrarec.rankers.registry.built_in import BUILT_IN
from mmsrarec.study.model_names import TRAINED
from mmsrarec.study.survey import survey_map
from mmsrarec.study.survey.survey_map import cell_words, figure_words, figures_from, survey_classes

DOCS = REPORTS.parent
FIGURES = Path(survey_map.__file__).with_name(survey_map.FIGURES)

DATA_SETS: Mapping[str, Sequence[str]] = {
    "MovieLens": ("movielens-soft-tokens-leave-one-out", "movielens-three-seeds", "movielens-seed-0"),
    "MicroLens": ("microlens-soft-tokens-seed-1", "microlens-three-seeds", "microlens-sealed", "microlens-seed-0"),
    "synthetic": ("synthetic-three-seeds", "synthetic-two-towers", "synthetic-sealed", "synthetic-seed-0"),
    "Games": (),
    "Beauty": ("beauty-titles-ensemble-leave-one-out", "beauty-titles-leave-one-out"),
    "Toys": (),
}
"""Data set to its reports; a row's figure is that of the first report that has it."""
COLUMNS = {"HR@5": "One among twenty-one: HR@5", "full NDCG@10": "The whole catalogue: NDCG@10"}
"""Column of a report to the heading of its table here."""
COST = "ms a user"
ALIASES = {
    "ALS": "als",
    "EASE": "ease",
    "SASRec": "sasrec",
    "GRU4Rec": "gru4rec",
    "BERT4Rec": "bert4rec",
    "item kNN": "item-knn",
    "user kNN": "user-knn",
    "sequential rules": "sequential-rules",
    "recent popularity": "recent-popularity",
    "popularity at the query time": "popularity-as-of",
    "neighbours only": "neighbours-only",
    "plain fine-tuning on titles": "plain-fine-tuning",
    "MMSRARec, language model only": "mmsrarec",
    "MMSRARec": "mmsrarec",
    "MMSRARec, ensemble": "mmsrarec, ensemble",
    "MMSRARec, ensemble with SASRec": "mmsrarec, ensemble",
    "candidate generators": "candidate generators (ensemble)",
    "ensemble": "ensemble without the language model",
    "context-only": "context only",
}
"""Names of rows in older reports, and the names that recipes call them by."""
PATTERNS = {
    r"ensemble, .+|.+, ensemble, no language model": ALIASES["ensemble"],
    r"mmsrarec, ensemble.*|mmsrarec, re-ranks .+, ensemble": "mmsrarec, ensemble",
    r"mmsrarec, re-ranks .+": "mmsrarec",
    r"[a-z0-9-]+(\+[a-z0-9-]+)+": ALIASES["candidate generators"],
}
"""Names of rows that tell their parts, and the names without them."""
MORE_ROWS = ("mllm-msr", "ensemble without the language model", "candidate generators (ensemble)", "mmsrarec, ensemble")
MAX_COLUMNS = 100

LEADERBOARD = """# Leaderboard

Every row, every data set, both protocols, as far as docs/reports has them. This page is made by
`python scripts/field_pages.py write`; a new run joins it by `scripts/docs_results.py reduce`.

HR@5 is of one positive among 20 uniform negatives. Full NDCG@10 ranks every item that the user has
not consumed. An empty cell is not measured yet. A cell is of the comparison with the newest ranker
that has the row, and says which by its letter, so two cells of a column are of the same users only
where their letters are equal. `mllmrec-leaky` shows what a leak is worth, and is no recommender.
"""
MAP = """# The field as a map

The classes of the survey [arXiv 2505.09777](https://arxiv.org/abs/2505.09777), and of what it takes
from sequential and graph recommendation. Each says which row here shows its idea. A row built on an
idea is none of the systems named: it is small enough for two cores. `mmsrarec map` prints the same.
This page is made from `src/mmsrarec/study/survey/classes.toml` by
`python scripts/field_pages.py write`.
"""


class Figure(NamedTuple):
    """A cell of the leaderboard: what it shows, and the report it is of."""

    text: str
    report: str


def row_name(name: str) -> str:
    """The name of a row, whatever a report calls it; its parts are left out."""
    plain = re.sub(r"\s*\(.*\)$", "", name)
    named = (named for pattern, named in PATTERNS.items() if re.fullmatch(pattern, plain))
    return ALIASES.get(plain) or next(named, plain)


def all_rows() -> list[str]:
    """The rows of the leaderboard."""
    return [*BUILT_IN, *TRAINED, *MORE_ROWS]


def figure(row: str, column: str, reports: Sequence[str], tables: Mapping[str, Mapping[str, Any]]) -> Figure | None:
    """The first figure of a row.

    Args:
        row: Its name.
        column: Name of the column.
        reports: Names of reports, in the order in which they are asked.
        tables: docs/reports by name.
    """
    for name in reports:
        table = tables.get(name)
        if table is None or column not in table["columns"]:
            continue
        for entry in table["rows"]:
            cell = entry["cells"][table["columns"].index(column)]
            if row_name(entry["name"]) == row and cell:
                return Figure(cell_words(cell), name)
    return None


def leaderboard(tables: Mapping[str, Mapping[str, Any]]) -> str:
    """The page of all rows and data sets."""
    known = [name for reports in DATA_SETS.values() for name in reports if name in tables]
    letters = {name: chr(ord("a") + place) for place, name in enumerate(dict.fromkeys(known))}
    columns = [(data, column, DATA_SETS[data]) for column in COLUMNS for data in DATA_SETS]
    cells = {
        row: {(data, column): figure(row, column, reports, tables) for data, column, reports in columns}
        for row in all_rows()
    }
    parts = [LEADERBOARD]
    for column, heading in COLUMNS.items():
        parts += [f"## {heading}", "", f"| {' | '.join(['row', *DATA_SETS, COST])} |"]
        parts.append(f"|---{'|--:' * (len(DATA_SETS) + 1)}|")
        for row, own in cells.items():
            if not any(own[data, column] for data in DATA_SETS):
                continue
            shown = [own[data, column] for data in DATA_SETS] + [figure(row, COST, known, tables)]
            texts = ["" if cell is None else f"{cell.text} {letters[cell.report]}" for cell in shown]
            parts.append(f"| {' | '.join([row, *texts])} |")
        parts.append("")
    unmeasured = [f"`{row}`" for row, own in cells.items() if not any(own.values())]
    empty = [data for data, reports in DATA_SETS.items() if not set(reports) & set(tables)]
    words = f"Rows without any figure: {', '.join(unmeasured)}." if unmeasured else "Every row has a figure."
    words += f" Data sets without any: {', '.join(empty)}." if empty else ""
    parts += ["## Not measured yet", "", *wrapped(words), "", "## Reports", ""]
    sources = [f"- {letter}: {tables[name]['caption']} (`{name}.json`)." for name, letter in letters.items()]
    return "\n".join([*parts, *(line for source in sources for line in wrapped(source, "  "))]) + "\n"


def map_page(tables: Mapping[str, Mapping[str, Any]]) -> str:
    """The page of the survey's classes."""
    figures, classes = figures_from(tables), survey_classes()
    with_row = sum(1 for entry in classes if entry.runs)
    parts = [MAP, f"{with_row} of {len(classes)} classes have a row that runs, {len(figures)} of them a figure."]
    for entry in classes:
        parts += ["", f"## {entry.name[0].upper()}{entry.name[1:]}", "", *wrapped(f"- Idea: {entry.idea}.", "  ")]
        parts += wrapped(f"- Papers: {'; '.join(entry.papers)}.", "  ")
        kind = "row" if entry.row else "variant"
        more = f", with `{entry.set}`" if entry.set else ""
        parts += wrapped(f"- Runs: the {kind} `{entry.runs}`{more}." if entry.runs else "- Runs: no row.", "  ")
        if entry.name in figures:
            parts += wrapped(f"- Figure: {figure_words(figures[entry.name])}.", "  ")
        parts += wrapped(f"- Missing: {entry.missing}.", "  ") if entry.missing else []
    return "\n".join(parts) + "\n"


def wrapped(text: str, indent: str = "") -> list[str]:
    """The text in lines of at most MAX_COLUMNS."""
    return textwrap.wrap(text, MAX_COLUMNS, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def outdated(tables: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[Path, str]]:
    """Yield the files that are not as docs/reports has them, and what they should say."""
    figures = json.dumps(figures_from(tables), indent=1, ensure_ascii=False) + "\n"
    pages = {
        FIGURES: figures,
        DOCS / "results" / "leaderboard.md": leaderboard(tables),
        DOCS / "results" / "map.md": map_page(tables),
    }
    for path, text in pages.items():
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            yield path, text


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the pages, or say which are out of date."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("verb", choices=["write"])
    parser.add_argument("--check", action="store_true", help="write nothing; end with 1 where a file is out of date")
    given = parser.parse_args(arguments)
    return write_pages(outdated(load_tables()), given.check)


if __name__ == "__main__":
    sys.exit(main())
