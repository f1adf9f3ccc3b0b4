"""Inline SVG plots of tuning: curves over steps, and single items as a cloud with a line through their means."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from mmsrarec.study.report.plots import svg

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Line:
    """A curve. points: (x, y), x ascending. spread: the standard deviation at each point, drawn as a band."""

    label: str
    points: Points
    spread: Sequence[float] = ()
    strong: bool = False


@dataclass(frozen=True)
class Cloud:
    """Single items, and the line of their means; either may be empty. names: what each point of the line is called."""

    label: str
    points: Points
    line: Points = ()
    names: Sequence[str] = ()
    strong: bool = False


def line_plot(lines: Sequence[Line], title: str, x_name: str = "step", zero: bool = False) -> str:
    """Curves on linear axes, named above where there are several; zero: the y axis starts there."""
    xs = [x for line in lines for x, _ in line.points]
    ys = [0.0] if zero else []
    for line in lines:
        for (_, y), spread in zip(line.points, line.spread or [0.0] * len(line.points), strict=True):
            ys += [y - spread, y + spread]
    axes = Axes(320, 200, xs, ys, x_name, "", legend=len(lines) > 1)
    for line in sorted(lines, key=lambda line: line.strong):
        parts = []
        if line.spread:
            pairs = list(zip(line.points, line.spread, strict=True))
            band = [(x, y + s) for (x, y), s in pairs] + [(x, y - s) for (x, y), s in reversed(pairs)]
            parts.append(f'<polygon class="band" points="{axes.path(band)}"/>')
        axes.draw(line.strong, [*parts, *_stroke(axes, line.points)])
    if len(lines) > 1:
        axes.legend([(line.label, line.strong) for line in lines], dots=False)
    return axes.svg(title)


def cloud_plot(clouds: Sequence[Cloud], title: str, x_name: str, y_name: str) -> str:
    """Two quantities of the same items against each other on linear axes; x starts at 0."""
    both = [point for cloud in clouds for point in (*cloud.points, *cloud.line)]
    axes = Axes(440, 320, [0.0, *(x for x, _ in both)], [y for _, y in both], x_name, y_name, legend=True)
    ordered = sorted(clouds, key=lambda cloud: cloud.strong)
    for cloud in ordered:
        dots = (f'<circle class="faint" cx="{axes.x(x):.1f}" cy="{axes.y(y):.1f}" r="3"/>' for x, y in cloud.points)
        axes.draw(cloud.strong, list(dots))
    for cloud in ordered:  # the lines lie over all dots
        parts = _stroke(axes, cloud.line)
        parts += [f'<circle cx="{axes.x(x):.1f}" cy="{axes.y(y):.1f}" r="4"/>' for x, y in cloud.line]
        parts += [
            f'<text class="name" x="{axes.x(x):.1f}" y="{axes.y(y) - 8:.1f}" text-anchor="middle">{escape(name)}</text>'
            for (x, y), name in zip(cloud.line, cloud.names, strict=False)
        ]
        axes.draw(cloud.strong, parts)
    axes.legend([(cloud.label, cloud.strong) for cloud in clouds], dots=True)
    return axes.svg(title)


class Axes:
    """Linear axes with round ticks around the values; width and height in SVG units."""

    def __init__(
        self, width: int, height: int, xs: Sequence[float], ys: Sequence[float], x_name: str, y_name: str, legend: bool
    ):
        self.width, self.height = width, height
        self.left, self.top, self.bottom = 44, 30 if legend else 10, 36
        self.x_ticks, self.y_ticks = round_ticks(xs), round_ticks(ys)
        low, end = height - self.bottom, width - 8
        self.parts: list[str] = []
        for tick in self.y_ticks:
            at = self.y(tick)
            self.parts.append(f'<line class="grid" x1="{self.left}" x2="{end}" y1="{at:.1f}" y2="{at:.1f}"/>')
            self._tick(self.left - 6, at + 4, f"{tick:g}", "end")
        for tick in self.x_ticks:
            at = self.x(tick)
            self.parts.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{self.top}" y2="{low}"/>')
            self._tick(at, low + 15, f"{tick:g}", "middle")
        self._tick((self.left + end) / 2, height - 5, x_name, "middle")
        if y_name:
            self._tick(end, self.top - 14, f"↑ {y_name}", "end")

    def x(self, value: float) -> float:
        first, last = self.x_ticks[0], self.x_ticks[-1]
        return self.left + (self.width - 8 - self.left) * (value - first) / (last - first)

    def y(self, value: float) -> float:
        first, last = self.y_ticks[0], self.y_ticks[-1]
        return self.height - self.bottom - (self.height - self.bottom - self.top) * (value - first) / (last - first)

    def path(self, points: Points) -> str:
        return " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in points)

    def draw(self, strong: bool, parts: Sequence[str]) -> None:
        if parts:
            self.parts.append(f'<g class="{"strong" if strong else "plain"}">{"".join(parts)}</g>')

    def legend(self, names: Sequence[tuple[str, bool]], dots: bool) -> None:
        at = self.left
        for name, strong in names:
            mark = f'<circle cx="{at + 5}" cy="12" r="4"/>'
            if not dots:
                mark = f'<line class="curve" x1="{at}" x2="{at + 10}" y1="12" y2="12"/>'
            self.draw(strong, [mark, f'<text class="name" x="{at + 15}" y="16">{escape(name)}</text>'])
            at += 31 + 7 * len(name)

    def svg(self, title: str) -> str:
        return svg(self.width, self.height, title, self.parts)

    def _tick(self, x: float, y: float, text: str, anchor: str) -> None:
        name = escape(text)
        self.parts.append(f'<text class="tick" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{name}</text>')


def _stroke(axes: Axes, points: Points) -> list[str]:
    if len(points) > 1:
        return [f'<polyline class="curve" points="{axes.path(points)}"/>']
    return [f'<circle cx="{axes.x(x):.1f}" cy="{axes.y(y):.1f}" r="3"/>' for x, y in points]


def round_ticks(values: Sequence[float], most: int = 5) -> list[float]:
    """Two to most + 2 round numbers around all values; from 0 to 1 without any."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    if high - low <= 1e-9 * max(abs(low), abs(high)):  # one value: down or up to 0
        low, high = (min(low, 0.0), max(high, 0.0)) if low or high else (0.0, 1.0)
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [float(f"{i * step:.12g}") for i in range(first, last + 1)]
