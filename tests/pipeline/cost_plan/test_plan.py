"""A plan says what a recipe will cost, loads no weights, and says what it assumed."""

import json
from pathlib import Path
from typing import Any

import pytest
from architectures import tiny_of

from mmsrarec.core.json_values import plain
from mmsrarec.errors import MmsrarecError
from mmsrarec.models.backbone import loading
from mmsrarec.models.vision.native_processor import LONGEST_SIDE
from mmsrarec.pipeline.cost_plan.plan import plan_recipe
from mmsrarec.runs.recipe import load_recipe

SIZES: dict[str, Any] = {"items": 1000, "users": 500, "events": 20_000, "text_tokens": 60}


def by_machine(plan: dict[str, Any]) -> dict[str, Any]:
    return {machine["machine"]: machine for machine in plan["machines"]}


def test_a_plan_is_plain_values_without_loading_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any) -> None:
        raise AssertionError("weights were read")

    monkeypatch.setattr(loading, "load_parts", refuse)
    plan = plan_recipe(load_recipe("sample"), **SIZES)
    assert json.loads(json.dumps(plain(plan))) == plain(plan)
    assert [stage["stage"] for stage in plan["stages"]][-1] == "answer"
    for machine in plan["machines"]:
        assert machine["fits"]
        assert machine["total_hours"] == pytest.approx(sum(machine["hours"].values()), rel=0.02)
        assert "answer" not in machine["hours"]
    hours = [machine["total_hours"] for machine in plan["machines"]]
    assert hours == sorted(hours, reverse=True)
    assert any("estimate" in note for note in plan["notes"])


def test_what_does_not_fit_has_no_hours() -> None:
    plan = by_machine(plan_recipe(load_recipe("sample"), **SIZES, model="Qwen2.5-VL-7B"))
    assert not plan["T4"]["fits"]
    assert plan["T4"]["hours"] is None
    assert plan["T4"]["peak_gib"] > 2 * 15  # 8.3 billion weights in float32
    assert plan["L4"]["fits"]
    small, large = (plan_recipe(load_recipe("sample"), **SIZES, model=name) for name in ("SmolVLM-256M", "Gemma-3-4B"))
    for name in ("T4", "L4", "H100"):
        assert by_machine(large)[name]["peak_gib"] > by_machine(small)[name]["peak_gib"]


def test_a_folder_is_planned_by_its_configuration(tmp_path: Path) -> None:
    mllm = tiny_of("qwen3_vl")
    mllm.model.config.save_pretrained(tmp_path)
    assert not list(tmp_path.glob("*.safetensors"))
    plan = plan_recipe(load_recipe("sample", [f'model.name="{tmp_path}"']), **SIZES)
    assert plan["model"]["parameters"] == sum(weight.numel() for weight in mllm.model.parameters())
    assert plan["model"]["ranking_layers"] == 2


def test_a_plan_says_what_it_assumed() -> None:
    recipe = load_recipe("sample", ["recommend.first_layer=10", 'evaluate.splits=["time-cut"]'])
    notes = " ".join(plan_recipe(recipe, **SIZES)["notes"])
    assert "no effect" not in notes
    assert "all are used" not in notes
    assert "first_layer is above the last layer" in notes
    assert "10% of the users" in notes


def test_a_plan_says_what_has_no_effect_and_refuses_what_cannot_be() -> None:
    lines = ["recommend.layers=500", "runtime.compile_layers=true", 'model.quantization="torchao-int8"']
    plan = plan_recipe(load_recipe("sample", lines), **SIZES)
    notes = " ".join(plan["notes"])
    assert "recommend.layers = 500 are more than the model's 30: all are used" in notes
    assert "compile_layers has no effect" in notes
    with pytest.raises(MmsrarecError, match="1,001 items with a picture are more than 1,000 items"):
        plan_recipe(load_recipe("sample"), **SIZES, pictures=1001)
    with pytest.raises(MmsrarecError, match='the model "" is not known'):
        plan_recipe(load_recipe("sample"), **SIZES, model="")


def test_large_pictures_cost_what_they_cost_after_they_were_shrunk() -> None:
    recipe = load_recipe("sample")
    shrunk, large = (
        plan_recipe(recipe, **SIZES, model="Qwen2.5-VL-7B", picture_side=side) for side in (LONGEST_SIDE, 8192)
    )
    assert by_machine(large)["H100"]["peak_gib"] == by_machine(shrunk)["H100"]["peak_gib"]
    assert large["stages"] == shrunk["stages"]
