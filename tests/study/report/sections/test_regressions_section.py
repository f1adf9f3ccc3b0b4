"""The regressions, as the report shows them."""

from typing import Any

from html_pages import EVIL, shown

from mmsrarec.study.report.sections.regressions_section import regressions_section
from mmsrarec.study.report.user_examples import ItemCard, UserCard


def part(name: str, difference: float, p: float = 0.5) -> dict[str, Any]:
    interval = {"difference": difference, "low": difference - 0.01, "high": difference + 0.01}
    return {"part": name, "users": 1234, **interval, "p": p, "p_holm": p, "gained": 40, "lost": 50}


def table(*parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    labels = {"a": "mmsrarec, fused", "b": "sasrec", "metric": "NDCG@10", "found": "HR@10"}
    return {"protocol": "full", "split": "time-cut", **labels, "parts": list(parts), **more}


def test_it_counts_the_parts_where_we_are_behind_and_those_beyond_luck() -> None:
    parts = [part("cold", -0.2, 0.001), part("none", -0.1), part("all users", 0.1, 0.001)]
    page = shown(regressions_section({"worse": [table(*parts)]}, []))
    assert "Behind in 2 of 3 parts, in 1 by more than luck." in page.text
    assert "The whole catalogue, time-cut: mmsrarec, fused against sasrec" in page.text
    assert "part of the users users NDCG@10 gained, HR@10 lost, HR@10" in page.text
    assert "cold 1,234 -0.2000 -0.210 to -0.190, p = 0.001 40 50" in page.text


def test_where_nothing_is_behind_it_says_so() -> None:
    page = shown(regressions_section({"worse": [table(part("all users", 0.1))]}, []))
    assert "Behind in no part." in page.text
    assert "Who lost most" not in page.text


def test_nothing_compared_is_no_section() -> None:
    user = UserCard("User 1", [], [], [], ItemCard("Mug"))
    assert regressions_section({}, []) is None
    assert regressions_section({"worse": []}, [user]) is None


def test_who_lost_most_is_shown_and_all_is_text() -> None:
    lost = UserCard(f"User {EVIL}", [], [], [], ItemCard(EVIL), note=f"{EVIL} at place 3")
    evil = table(part(EVIL, 0.1), a=EVIL, b=EVIL, metric=EVIL, found=EVIL, split=EVIL, protocol=EVIL)
    page = shown(regressions_section({"worse": [evil]}, [lost]))
    assert "Who lost most" in page.text
    assert "No similar user before this query." in page.text
    assert page.names.isdisjoint({"script", "img"})
    assert page.text.count("alert('&')") == 11
