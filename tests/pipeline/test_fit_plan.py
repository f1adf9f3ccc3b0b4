"""What is chosen follows from what was measured: more time buys more, and every choice is told."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmsrarec.pipeline.fit_costs import Costs, Facts
from mmsrarec.pipeline.fit_plan import (
    MAX_EASE_ITEMS,
    MAX_EXAMPLES,
    MIN_EXAMPLES,
    MIN_PASSES,
    Plan,
    choose,
    with_examples,
)
from mmsrarec.runs.recipe import Recipe

SHOP = Facts(300, 300, 276, 800, 800, 9596, has_clock=True)
MACHINE = Costs(3.0, 0.02, 0.1, 0.04, 2.5e-5, 30, 0.4)


def valid(plan: Plan) -> Recipe:
    return Recipe.model_validate({"name": "a", "data": "data", **plan.settings})


@given(
    st.builds(
        Facts,
        st.integers(1, 100_000),
        st.integers(0, 100_000),
        st.integers(0, 100_000),
        st.integers(10, 10**6),
        st.integers(10, 10**6),
        st.integers(10, 10**7),
        st.booleans(),
    ),
    st.builds(
        Costs,
        st.floats(0, 60),
        st.floats(0, 5),
        st.floats(0, 30),
        st.floats(0, 30),
        st.floats(1e-8, 1e-3),
        st.integers(1, 80),
        st.floats(0, 1000),
    ),
    st.floats(30, 1e6),
)
def test_every_plan_is_a_recipe_that_can_be_run(facts: Facts, costs: Costs, seconds: float) -> None:
    recipe = valid(choose(facts, costs, seconds))
    assert recipe.evaluate.rows[-1] == "mmsrarec"
    assert {"sasrec", "sequential-rules"} <= set(recipe.evaluate.rows)
    assert MIN_EXAMPLES <= recipe.recommend.n_examples <= MAX_EXAMPLES
    assert recipe.retrieve.epochs >= MIN_PASSES
    assert recipe.recommend.layers is not None
    assert recipe.recommend.layers <= costs.layers
    assert recipe.recommend.prompt_fields.recency == facts.has_clock


def test_more_time_buys_more() -> None:
    plans = [valid(choose(SHOP, MACHINE, 60 * minutes)) for minutes in (1, 5, 30, 120)]
    for name in ("n_examples", "negatives"):
        values = [getattr(plan.recommend, name) for plan in plans]
        assert values == sorted(values)
    epochs = [plan.retrieve.epochs for plan in plans]
    assert epochs == sorted(epochs)
    assert plans[0].recommend.n_examples < plans[2].recommend.n_examples
    assert (plans[0].summarize.texts, plans[2].summarize.texts) == (False, True)


def test_five_minutes_are_planned_for_five_minutes() -> None:
    plan = choose(SHOP, MACHINE, 300)
    assert sum(plan.predicted.values()) <= 300
    assert sum(plan.predicted.values()) > 100  # and the time is used


def test_what_is_left_out_is_told() -> None:
    slow = replace(MACHINE, picture=10.0, text_answer=60.0)
    plan = choose(replace(SHOP, items=MAX_EASE_ITEMS + 1), slow, 300)
    said = "\n".join(plan.reasons)
    assert "ease is left out: 30,001 items" in said
    assert "pictures are left out: encoding 276 would take 2760 s" in said
    assert "the first words of texts stand for keywords: writing these would take 18000 s" in said
    recipe = valid(plan)
    assert "ease" not in recipe.evaluate.rows
    assert not recipe.summarize.texts
    assert recipe.recommend.prompt_fields.descriptions
    assert not recipe.recommend.prompt_fields.pictures
    assert recipe.recommend.tasks.foresee == 0  # nothing was written that the ranker could learn to write


def test_without_texts_and_pictures_nothing_is_read() -> None:
    recipe = valid(choose(replace(SHOP, texts=0, pictures=0), MACHINE, 600))
    assert "content-sasrec" not in recipe.evaluate.rows
    assert not recipe.summarize.texts
    assert not recipe.summarize.pictures
    assert not recipe.recommend.prompt_fields.descriptions


def test_examples_fill_what_is_left() -> None:
    plan = choose(SHOP, MACHINE, 300)
    cost = 0.2
    filled = with_examples(plan, cost, 500.5 * cost)
    assert filled.settings["recommend"]["n_examples"] == 500
    assert filled.predicted["ranker"] == pytest.approx(500 * cost)
    assert sum(reason.startswith("the ranker trains on") for reason in filled.reasons) == 1
    few = with_examples(plan, cost, 100 * cost)  # fewer items an example, and more examples
    assert few.settings["recommend"]["negatives"] < filled.settings["recommend"]["negatives"]
    assert few.settings["recommend"]["n_examples"] > 100
    late = with_examples(plan, cost, -10)
    assert late.settings["recommend"]["n_examples"] == MIN_EXAMPLES
    assert "takes longer than asked for" in late.reasons[-1]
    assert with_examples(plan, cost, 1e9).settings["recommend"]["n_examples"] == MAX_EXAMPLES


def test_missing_packages_leave_their_rankers_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    plan = choose(SHOP, MACHINE, 300)
    assert not {"als", "ease"} & set(plan.settings["evaluate"]["rows"])
    assert any("pip install 'mmsrarec[baselines]'" in reason for reason in plan.reasons)
