"""A plot of a few rows on several groups of users: means with their intervals, the rows of a group below each other."""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from mmsrarec.study.report.plots.intervals import Dot
from mmsrarec.study.report.plots.svg import cut, drawing, element, group, round_ticks, short

WIDTH, LEFT, RIGHT = 440, 8, 52
NAME_HEIGHT, LINE_HEIGHT, GAP = 18, 16, 8
"""Heights in SVG units: of a group's name, of a row, and between groups."""


class Group(NamedTuple):
    """Users of one kind.

    Attributes:
        name: Stands above its rows.
        dots: The rows, the same number in each group.
    """

    name: str
    dots: Sequence[Dot]


def group_plot(groups: Sequence[Group], title: str) -> Markup:
    """Draw means with their intervals from 0 up.

    Args:
        groups: The groups; at least one.
        title: What the plot shows, for those who cannot see it.

    Returns:
        The plot.
    """
    heights = [NAME_HEIGHT + LINE_HEIGHT * len(each.dots) + GAP for each in groups]
    height = sum(heights) + 22
    ticks = round_ticks([0.0, *(dot.high for each in groups for dot in each.dots), 1e-4])

    def x(value: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * value / ticks[-1]

    shapes: list[Markup] = []
    for tick in ticks:
        line = element("line", class_="grid", x1=x(tick), x2=x(tick), y1=2, y2=height - 20)
        shapes += [line, element("text", f"{tick:g}", class_="tick", x=x(tick), y=height - 5, text_anchor="middle")]
    top = 0
    for each, room in zip(groups, heights, strict=True):
        shapes.append(element("text", cut(each.name, 56), class_="name", x=LEFT, y=top + 14))
        for number, dot in enumerate(each.dots):
            y = top + NAME_HEIGHT + LINE_HEIGHT * number + 8
            parts = [
                element("title", f"{dot.label}: {short(dot.value)}"),
                element("line", class_="range", x1=x(dot.low), x2=x(dot.high), y1=y, y2=y),
                element("circle", cx=x(dot.value), cy=y, r=4),
                element("text", short(dot.value), class_="value", x=WIDTH, y=y + 4, text_anchor="end"),
            ]
            shapes.append(group(dot.strong, parts))
        top += room
    return drawing(WIDTH, height, title, shapes)
