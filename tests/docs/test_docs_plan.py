"""The page on planning shows what the calculation says today, and what it says of machines."""

import pytest
from docs.scripts import DOCS, load_script

from mmsrarec.models.sizes.model_size import published_names
from mmsrarec.pipeline.cost_plan.machines import NARROW, SHARE, SMALL_SHARE, WIDE, machines

script = load_script("docs_plan")
TEXT = (DOCS / "plan.md").read_text(encoding="utf-8")


def test_the_table_of_models_is_current() -> None:
    assert script.page(TEXT) == TEXT, "run python scripts/docs_plan.py"
    for name in published_names():
        assert f"| {name} |" in TEXT


def test_a_table_that_is_not_current_is_noticed() -> None:
    assert script.page(TEXT.replace("| embedded | 140 M |", "| embedded | 141 M |")) == TEXT


@pytest.mark.parametrize("machine", machines(), ids=lambda machine: machine.name)
def test_the_page_names_each_machine_with_its_rate(machine) -> None:
    (row,) = [line for line in TEXT.splitlines() if line.startswith(f"| `{machine.name}` |")]
    unit, size = ("TFLOP/s", 1e12) if machine.forward >= 1e12 else ("GFLOP/s", 1e9)
    assert f"{machine.forward / size:.3g} {unit}" in row
    assert machine.dtype in row


def test_the_page_says_what_is_assumed() -> None:
    words = " ".join(TEXT.split())
    assert f"({NARROW}) is taken to have {SMALL_SHARE:.0%}".replace("%", " %") in words
    assert f"{WIDE:,} wide or wider {SHARE:.0%}".replace("%", " %") in words
