"""A plot of quality against cost, with the frontier of what nothing cheaper is as good as."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup

from mmsrarec.study.report.plots.axes import Axes
from mmsrarec.study.report.plots.svg import cut, element, group, round_ticks, short


@dataclass(frozen=True)
class Point:
    """What a model costs, in milliseconds a user, and how good it is."""

    label: str
    cost: float
    value: float
    strong: bool = False


def scatter(points: Sequence[Point], title: str) -> Markup:
    """Cost on a log axis (all costs > 0) against quality from 0 up, and the frontier.

    A label that finds no free place is told by pointing at its dot.
    """
    first = math.floor(math.log10(min(point.cost for point in points)))
    last = max(math.ceil(math.log10(max(point.cost for point in points))), first + 1)
    powers = [float(power) for power in range(first, last + 1)]
    y_ticks = round_ticks([0.0, *(point.value for point in points), 1e-4])
    axes = Axes(460, 340, powers, y_ticks, "ms a user, log scale", x_text=lambda power: f"{10.0**power:,g}")
    best = frontier(points)
    axes.shapes.append(
        element("polyline", class_="curve", points=axes.path([(math.log10(p.cost), p.value) for p in best]))
    )
    places = {id(point): (axes.x(math.log10(point.cost)), axes.y(point.value)) for point in points}
    boxes: list[Box] = [(x - 6, y - 6, x + 6, y + 6) for x, y in places.values()]
    for point in sorted(points, key=lambda p: (p not in best, not p.strong, -p.value)):
        x, y = places[id(point)]
        shapes = [
            element("title", f"{point.label}: {short(point.value)}, {point.cost:.3g} ms"),
            element("circle", cx=x, cy=y, r=5),
        ]
        label = cut(point.label, 34)
        spots = _spots(x, y, (8.2 if point.strong else 7.2) * len(label))
        if spot := next((spot for spot in spots if _fits(spot.box, boxes, axes.width, axes.bottom)), None):
            boxes.append(spot.box)
            shapes.append(element("text", label, x=spot.x, y=spot.y, text_anchor=spot.anchor))
        axes.shapes.append(group(point.strong, shapes))
    return axes.svg(title)


def frontier(points: Sequence[Point]) -> list[Point]:
    """The points that nothing cheaper is as good as, cheapest first."""
    best: list[Point] = []
    for point in sorted(points, key=lambda p: (p.cost, -p.value)):
        if not best or point.value > best[-1].value:
            best.append(point)
    return best


Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


class Spot(NamedTuple):
    """Where a label may stand: the place and anchor of its text, and what it covers."""

    x: float
    y: float
    anchor: str
    box: Box


def _spots(x: float, y: float, wide: float) -> Iterator[Spot]:
    """Beside, below and above a dot, the best first, for a label so wide and 14 units high."""
    for anchor, shift, left in (("start", 9, 0), ("end", -9, -wide), ("middle", 0, -wide / 2)):
        for down in (4, -6, 14) if anchor != "middle" else (20, -11):
            at, line = x + shift, y + down
            yield Spot(at, line, anchor, (at + left, line - 11, at + left + wide, line + 3))


def _fits(box: Box, others: Sequence[Box], width: float, height: float) -> bool:
    left, top, right, bottom = box
    inside = left >= 0 and top >= 0 and right <= width and bottom <= height
    return inside and all(right < o[0] or left > o[2] or bottom < o[1] or top > o[3] for o in others)
