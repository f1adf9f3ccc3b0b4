"""Tables of several seeds, each with its paired tests."""

from typing import Any

from html_pages import EVIL, shown

from mmsrarec.study.report.sections.seeds_section import seeds_section


def row(model: str, value: float, **more: Any) -> dict[str, Any]:
    metric = {"value": value, "sd": 0.3536, "low": value - 0.1, "high": value + 0.1}
    where = {"protocol": "published", "split": "user-8-1-1", "model": model, "variant": "ensemble"}
    return {**where, "seeds": [0, 1], "users": 1234, "metrics": {"HR@5": metric}, **more}


PAIR = {
    "protocol": "published",
    "split": "user-8-1-1",
    "metric": "HR@5",
    "a": "mmsrarec, ensemble",
    "b": "sasrec, ensemble",
}
PAIR |= {"difference": 0.375, "low": 0.1, "high": 0.5, "p": 0.01}


def test_the_table_has_means_deviations_and_pairs() -> None:
    section = seeds_section({"spread": [row("sasrec", 0.375), row("mmsrarec", 0.75)], "spread_pairs": [PAIR]})
    assert section is not None
    html = section.html()
    assert "Seeds 0, 1" in html
    assert "One among twenty-one, user-8-1-1, 1,234 users" in html
    assert '<tr class="ours"><th scope="row">mmsrarec, ensemble' in html
    assert "<strong>0.7500</strong><small>± 0.3536</small>" in html
    assert '<span class="against">against</span> sasrec' in html


def test_each_protocol_has_its_own_table_and_pairs() -> None:
    rows = [row("sasrec", 0.5), row("sasrec", 0.4, protocol="full")]
    page = shown(seeds_section({"spread": rows, "spread_pairs": [PAIR]}))
    assert [tag for tag, _ in page.tags].count("table") == 3
    assert "The whole catalogue, user-8-1-1, 1,234 users" in page.words


def test_one_seed_is_no_section() -> None:
    assert seeds_section({}) is None
    assert seeds_section({"spread": [], "spread_pairs": []}) is None


def test_names_are_text() -> None:
    evil = row(EVIL, 0.5, variant=EVIL, protocol=EVIL, split=EVIL)
    pair = PAIR | {"a": EVIL, "b": EVIL, "protocol": EVIL, "split": EVIL, "metric": EVIL}
    page = shown(seeds_section({"spread": [evil], "spread_pairs": [pair]}))
    assert page.names.isdisjoint({"script", "img"})
    assert page.text.count("alert('&')") == 7
