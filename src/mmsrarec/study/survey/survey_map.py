"""The classes of the survey, the row that shows each, and its figure, for `mmsrarec map` and for the documentation."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from mmsrarec.errors import MmsrarecError

HERE = Path(__file__).parent
SURVEY = "arXiv 2505.09777"
FIGURES = "figures.json"
"""File beside this one: what docs/reports say of the classes, written by scripts/field_pages.py."""


class Cell(BaseModel):
    """Where a figure stands in docs/reports.

    Attributes:
        report: Name of the file, without .json.
        row: Name of the row.
        column: Name of the column.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    report: str
    row: str
    column: str


class SurveyClass(BaseModel):
    """A class of methods.

    Attributes:
        name: What it is called.
        idea: What its methods do.
        papers: Representatives.
        row: Row of `evaluate.rows` that shows the idea; "" for a variant or for none.
        variant: Variant of `evaluate.ablations` that shows the idea; "" for a row or for none.
        set: What else a recipe must say.
        figure: Where its figure stands; None where nothing was measured.
        missing: What the row has not of the idea, or why there is none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    idea: str
    papers: tuple[str, ...] = Field(min_length=1)
    row: str = ""
    variant: str = ""
    set: str = ""
    figure: Cell | None = None
    missing: str = ""

    @property
    def runs(self) -> str:
        """The row or variant by name; "" where none runs."""
        return self.row or self.variant

    @property
    def options(self) -> str:
        """What makes a run show the idea; "" where none does."""
        if not self.runs:
            return ""
        own = f'evaluate.rows=["{self.row}"]' if self.row else f'evaluate.ablations=["{self.variant}"]'
        return " ".join(f"--set '{option}'" for option in (own, self.set) if option)


def survey_classes() -> list[SurveyClass]:
    """All classes, in the order of the survey."""
    text = (HERE / "classes.toml").read_text(encoding="utf-8")
    return [SurveyClass.model_validate(entry) for entry in tomllib.loads(text)["classes"]]


def figure_of(cell: Cell, tables: Mapping[str, Mapping[str, Any]]) -> dict[str, Any] | None:
    """A figure from the reduced reports.

    Args:
        cell: Where it stands.
        tables: docs/reports by name.

    Returns:
        The figure, and what it was measured on; None where there is no such report yet.

    Raises:
        MmsrarecError: The report has no such row or column, or the cell is empty.
    """
    if (table := tables.get(cell.report)) is None:
        return None
    rows = {row["name"]: row["cells"] for row in table["rows"]}
    columns: list[str] = list(table["columns"])
    figure = rows[cell.row][columns.index(cell.column)] if cell.row in rows and cell.column in columns else None
    if not figure:
        place = f"docs/reports/{cell.report}.json"
        raise MmsrarecError(f"{place} has no figure of {cell.row}, {cell.column}: correct classes.toml")
    about = {"metric": cell.column, "data": table["dataset"], "users": table["users"], "report": cell.report}
    return {"figure": cell_words(figure), **about}


def cell_words(cell: Mapping[str, Any]) -> str:
    """A cell of a reduced report, such as ".8615", without what stands behind it."""
    if "value" not in cell:
        return str(cell["text"]).split(" ", 1)[0]
    value = f"{cell['value']:.{cell['digits']}f}"
    return value.removeprefix("0") if cell["value"] < 1 else value


def figures_from(tables: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The figures of all classes that have one, by class. Raises MmsrarecError as `figure_of` does."""
    figures = {entry.name: figure_of(entry.figure, tables) for entry in survey_classes() if entry.figure}
    return {name: figure for name, figure in figures.items() if figure is not None}


def kept_figures() -> dict[str, dict[str, Any]]:
    """What was last written of docs/reports."""
    return json.loads((HERE / FIGURES).read_text(encoding="utf-8"))


def survey_map() -> dict[str, Any]:
    """The answer of `mmsrarec map`: each class with its representatives, its row and its figure."""
    figures = kept_figures()
    entries = [
        {
            "class": entry.name,
            "idea": entry.idea,
            "papers": list(entry.papers),
            "row": entry.row or None,
            "variant": entry.variant or None,
            "options": entry.options or None,
            "figure": figures.get(entry.name),
            "missing": entry.missing or None,
        }
        for entry in survey_classes()
    ]
    with_row = sum(1 for entry in entries if entry["options"])
    return {"survey": SURVEY, "classes": len(entries), "with_a_row": with_row, "map": entries}


def map_text(answer: Any) -> str:
    """The map for people.

    Args:
        answer: What `survey_map` gave, as plain JSON values.

    Returns:
        A few lines for each class.
    """
    lines = [
        f"{answer['with_a_row']} of {answer['classes']} classes of the survey ({answer['survey']}) have a row here."
    ]
    for entry in answer["map"]:
        lines += ["", f"{entry['class']}: {entry['idea']}", f"  papers: {'; '.join(entry['papers'])}"]
        lines.append(f"  runs: mmsrarec run RECIPE {entry['options']}" if entry["options"] else "  runs: no row")
        if figure := entry["figure"]:
            lines.append(f"  figure: {figure_words(figure)}")
        lines += [f"  missing: {entry['missing']}"] if entry["missing"] else []
    return "\n".join(lines)


def figure_words(figure: Mapping[str, Any]) -> str:
    """A figure with what it was measured on, such as "HR@5 .8615 (microlens, 6,911 users)"."""
    users = f", {figure['users']:,} users" if figure["users"] else ""
    return f"{figure['metric']} {figure['figure']} ({figure['data']}{users})"
