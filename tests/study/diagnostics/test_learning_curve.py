"""The learning curve counts packs, averages neighbours and knows the task of ranking alone."""

import json
from pathlib import Path

import pytest

from mmsrarec.study.diagnostics.learning_curve import FILE, MAX_POINTS, learning_curve, read_learning_curve


def steps(n: int) -> list[dict]:
    ranked = [{"step": 2 * i, "task": "choose", "loss": 4.0 - i, "first": i / 10} for i in range(n)]
    return [step for each in ranked for step in (each, {"step": each["step"] + 1, "task": "profile", "loss": 99.0})]


def test_each_step_stands_at_the_middle_of_its_packs() -> None:
    points = learning_curve(steps(4), 16)
    assert [tuple(point) for point in points] == [(2, 4, 0), (6, 3, 0.1), (10, 2, 0.2), (14, 1, 0.3)]


def test_neighbours_are_averaged_down_to_few_points() -> None:
    points = learning_curve(steps(10 * MAX_POINTS), 40 * 10 * MAX_POINTS)
    assert len(points) == MAX_POINTS
    assert points[0].packs == pytest.approx(200)
    assert points[0].loss == pytest.approx(4 - 4.5)
    assert points[-1].packs == pytest.approx(40 * 10 * MAX_POINTS - 200)


def test_where_nothing_was_trained_there_is_no_curve(tmp_path: Path) -> None:
    assert learning_curve([], 10) == learning_curve(steps(3)[1::2], 10) == []
    assert read_learning_curve(tmp_path, 10) == []
    (tmp_path / FILE).write_text('{"steps": 0}')
    assert read_learning_curve(tmp_path, 10) == []
    (tmp_path / FILE).write_text(json.dumps({"curve": steps(2)}))
    assert read_learning_curve(tmp_path, 8) == learning_curve(steps(2), 8)
