"""Rows come back as saved; report.json keeps the shape others read; the page survives hostile text."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import get_args
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from mmsrarec.errors import MmsrarecError
from mmsrarec.evaluate.reference_results import ReferenceName, reference_rows
from mmsrarec.study.report.markup import shell
from mmsrarec.study.report.plots import Dot, Point, cut, dot_plot, save_svg, scatter
from mmsrarec.study.report.report import build_report, text_table
from mmsrarec.study.report.significance_section import difference_cell, pairs_section
from mmsrarec.study.report.user_examples import ItemCard, UserCard, thumbnail
from mmsrarec.study.results import ModelResult, compare_rows, corrected, load_row, row_metrics, save_row

EVIL = "<script>alert('&')</script>\"><img src=x onerror=alert(1)>"


def row(model="mmsrarec", variant="whole", protocol="published", shift=0.0, **more):
    rng = np.random.default_rng(0)
    metrics = {name: np.clip(rng.random(80) + shift, 0, 1) for name in ("HR@5", "NDCG@5", "MRR@5", "AUC")}
    cost = {"tokens_per_user": 640, "calls_per_user": 1, "ms_per_user": 410.0, "peak_mb": 2100}
    given = {"cost": cost, "slices": {"target without an image": np.arange(80) < 9}} | more
    return ModelResult(protocol, "user-8-1-1", model, variant, 0, np.arange(80), metrics, **given)


FACT = {"protocol": "published", "split": "user-8-1-1", "candidates": "1 and 20", "seed": 0, "candidate_hash": "ab12"}
FACT |= {"users": 80, "negatives": 20, "tied_share": 0.237, "cold_share": 0.0, "history": "left out", "ties": "mean"}


def shown(text="Alien", picture=None):
    item = ItemCard(text, ("space", text), picture, 0.9, (f"because of {text}",), item_id=text)
    return UserCard(text, [item], [text, "crew"], [item], item)


def written(folder, rows, users=(), **more):
    pairs = compare_rows(rows[0], rows[1], ["HR@5"]) if len(rows) > 1 else []
    given = {"data": "movielens-small", "manifest": "0" * 64, "attributes": {"items": 12}, "notes": ["A note."]} | more
    build_report(rows, [FACT], pairs, users, folder, **given)
    return json.loads((folder / "report.json").read_text()), (folder / "report.html").read_text()


class Page(HTMLParser):
    """Tags with their attributes, the text, and whether every tag is closed in order."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.words = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "img", "line", "circle"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def test_a_row_survives_the_disk(tmp_path):
    path = save_row(tmp_path, row(variant="without stage 2 / text"))
    assert path.parent == tmp_path
    back = load_row(path)
    assert (back.label, back.cost) == ("mmsrarec, without stage 2 / text", row().cost)
    assert all((back.metrics[name] == values).all() for name, values in row().metrics.items())
    assert back.slices["target without an image"].sum() == 9
    assert save_row(tmp_path, row()) != path


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"user": [1], "metrics": {"HR@5": [1, 2]}, "slices": {}}'])
def test_a_broken_row_is_named(tmp_path, text):
    (tmp_path / "row.json").write_text(text)
    with pytest.raises(MmsrarecError, match=r"row\.json is not a row"):
        load_row(tmp_path / "row.json")


def test_rows_must_fit_together():
    with pytest.raises(ValueError, match="one value a user"):
        ModelResult("full", "s", "m", "whole", 0, np.arange(3), {"MRR": np.zeros(2)})
    with pytest.raises(ValueError, match="unknown costs"):
        row(cost={"dollars": 1.0})
    with pytest.raises(ValueError, match="not asked the same"):
        compare_rows(row(), row(protocol="full"))


def test_slices_are_the_same_metrics_over_fewer_users():
    whole, part = row_metrics(row()), row_metrics(row(), np.arange(80) < 9)
    assert part["HR@5"].value == pytest.approx(row().metrics["HR@5"][:9].mean())
    assert part["HR@5"].high - part["HR@5"].low > whole["HR@5"].high - whole["HR@5"].low
    assert row_metrics(row(), np.zeros(80, dtype=bool)) == {}


def test_leak_checks_are_shown_with_what_to_do(tmp_path):
    found = {"check": "the clock", "split": "s", "passed": True, "measured": {"shown": 0}, "means": EVIL, "advice": ""}
    bad = found | {"check": "ties", "passed": False, "measured": {EVIL: [0.5, 0.25]}, "advice": f"mend {EVIL}"}
    report, page = written(tmp_path, [row()], leaks=[found, bad, found | {"passed": None, "advice": "ask"}])
    assert report["leaks"][:2] == [found, bad]
    words = " ".join(Page(page).words)
    assert all(
        part in words for part in ("1 of 3 checks failed", "green", "reported only", f"mend {EVIL}", "0.5, 0.25")
    )
    only_our_script(page)
    assert "No check failed" in written(tmp_path, [row()], leaks=[found])[1]
    assert "Leak checks" not in written(tmp_path, [row()])[1]


def only_our_script(html: str) -> None:
    """One script, known to the page's policy by its hash; whatever data says runs nowhere."""
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    assert script == files("mmsrarec.study.report").joinpath("static", "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert html.count("<script") == html.count(f"script-src 'sha256-{digest}'") == 1


def test_tables_can_be_sorted_and_pages_without_such_tables_run_nothing(tmp_path):
    _, html = written(tmp_path, [row(shift=0.1), row("popularity")])
    assert html.count('<table class="sorts">') == html.count("<table")
    assert "script" not in shell("t", "o", "h", "i", '<table class="sorts"></table>')


def test_published_figures_stand_beside_ours(tmp_path):
    report, html = written(tmp_path, [row(shift=0.1), row("popularity")], published="microlens")
    paper = next(one for one in report["published"] if one["model"] == "MMSRARec, 7B")
    assert paper["metrics"] == pytest.approx({"HR@5": 0.8509, "AUC": 0.8436, "NDCG@5": 0.6612})
    words = Page(html).words
    at = words.index("MMSRARec, 7B")
    assert words[at + 1 : at + 3] == ["0.8509", "0.8436"]
    assert "this run, user-8-1-1" in words
    assert "What others have published" not in written(tmp_path, [row()])[1]


@pytest.mark.parametrize("data", get_args(ReferenceName))
def test_published_figures_are_shares_above_chance(data):
    rows = reference_rows(data)
    assert len({row.model + row.source for row in rows}) == len(rows) == 14
    for published in rows:
        assert all(0.13 < value < 1 for value in published.metrics.values())
        assert published.metrics["AUC"] > 0.5


def test_report_json_keeps_its_shape(tmp_path):
    report, _ = written(tmp_path, [row(shift=0.1), row("popularity", cost={})], [shown()])
    assert {"data": "movielens-small", "manifest": "0" * 64}.items() <= report.items()
    first = report["rows"][0]
    expected = {"protocol": "published", "split": "user-8-1-1", "model": "mmsrarec", "variant": "whole", "seed": 0}
    assert (expected | {"users": 80}).items() <= first.items()
    assert list(first["metrics"]) == ["HR@5", "NDCG@5", "MRR@5", "AUC"]
    for metric in first["metrics"].values():
        assert set(metric) == {"value", "low", "high"}
        assert metric["low"] <= metric["value"] <= metric["high"]
    assert first["cost"] == {"tokens_per_user": 640, "calls_per_user": 1, "ms_per_user": 410, "peak_mb": 2100}
    assert first["slices"]["target without an image"]["users"] == 9
    (pair,) = report["pairs"]
    assert {"protocol", "metric", "a", "b", "difference", "low", "high", "p"} <= set(pair)
    assert pair["p_holm"] == pair["p"]  # one test alone
    assert (pair["a"], pair["b"], pair["metric"]) == ("mmsrarec", "popularity", "HR@5")
    assert pair["difference"] == pytest.approx(
        first["metrics"]["HR@5"]["value"] - report["rows"][1]["metrics"]["HR@5"]["value"]
    )
    assert report["facts"] == [FACT]
    assert report["users"][0]["recommendations"][0]["because"] == ["because of Alien"]


def test_the_page_holds_it_all_and_needs_nothing_else(tmp_path):
    picture = thumbnail(Image.new("RGB", (900, 1300), "teal"))
    assert len(picture) < 4000
    rows = [row(shift=0.1), row("popularity", cost={}), row(protocol="full"), row("als", protocol="full")]
    _, html = written(tmp_path, rows, [shown(picture=picture)])
    page = Page(html)
    assert page.open == []
    for tag, attributes in page.tags:
        assert tag not in {"link", "iframe"}
        assert attributes.get("src", "data:image/jpeg;base64,").startswith("data:image/jpeg;base64,")
        assert "href" not in attributes
    assert [tag for tag, _ in page.tags].count("svg") == 4
    only_our_script(html)
    text = " ".join(page.words)
    for words in ("because of Alien", "A note.", "23.7%", "ab12", "target without an image", "410"):
        assert words in text
    best = f"{row(shift=0.1).metrics['HR@5'].mean():.4f}"
    assert f"<strong>{best}</strong>" in html
    assert "url(" not in html
    assert "prefers-color-scheme: dark" in html


def test_hostile_text_stays_text(tmp_path):
    rows = [row(EVIL, EVIL, slices={EVIL: np.ones(80, dtype=bool)}), row("popularity")]
    _, html = written(tmp_path, rows, [shown(EVIL)], data=EVIL, attributes={EVIL: EVIL}, notes=[EVIL])
    page = Page(html)
    assert page.open == []
    assert "img" not in {tag for tag, _ in page.tags}
    only_our_script(html)
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert " ".join(page.words).count("alert('&')") >= 10


def test_an_almost_empty_report_is_still_a_page(tmp_path):
    report, html = written(tmp_path, [row(cost={}, slices={})], attributes=None, notes=())
    assert report["pairs"] == report["users"] == []
    assert Page(html).open == []


def test_two_seeds_of_a_model_are_told_apart(tmp_path):
    again = ModelResult("published", "user-8-1-1", "mmsrarec", "whole", 1, np.arange(80), row().metrics)
    _, html = written(tmp_path, [row(), again])
    assert "mmsrarec, seed 1" in html


def test_the_table_for_a_terminal_keeps_order_and_marks_the_best():
    rows = [row("popularity"), row(shift=0.2), row("als", protocol="full")]
    lines = text_table(rows, "published", "user-8-1-1").splitlines()
    assert lines[0] == "published, user-8-1-1, 80 users"
    assert [line.split()[0] for line in lines[1:]] == ["model", "popularity", "mmsrarec"]
    assert (lines[2].count("*"), lines[3].count("*")) == (0, 4)
    assert "no rows" in text_table(rows, "full", "leave-one-out")


def test_plots_place_what_they_are_given():
    svg = dot_plot([Dot("a<b", 0.25, 0.2, 0.3), Dot("ours", 0.5, 0.4, 1.0, strong=True)], "HR@5", chance=0.238)
    assert "a&lt;b" in svg
    left, right = (float(part.split('"')[0]) for part in svg.split('circle cx="')[1:])
    assert right - 8 == pytest.approx(2 * (left - 8), abs=0.2)  # twice the value, twice as far from 0
    assert svg.count('class="chance"') == 1
    cloud = scatter([Point("slow", 1000, 0.5), Point("fast", 0.01, 0.5), Point("middle", 1, 0.6)], "HR@5")
    at = {name: float(x) for name, x in re.findall(r'<title>(\w+):[^<]*</title><circle cx="([\d.]+)"', cloud)}
    assert at["fast"] < at["middle"] < at["slow"]
    line = re.findall(r"([\d.]+),", cloud.split('class="curve" points="')[1].split('"')[0])
    assert [float(x) for x in line] == [at["fast"], at["middle"]]
    assert "circle" in scatter([Point("one", 5, 0.0)], "alone")


def test_labels_that_would_cover_one_another_are_left_to_the_pointer():
    points = [Point(f"row {number}", 10 + number / 10, 0.5 + number / 1000) for number in range(40)]
    labels = re.findall(r'<text x="([\d.]+)" y="([\d.]+)" text-anchor="\w+">(row \d+)', scatter(points, "HR@5"))
    assert 2 <= len(labels) < 40
    assert scatter(points, "HR@5").count("<title>row ") == 40
    assert len({(x, y) for x, y, _ in labels}) == len(labels)


def test_a_plot_can_stand_alone(tmp_path: Path) -> None:
    save_svg(dot_plot([Dot("a<b", 0.25, 0.2, 0.3)], "HR@5"), tmp_path / "plot.svg")
    root = ElementTree.parse(tmp_path / "plot.svg").getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "a<b" in [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]


def test_pairs_against_the_strongest_rival_and_our_own_come_first():
    def told(a: str, b: str, p: float = 0.0001, low: float = 0.1) -> dict[str, object]:
        where = {"protocol": "published", "split": "s", "metric": "HR@5", "a": a, "b": b}
        return where | {"difference": 0.2, "low": low, "high": 0.3, "p": p}

    values = {"popularity": 0.3, "sasrec": 0.7, "mmsrarec": 0.9}
    rows = [
        {"protocol": "published", "split": "s", "model": model, "variant": "", "metrics": {"HR@5": {"value": value}}}
        for model, value in values.items()
    ]
    rows.append(rows[-1] | {"variant": "without pictures"})
    pairs = [told("mmsrarec", b) for b in ("popularity", "sasrec")]
    pairs += [told("mmsrarec", "mmsrarec, without pictures", 0.4, -0.1), told("mmsrarec", "a<b")]
    html = pairs_section({"rows": rows, "pairs": pairs})
    first, folded = html.split("<details>")
    assert re.findall(r"against</span> ([^<]+)", first) == ["sasrec", "mmsrarec, without pictures"]
    assert re.findall(r"against</span> ([^<]+)", folded) == ["popularity", "a&lt;b"]
    assert (first.count("p &lt; .001"), first.count("p = 0.400"), html.count('class="cost"')) == (1, 1, 1)
    assert pairs_section({"rows": rows, "pairs": []}) == ""


def test_long_labels_lose_their_middle() -> None:
    assert cut("sasrec", 6) == "sasrec"
    short = cut("mmsrarec, fused with content-sasrec+sequential-rules+ease+sasrec", 30)
    assert len(short) == 30
    assert short.startswith("mmsrarec, fused")
    assert short.endswith("ease+sasrec")


def test_p_is_corrected_within_a_table_and_shades_by_what_it_became() -> None:
    tables = [("full", "s"), ("full", "s"), ("full", "s"), ("published", "s")]
    pairs = [{"protocol": protocol, "split": split, "p": 0.02} for protocol, split in tables]
    assert [pair["p_holm"] for pair in corrected(pairs)] == pytest.approx([0.06, 0.06, 0.06, 0.02])
    assert all("p_holm" not in pair for pair in pairs)
    told = {"difference": 0.2, "low": 0.1, "high": 0.3, "p": 0.02}
    assert "cost" in difference_cell(told | {"p_holm": 0.06})
    assert "p = 0.060" in difference_cell(told | {"p_holm": 0.06})
    assert "cost" not in difference_cell(told)


def test_a_table_for_a_terminal_is_that_of_the_recipe_and_tells_the_seeds() -> None:
    one, other = (text_table([row()], "published", "user-8-1-1", seed, 100) for seed in (0, 1))
    assert one != other
    assert one == text_table([row()], "published", "user-8-1-1", 0, 100)
    told = {"published, user-8-1-1, mmsrarec": {"HR@5": 0.0123}}
    assert text_table([row()], "published", "user-8-1-1", deviations=told).count("(seeds 0.0123)") == 1
