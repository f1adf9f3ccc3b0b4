"""Paired tests: which stand first, and which differences may be luck."""

import re
from typing import Any

import pytest
from html_pages import EVIL, shown

from mmsrarec.study.report.sections.significance_section import difference, pair_tables, significance_section


def told(a: str, b: str, p: float = 0.0001, low: float = 0.1, **more: Any) -> dict[str, Any]:
    where = {"protocol": "published", "split": "s", "metric": "HR@5", "a": a, "b": b}
    return where | {"difference": 0.2, "low": low, "high": 0.3, "p": p} | more


def row(model: str, value: float, variant: str = "") -> dict[str, Any]:
    return {"protocol": "published", "split": "s", "model": model, "variant": variant} | {
        "metrics": {"HR@5": {"value": value}}
    }


ROWS = [row("popularity", 0.3), row("sasrec", 0.7), row("mmsrarec", 0.9), row("mmsrarec", 0.9, "without pictures")]


def test_pairs_against_the_strongest_rival_and_our_own_come_first() -> None:
    pairs = [told("mmsrarec", b) for b in ("popularity", "sasrec")]
    pairs += [told("mmsrarec", "mmsrarec, without pictures", 0.4, -0.1), told("mmsrarec", "a<b")]
    section = significance_section({"rows": ROWS, "pairs": pairs})
    assert section is not None
    html = section.html()
    first, folded = html.split("<details>")
    assert re.findall(r"against</span> ([^<]+)", first) == ["sasrec", "mmsrarec, without pictures"]
    assert re.findall(r"against</span> ([^<]+)", folded) == ["popularity", "a&lt;b"]
    assert (first.count("p &lt; .001"), first.count("p = 0.400"), html.count('class="cost"')) == (1, 1, 1)
    assert significance_section({"rows": ROWS, "pairs": []}) is None


def test_a_pair_is_one_line_with_a_cell_for_each_metric() -> None:
    pairs = [told("mmsrarec", "sasrec"), told("mmsrarec", "sasrec", metric="MRR"), told("als", "sasrec", metric="MRR")]
    table = pair_tables(pairs, ROWS).first
    assert table is not None
    assert table.metrics == ["HR@5", "MRR"]
    assert [(a, b, [cell is not None for cell in cells]) for a, b, cells in table.lines] == [
        ("mmsrarec", "sasrec", [True, True]),
        ("als", "sasrec", [False, True]),
    ]
    assert pair_tables(pairs, ROWS).others is None
    assert pair_tables([], ROWS) == (None, None)


def test_protocols_have_a_table_each() -> None:
    pairs = [told("a", "sasrec"), told("a", "sasrec", protocol="full"), told("a", "sasrec", split="t")]
    page = shown(significance_section({"rows": ROWS, "pairs": pairs}))
    for label in ("One among twenty-one, s", "The whole catalogue, s", "One among twenty-one, t"):
        assert label in page.words


@pytest.mark.parametrize(
    ("p", "low", "high", "pale"),
    [(0.01, 0.1, 0.3, False), (0.06, 0.1, 0.3, True), (0.01, -0.1, 0.3, True), (0.01, -0.3, -0.1, False)],
)
def test_a_difference_that_may_be_luck_is_pale(p: float, low: float, high: float, pale: bool) -> None:
    assert difference(told("a", "b", p, low) | {"high": high})["pale"] is pale


def test_the_corrected_p_counts_where_there_is_one() -> None:
    pair = told("a", "b", 0.02)
    assert (difference(pair)["p"], difference(pair)["pale"]) == (0.02, False)
    corrected = difference(pair | {"p_holm": 0.06})
    assert (corrected["p"], corrected["pale"]) == (0.06, True)
    page = shown(significance_section({"rows": ROWS, "pairs": [pair | {"p_holm": 0.06}]}))
    assert "+0.2000 +0.100 to +0.300, p = 0.060" in page.text


def test_names_are_text() -> None:
    page = shown(
        significance_section({"rows": ROWS, "pairs": [told(EVIL, EVIL, protocol=EVIL, split=EVIL, metric=EVIL)]})
    )
    assert page.names.isdisjoint({"script", "img"})
    assert page.text.count("alert('&')") == 5
