"""Quality against cost: places, the frontier, and labels that cover nothing."""

import re

from mmsrarec.study.report.plots.scatter import Point, frontier, scatter

SLOW, FAST, MIDDLE = Point("slow", 1000, 0.5), Point("fast", 0.01, 0.5), Point("middle", 1, 0.6)


def places(svg: str) -> dict[str, tuple[float, float]]:
    found = re.findall(r'<title>([\w ]+):[^<]*</title><circle cx="([\d.]+)" cy="([\d.]+)"', svg)
    return {name: (float(x), float(y)) for name, x, y in found}


def test_cheaper_is_to_the_left_and_better_is_higher() -> None:
    at = places(scatter([SLOW, FAST, MIDDLE], "HR@5"))
    assert at["fast"][0] < at["middle"][0] < at["slow"][0]
    assert at["middle"][1] < at["fast"][1] == at["slow"][1]


def test_the_line_joins_what_nothing_cheaper_is_as_good_as() -> None:
    svg = scatter([SLOW, FAST, MIDDLE], "HR@5")
    line = re.findall(r"([\d.]+),([\d.]+)", svg.split('class="curve" points="')[1].split('"')[0])
    assert [(float(x), float(y)) for x, y in line] == [places(svg)["fast"], places(svg)["middle"]]
    assert frontier([SLOW, FAST, MIDDLE]) == [FAST, MIDDLE]
    assert frontier([Point("a", 1, 0.5), Point("b", 1, 0.6)]) == [Point("b", 1, 0.6)]


def test_costs_are_on_round_powers() -> None:
    svg = scatter([Point("one", 5, 0.0)], "alone")
    assert places(svg).keys() == {"one"}
    assert [f'text-anchor="middle">{tick}<' in svg for tick in ("1", "10", "100")] == [True, True, False]
    assert 'text-anchor="middle">1,000<' in scatter([Point("far", 1000, 0.5)], "alone")


def test_labels_that_would_cover_one_another_are_left_to_the_pointer() -> None:
    n_vote_neighbours = [Point(f"row {number}", 10 + number / 10, 0.5 + number / 1000) for number in range(40)]
    labels = re.findall(
        r'<text x="([\d.]+)" y="([\d.]+)" text-anchor="\w+">(row \d+)', scatter(n_vote_neighbours, "HR@5")
    )
    assert 2 <= len(labels) < 40
    assert scatter(n_vote_neighbours, "HR@5").count("<title>row ") == 40
    assert len({(x, y) for x, y, _ in labels}) == len(labels)
