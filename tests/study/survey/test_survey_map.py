"""The map of the survey: every class names rows that exist, and says what it lacks."""

import json

import pytest
from typer.testing import CliRunner

from mmsrarec.cli.app import app
from mmsrarec.cli.commands import survey
from mmsrarec.errors import MmsrarecError
from mmsrarec.rankers.registry.registry import ranker_names
from mmsrarec.recommend.ablations import VARIANTS
from mmsrarec.runs.recipe import load_recipe
from mmsrarec.runs.run_folder import MSR
from mmsrarec.study.model_names import TRAINED
from mmsrarec.study.survey.survey_map import (
    Cell,
    SurveyClass,
    cell_words,
    figure_of,
    figure_words,
    map_text,
    survey_classes,
    survey_map,
)

CLASSES = survey_classes()
TABLE = {
    "dataset": "x",
    "users": 1234,
    "columns": ["HR@5", "AUC"],
    "rows": [{"name": "als", "cells": [{"value": 0.25, "digits": 3}, None]}],
}


def test_at_least_ten_classes_have_a_row_and_every_other_says_why_not() -> None:
    assert sum(1 for entry in CLASSES if entry.runs) >= 10
    assert all(entry.missing for entry in CLASSES if not entry.runs)
    assert len({entry.name for entry in CLASSES}) == len(CLASSES)


@pytest.mark.parametrize("entry", [entry for entry in CLASSES if entry.runs], ids=lambda entry: entry.name)
def test_what_a_class_names_can_be_run(entry: SurveyClass, tmp_path) -> None:
    assert bool(entry.row) != bool(entry.variant)
    assert entry.row in (*ranker_names(), *TRAINED, MSR, "")
    assert entry.variant in (*VARIANTS, "")
    (tmp_path / "r.toml").write_text('name = "r"\ndata = "."\n')
    options = [part for part in entry.options.replace("--set ", "").strip("'").split("' '") if part]
    recipe = load_recipe(tmp_path / "r.toml", options)
    assert entry.runs in (*recipe.evaluate.rows, *recipe.evaluate.ablations)


def test_a_figure_is_read_from_its_cell_or_the_place_is_named() -> None:
    found = figure_of(Cell(report="r", row="als", column="HR@5"), {"r": TABLE})
    assert found == {"figure": ".250", "metric": "HR@5", "data": "x", "users": 1234, "report": "r"}
    assert figure_words(found) == "HR@5 .250 (x, 1,234 users)"
    assert figure_of(Cell(report="later", row="als", column="HR@5"), {"r": TABLE}) is None
    for row, column in (("als", "AUC"), ("ease", "HR@5"), ("als", "MRR")):
        with pytest.raises(MmsrarecError, match=r"docs/reports/r\.json has no figure of"):
            figure_of(Cell(report="r", row=row, column=column), {"r": TABLE})


def test_words_of_a_cell() -> None:
    assert [cell_words(cell) for cell in ({"value": 12.5, "digits": 1}, {"text": ".8 (.7 to .9)"})] == ["12.5", ".8"]


def test_the_verb_prints_the_map_for_people_and_for_programs() -> None:
    answer = survey()
    assert answer == survey_map()
    assert answer["with_a_row"] == sum(1 for entry in answer["map"] if entry["options"])
    words = map_text(answer)
    for entry in CLASSES:
        assert f"\n{entry.name}: {entry.idea}\n" in words
    printed = CliRunner().invoke(app, ["map", "--json"])
    assert printed.exit_code == 0
    assert json.loads(printed.stdout)["map"] == json.loads(json.dumps(answer["map"]))
