"""Rates are what was measured or published, and hours follow from them."""

import json
from pathlib import Path
from typing import Any

import pytest

from mmsrarec.models.sizes.model_size import model_size
from mmsrarec.pipeline.cost_plan.machines import SHARE, SMALL_SHARE, assumed_share, machines
from mmsrarec.pipeline.cost_plan.work import Work, forward, training

REPORT = Path(__file__).parents[3] / "docs" / "reports" / "ranking-cost.json"
BY_NAME = {machine.name: machine for machine in machines()}
SHARED, OWN, CANDIDATES = 209, 20, 21
"""Tokens of the prompts that were timed (docs/results/cost.md)."""


def measured() -> dict[tuple[str, str], float]:
    report: dict[str, Any] = json.loads(REPORT.read_text(encoding="utf-8"))
    return {
        (row["name"].partition(",")[0], column): cell["value"]
        for row in report["rows"]
        for column, cell in zip(report["columns"], row["cells"], strict=True)
        if "value" in cell
    }


@pytest.mark.parametrize("layers", [8, 30])
def test_the_core_is_as_fast_as_was_measured(layers: int) -> None:
    size = model_size("embedded").shortened(layers)
    core, seconds = BY_NAME["cpu-core"], measured()
    scored = core.seconds(forward(size, SHARED, OWN, CANDIDATES), size.hidden)
    assert scored == pytest.approx(seconds["scoring", f"{layers} layers, packed"], rel=0.15)
    first = 8 if layers == 30 else 0  # as the benchmark trained them
    trained = core.seconds(training(size, 8, first, SHARED, OWN, CANDIDATES), size.hidden)
    assert trained == pytest.approx(seconds["training", f"{layers} layers, packed"], rel=0.25)


def test_a_wide_model_has_the_whole_share_of_a_gpu_and_a_narrow_one_less() -> None:
    gpu, work = BY_NAME["H100"], Work(1, 9.89e14)
    assert gpu.seconds(work, 4096) == pytest.approx(1 / SHARE)
    assert gpu.seconds(work, 576) == pytest.approx(1 / SMALL_SHARE)
    shares = [assumed_share(width) for width in (64, 576, 896, 1536, 2048, 4096)]
    assert shares == sorted(shares)
    assert shares[2] < 0.2 < shares[3]
    core = BY_NAME["cpu-core"]
    assert core.seconds(work, 576) == core.seconds(work, 4096)


def test_what_is_read_again_for_each_token_bounds_writing() -> None:
    gpu = BY_NAME["L4"]
    assert gpu.seconds(Work(1, 1.0, reads=7.5e10), 4096) == pytest.approx(1.0)
    assert gpu.seconds(Work(1, 1e15, reads=1.0), 4096) == gpu.seconds(Work(1, 1e15), 4096)


def test_each_machine_says_what_it_is_and_newer_ones_are_faster() -> None:
    assert list(BY_NAME) == ["cpu-core", "T4", "L4", "A100-80", "H100"]
    rates = [machine.forward for machine in BY_NAME.values()]
    assert rates == sorted(rates)
    assert all(machine.about and machine.number_bytes in (2, 4) for machine in BY_NAME.values())
    assert BY_NAME["T4"].dtype == "float32"
