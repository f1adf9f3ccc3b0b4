"""The table of a protocol: what is best, which columns there are, and what its plots say."""

from typing import Any

import pytest
from html_pages import EVIL, shown

from mmsrarec.study.report.sections.metrics_section import MetricsTable, metrics_section

FACT = {"protocol": "published", "split": "s", "negatives": 20, "sealed_users": 1234}


def metric(value: float, **more: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.05, "high": value + 0.05, **more}


def row(model: str, value: float, variant: str = "", **more: Any) -> dict[str, Any]:
    where = {"protocol": "published", "split": "s", "model": model, "variant": variant, "seed": 0, "users": 80}
    return {**where, "metrics": {"HR@5": metric(value)}, "cost": {}, "slices": {}, **more}


def report(*rows: dict[str, Any], facts: tuple[dict[str, Any], ...] = (FACT,)) -> dict[str, Any]:
    return {"rows": rows, "facts": facts}


def test_columns_are_those_that_some_row_has() -> None:
    rows = [("a", row("a", 0.5)), ("b", row("b", 0.4, cost={"ms_per_user": 2.0, "calls_per_user": 1}))]
    assert MetricsTable(rows).heads == ["model", "HR@5", "calls", "ms"]
    assert MetricsTable(rows, users=True).heads[:2] == ["model", "users"]
    assert MetricsTable([("a", row("a", 0.5, coverage=0.25))]).heads == ["model", "HR@5", "coverage"]


def test_the_best_of_each_metric_counts_only_rows_that_have_it() -> None:
    first, second = row("a", 0.5), row("b", 0.4)
    second["metrics"]["MRR"] = metric(0.2)
    table = MetricsTable([("a", first), ("b", second)])
    assert table.best == {"HR@5": 0.5, "MRR": 0.2}
    html = metrics_section(report(first, second), "published", "s").html()
    assert "<strong>0.5000</strong>" in html
    assert "<strong>0.2000</strong>" in html
    assert "<strong>0.4000</strong>" not in html
    assert "<td>–</td>" in html


def test_our_rows_are_marked_and_intervals_and_costs_stand_beside() -> None:
    costs = {"tokens_per_user": 640, "calls_per_user": 1, "ms_per_user": 410.4, "peak_mb": 2100}
    section = metrics_section(
        report(row("mmsrarec", 0.5, cost=costs, coverage=0.25), row("als", 0.4)), "published", "s"
    )
    html = section.html()
    assert html.count('<tr class="ours">') == 1
    for text in ("0.450–0.550", "640", "410", "2,100", "25.0%"):
        assert text in shown(section).text
    assert "80 users (1,234 more are sealed)" in shown(section).text


def test_seeds_of_one_model_are_told_apart() -> None:
    labels = shown(metrics_section(report(row("a", 0.5), row("a", 0.4, seed=1)), "published", "s")).words
    assert {"a, seed 0", "a, seed 1"} <= set(labels)


def test_chance_is_drawn_where_the_candidates_are_known() -> None:
    with_chance, without = (
        metrics_section(report(row("a", 0.5), facts=facts), "published", "s").html() for facts in ((FACT,), ())
    )
    assert ('class="chance"' in with_chance, "The dashed line is chance." in with_chance) == (True, True)
    assert ('class="chance"' in without, "The dashed line is chance." in without) == (False, False)
    assert "sealed" not in without


@pytest.mark.parametrize(("ms", "plots"), [(2.0, 2), (0, 1), (None, 1)])
def test_quality_against_time_needs_times(ms: float | None, plots: int) -> None:
    cost = {} if ms is None else {"ms_per_user": ms}
    assert metrics_section(report(row("a", 0.5, cost=cost)), "published", "s").html().count("<svg") == plots


def test_a_protocol_without_its_headline_takes_its_first_metric() -> None:
    other = row("a", 0.5, protocol="full")
    html = metrics_section(report(other, facts=()), "full", "s").html()
    assert "HR@5, with 95 % intervals over users." in html
    assert "The whole catalogue" in html
    assert "Coverage is the share" in html


def test_parts_without_users_are_left_out() -> None:
    parts = {"cold": {"users": 9, "metrics": {"HR@5": metric(0.125)}}, "empty": {"users": 0, "metrics": {}}}
    html = metrics_section(report(row("a", 0.5, slices=parts), row("b", 0.4)), "published", "s").html()
    assert "<h3>cold</h3>" in html
    assert "<td>9</td>" in html
    assert "0.1250" in html
    assert "empty" not in html
    assert "<details>" not in metrics_section(report(row("a", 0.5)), "published", "s").html()


def test_all_names_are_text() -> None:
    evil = row(EVIL, 0.5, EVIL, cost={"ms_per_user": 1.0}, split=EVIL, protocol=EVIL)
    evil["slices"] = {EVIL: {"users": 9, "metrics": {EVIL: metric(0.5)}}}
    page = shown(metrics_section(report(evil, facts=()), EVIL, EVIL))
    assert page.names.isdisjoint({"script", "img"})
    assert page.text.count("alert('&')") >= 8
