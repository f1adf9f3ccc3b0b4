"""A plan for people: short numbers, a row for each stage and machine."""

import pytest

from mmsrarec.cli.formats.plan_format import amount, duration, plan_text
from mmsrarec.core.json_values import plain
from mmsrarec.pipeline.cost_plan.plan import plan_recipe
from mmsrarec.runs.recipe import load_recipe


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (17, "17"), (1500, "1.5 k"), (139_593_340, "140 M"), (2.47e15, "2.47 P"), (3e21, "3e+03 E")],
)
def test_amounts_have_three_digits_and_a_prefix(value: float, text: str) -> None:
    assert amount(value) == text


@pytest.mark.parametrize(
    ("hours", "text"), [(0.0001, "< 1 s"), (0.01, "36 s"), (0.1, "6 min"), (20.5, "20.5 h"), (12345.6, "12,346 h")]
)
def test_durations_are_in_the_unit_that_people_say(hours: float, text: str) -> None:
    assert duration(hours) == text


def test_a_plan_has_a_row_for_each_stage_and_machine() -> None:
    sizes = {"items": 1000, "users": 500, "events": 20_000, "text_tokens": 60}
    shown = plan_text(plain(plan_recipe(load_recipe("sample"), **sizes, model="Qwen2.5-VL-7B")))
    lines = shown.splitlines()
    assert lines[0].startswith("model: Qwen2.5-VL-7B, 8.29 G parameters, 6 of 28 layers rank")
    for name in ("pictures", "summarize", "recommend", "evaluate", "answer"):
        assert any(line.startswith(name) for line in lines)
    (t4,) = [line for line in lines if line.startswith("T4 ")]
    assert "does not fit" in t4
    assert "estimate" in shown
