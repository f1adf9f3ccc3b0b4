"""Answers become plain values for programs and short text for people."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel

from mmsrarec.cli.formats.plain_text import answers, fit_text, reasons, text
from mmsrarec.core.json_values import plain


@dataclass
class Point:
    x: float
    names: tuple[str, ...]


class Settings(BaseModel):
    folder: Path = Path("a/b")


def test_everything_becomes_json() -> None:
    value = {1: Point(np.float32(0.5), ("a",)), "n": np.arange(2), "s": Settings(), "nan": np.nan, "many": (1, True)}
    expected = {"1": {"x": 0.5, "names": ["a"]}, "n": [0, 1], "s": {"folder": "a/b"}, "nan": None, "many": [1, True]}
    assert plain(value) == expected
    json.dumps(plain(value), allow_nan=False)


def test_text_of_an_answer() -> None:
    rows = [{"item": "1", "score": 0.123456}, {"item": "22", "because": ["red", "mug"]}]
    answer = {"user": "u", "counts": {"items": 3, "lost": None}, "rows": rows, "nothing": []}
    assert text(answer).splitlines() == [
        "user: u",
        "counts:",
        "  items: 3",
        "  lost: -",
        "rows:",
        "  item  score   because",
        "  1     0.1235  -",
        "  22    -       red, mug",
        "nothing: -",
    ]


def test_a_line_stays_a_line() -> None:
    assert text({"title": "two\nlines"}) == "title: two lines"


def test_a_value_and_its_interval_are_one_line() -> None:
    told = {"tuned": {"total": {"value": 0.37432, "low": 0.338, "high": 0.414}}, "untuned": {"total": None}}
    assert text(told) == "tuned:\n  total: 0.3743 (0.338 to 0.414)\nuntuned:\n  total: -"


def test_reasons_say_what_spoke_for_and_against() -> None:
    parts = [{"text": "red", "weight": 0.3}, {"text": "mug", "weight": -0.1}]
    told = [
        {"text": "it is red, mug", "weight": 0.25, "parts": parts},
        {"text": "had\nOak bag", "weight": 0.1, "parts": []},
        {"text": "its picture", "weight": 0.0049, "parts": []},
        {"text": "taken before by few", "weight": -0.02, "parts": []},
        {"text": "you asked for less red", "weight": -1.5, "parts": []},
    ]
    lines = reasons({"item_id": "7", "title": "Clay mug", "score": 0.75, "reasons": told}).splitlines()
    assert lines[:-1] == [
        "item: 7, Clay mug",
        "score: 0.75",
        "spoke for it:",
        "  +0.25  it is red, mug",
        "         alone: red +0.30, mug -0.10",
        "  +0.10  had Oak bag",
        "spoke against it:",
        "  -1.50  you asked for less red",
        "  -0.02  taken before by few",
        "made no difference: its picture",
    ]
    assert "Weights need not add up" in lines[-1]
    nothing = reasons({"item_id": "7", "title": "Clay mug", "score": 0.75, "reasons": []})
    assert nothing.splitlines()[2].startswith("Each weight")


def test_people_see_ranks_and_probabilities_and_no_scores() -> None:
    row = {
        "item_id": "7",
        "title": "Mug",
        "score": -3.21,
        "because": ["you had A", "it is new"],
        "reasons": [{"kind": "x"}],
    }
    shown = answers({"user": "1", "notes": [], "recommendations": [row | {"probability": 0.1234}]})
    assert "-3.21" not in shown
    lines = shown.splitlines()
    assert lines[0] == "user: 1"
    assert lines[-2].split() == ["rank", "item_id", "title", "probability", "because"]
    assert lines[-1].split(maxsplit=4) == ["1", "7", "Mug", "12%", "you had A; it is new"]
    unfused = answers({"recommendations": [row | {"probability": None}]})
    assert "probability" not in unfused
    assert answers({"recommendations": []}) == "recommendations: -"


def test_what_fit_chose_is_a_line_each() -> None:
    shown = fit_text({"run": "runs/a", "reasons": ["six layers", "no\x1b[2J pictures"], "evaluation": "not measured"})
    assert shown.splitlines()[:2] == ["run: runs/a", "six layers"]
    assert "\x1b" not in shown
