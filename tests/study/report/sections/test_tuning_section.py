"""The curves of tuning: what lacks is left out, and long curves are averaged."""

import math

import pytest
from html_pages import EVIL, shown

from mmsrarec.study.report.sections.tuning_section import MAX_POINTS, tuning_section

STEP = {"phase": "grpo", "step": 1, "loss": 0.1, "reward": 0.3, "keywords": 6.0, "copied": 0.2, "malformed": 0.1}


def test_curves_may_lack_keys() -> None:
    entries: list[dict] = [
        {},
        {"phase": None, "rewards": None, "keywords": None},
        {"phase": "grpo", "reward": None, "rewards": {"length": {}}},
    ]
    assert tuning_section([]) is tuning_section(entries) is None
    entries += [{"phase": "grpo", "step": 3, "rewards": {"length": {"mean": -0.4}}, "loss": math.nan}]
    entries += [{"phase": "grpo", "step": 4, "rewards": {"length": {"mean": -0.3, "std": 0.1}}, "copied": 0.2}]
    section = tuning_section(entries)
    assert section is not None
    html = section.html()
    assert html.count("<svg") == 2  # the length reward, and the one copied share
    assert "loss" not in shown(section).text
    assert "None" not in html


def test_phases_are_told_apart_in_their_order() -> None:
    words = shown(tuning_section([{"phase": "warm start", "loss": 2.0}, STEP, STEP | {"step": 2}])).words
    assert words.index("Warm start") < words.index("Reinforcement learning (GRPO)")
    assert shown(tuning_section([{"phase": EVIL, "loss": 2.0}])).names.isdisjoint({"script", "img"})
    assert "h3" not in shown(tuning_section([{"loss": 2.0}])).names


def test_each_reward_has_a_plot_and_the_total_stands_first() -> None:
    rewards = {name: {"mean": 0.2, "std": 0.1} for name in ("information", "total", EVIL)}
    section = tuning_section([STEP | {"step": step, "rewards": rewards} for step in (1, 2)])
    assert section is not None
    ((_, plots),) = section.data["phases"]
    names = [name for _, name in plots]
    assert names == ["total reward", "information", EVIL, "keywords an answer", "malformed and copied shares", "loss"]
    assert section.html().count('class="band"') == 3
    assert "A band is one standard deviation" in shown(section).text
    assert shown(section).names.isdisjoint({"script", "img"})
    plain = tuning_section([STEP])
    assert "A band is" not in shown(plain).text
    assert "total reward" in shown(plain).text


@pytest.mark.parametrize(("steps", "points"), [(4 * MAX_POINTS, MAX_POINTS), (30, 30)])
def test_long_curves_are_averaged_over_neighbours(steps: int, points: int) -> None:
    section = tuning_section([{"step": i, "loss": float(i % 2)} for i in range(steps)])
    assert section is not None
    (path,) = (part.split('"')[0].split() for part in section.html().split('class="curve" points="')[1:])
    assert len(path) == points
    assert (len({point.split(",")[1] for point in path}) == 1) is (steps > points)  # every mean of four is one half
    assert ("are averaged" in shown(section).text) is (steps > points)
