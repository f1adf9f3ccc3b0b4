"""A plot of means with their intervals, one line each."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from mmsrarec.study.report.plots.svg import cut, drawing, element, group, round_ticks, short

LINE_HEIGHT = 40
"""Of the plot, in SVG units; the name stands above its interval, so phones can read it."""
WIDTH, LEFT, RIGHT = 440, 8, 56


@dataclass(frozen=True)
class Dot:
    """A mean and its interval."""

    label: str
    value: float
    low: float
    high: float
    strong: bool = False


def dot_plot(dots: Sequence[Dot], title: str, chance: float | None = None) -> Markup:
    """Means with their intervals from 0 up; chance draws a dashed line."""
    height = LINE_HEIGHT * len(dots) + 28
    ticks = round_ticks([0.0, *(dot.high for dot in dots), chance or 0.0, 1e-4])

    def x(value: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * value / ticks[-1]

    def upright(value: float, kind: str) -> Markup:
        return element("line", class_=kind, x1=x(value), x2=x(value), y1=4, y2=height - 22)

    shapes: list[Markup] = []
    for tick in ticks:
        label = element("text", f"{tick:g}", class_="tick", x=x(tick), y=height - 6, text_anchor="middle")
        shapes += [upright(tick, "grid"), label]
    if chance is not None:
        shapes.append(upright(chance, "chance"))
    for line, dot in enumerate(dots):
        y = LINE_HEIGHT * line + 28
        parts = [
            element("text", cut(dot.label, 50), x=LEFT, y=y - 11),
            element("line", class_="range", x1=x(dot.low), x2=x(dot.high), y1=y, y2=y),
            element("circle", cx=x(dot.value), cy=y, r=4.5),
            element("text", short(dot.value), class_="value", x=WIDTH, y=y + 4, text_anchor="end"),
        ]
        shapes.append(group(dot.strong, parts))
    return drawing(WIDTH, height, title, shapes)
