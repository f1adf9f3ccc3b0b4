"""Small inline SVG plots for the report: dots with intervals, and cost against quality. Colours come from page.css."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import NamedTuple

STEP = 40
"""Height of a line of the dot plot, in SVG units; the name stands above its interval, so phones can read it."""
ALONE = (
    "<style>text{font:11px sans-serif;fill:#555}.grid{stroke:#ddd}.curve{fill:none;stroke:#999;stroke-width:2}"
    "circle{fill:#999}.strong circle{fill:#0a6}.strong .curve{stroke:#0a6}.strong text{fill:#0a6}</style>"
)
"""Of a plot without page.css."""


@dataclass(frozen=True)
class Dot:
    label: str
    value: float
    low: float
    high: float
    strong: bool = False


def dot_plot(dots: Sequence[Dot], title: str, chance: float | None = None) -> str:
    """Means with their intervals, one line each, from 0 up; chance draws a dashed line."""
    width, left, right = 440, 8, 56
    height = STEP * len(dots) + 28
    ticks = _ticks(max([d.high for d in dots] + [chance or 0.0, 1e-4]))

    def x(value: float) -> float:
        return left + (width - left - right) * value / ticks[-1]

    parts = []
    for tick in ticks:
        parts.append(f'<line class="grid" x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="4" y2="{height - 22}"/>')
        parts.append(f'<text class="tick" x="{x(tick):.1f}" y="{height - 6}" text-anchor="middle">{tick:g}</text>')
    if chance is not None:
        parts.append(f'<line class="chance" x1="{x(chance):.1f}" x2="{x(chance):.1f}" y1="4" y2="{height - 22}"/>')
    for line, dot in enumerate(dots):
        y = STEP * line + 28
        group = "strong" if dot.strong else "plain"
        parts.append(
            f'<g class="{group}"><text x="{left}" y="{y - 11}">{escape(cut(dot.label, 50))}</text>'
            f'<line class="range" x1="{x(dot.low):.1f}" x2="{x(dot.high):.1f}" y1="{y}" y2="{y}"/>'
            f'<circle cx="{x(dot.value):.1f}" cy="{y}" r="4.5"/>'
            f'<text class="value" x="{width}" y="{y + 4}" text-anchor="end">{_short(dot.value)}</text></g>'
        )
    return svg(width, height, title, parts)


@dataclass(frozen=True)
class Point:
    label: str
    cost: float
    value: float
    strong: bool = False


def scatter(points: Sequence[Point], title: str) -> str:
    """Cost on a log axis (all costs > 0) against quality from 0 up, and the frontier. A label that finds no free place
    is told by pointing at its dot."""
    width, height, left, top, bottom = 460, 340, 44, 14, 40
    first = math.floor(math.log10(min(p.cost for p in points)))
    last = max(math.ceil(math.log10(max(p.cost for p in points))), first + 1)
    ticks = _ticks(max([p.value for p in points] + [1e-4]))

    def x(cost: float) -> float:
        return left + 8 + (width - left - 24) * (math.log10(cost) - first) / (last - first)

    def y(value: float) -> float:
        return height - bottom - (height - bottom - top) * value / ticks[-1]

    parts = []
    for tick in ticks:
        parts.append(f'<line class="grid" x1="{left}" x2="{width}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>')
        parts.append(f'<text class="tick" x="{left - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for power in range(first, last + 1):
        at = x(10.0**power)
        parts.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{top}" y2="{height - bottom}"/>')
        label = f"{10.0**power:,g}"
        parts.append(f'<text class="tick" x="{at:.1f}" y="{height - bottom + 16}" text-anchor="middle">{label}</text>')
    parts.append(
        f'<text class="tick" x="{(left + width) / 2}" y="{height - 6}" text-anchor="middle">ms a user, log scale</text>'
    )
    places = {id(point): (x(point.cost), y(point.value)) for point in points}
    best = frontier(points)
    line = " ".join(f"{at:.1f},{level:.1f}" for at, level in (places[id(point)] for point in best))
    parts.append(f'<polyline class="curve" points="{line}"/>')
    boxes: list[Box] = [(at - 6, level - 6, at + 6, level + 6) for at, level in places.values()]
    for point in sorted(points, key=lambda p: (p not in best, not p.strong, -p.value)):
        at, level = places[id(point)]
        label = cut(point.label, 34)
        wide = (8.2 if point.strong else 7.2) * len(label)
        free = (spot for spot in _spots(at, level, wide) if _fits(spot.box, boxes, width, height - bottom))
        text = ""
        if spot := next(free, None):
            boxes.append(spot.box)
            text = f'<text x="{spot.x:.1f}" y="{spot.y:.1f}" text-anchor="{spot.anchor}">{escape(label)}</text>'
        parts.append(
            f'<g class="{"strong" if point.strong else "plain"}">'
            f"<title>{escape(point.label)}: {_short(point.value)}, {point.cost:.3g} ms</title>"
            f'<circle cx="{at:.1f}" cy="{level:.1f}" r="5"/>{text}</g>'
        )
    return svg(width, height, title, parts)


def cut(label: str, most: int) -> str:
    """A label of at most so many characters, its middle left out where it is longer: models end in what tells them
    apart."""
    if len(label) <= most:
        return label
    kept = most - 1
    return f"{label[: kept - kept // 2]}…{label[len(label) - kept // 2 :]}"


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


def svg(width: int, height: int, title: str, parts: Sequence[str]) -> str:
    """An SVG element of `parts`, width x height units, that says its title to those who cannot see it."""
    name = escape(title)
    head = f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{name}" style="max-width:{width * 1.3:.0f}px">'
    return "".join((head, f"<title>{name}</title>", *parts, "</svg>"))


def save_svg(drawing: str, file: Path) -> None:
    """Write one of these plots as a file that stands alone, with the name space and the colours that a page gives."""
    head, rest = drawing.split(">", 1)
    file.write_text(f'{head} xmlns="http://www.w3.org/2000/svg">{ALONE}{rest}\n', encoding="utf-8")


def _ticks(top: float) -> list[float]:
    """Three to six round numbers from 0 to at least top."""
    power = 10.0 ** math.floor(math.log10(top))
    step = next(s for s in (power / 5, power / 2, power, 2 * power, 5 * power) if top / s <= 5)
    return [float(f"{i * step:.6g}") for i in range(math.ceil(top / step - 1e-9) + 1)]


def _short(value: float) -> str:
    return f"{value:.3f}" if value >= 0.1 else f"{value:.4f}"
