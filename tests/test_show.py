"""Answers become plain values for programs and short text for people."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel

from mmsrarec.show import plain, text


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
