"""Plots of what moves: curves with bands, and single items as a cloud with a line through their means."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import log10

from markupsafe import Markup

from mmsrarec.study.report.plots.axes import Axes, Points
from mmsrarec.study.report.plots.bars import short_count
from mmsrarec.study.report.plots.svg import element, power_ticks, round_ticks


@dataclass(frozen=True)
class Line:
    """A curve.

    Attributes:
        points: (x, y), x ascending.
        spread: The standard deviation at each point, drawn as a band.
    """

    label: str
    points: Points
    spread: Sequence[float] = ()
    strong: bool = False


@dataclass(frozen=True)
class Cloud:
    """Single items, and the line of their means; either may be empty.

    Attributes:
        points: (x, y) of each item.
        line: (x, y) of each mean.
        names: What each point of the line is called.
    """

    label: str
    points: Points
    line: Points = ()
    names: Sequence[str] = ()
    strong: bool = False


def line_plot(
    lines: Sequence[Line], title: str, x_name: str = "step", zero: bool = False, powers: bool = False
) -> Markup:
    """Draw curves, named above where there are several.

    Args:
        lines: The curves.
        title: What the plot shows, for those who cannot see it.
        x_name: Stands below.
        zero: The y axis starts at 0.
        powers: The x axis is logarithmic; all x are above 0.

    Returns:
        The plot.
    """
    xs = [x for line in lines for x, _ in line.points]
    x_ticks = [log10(tick) for tick in power_ticks(xs)] if powers else round_ticks(xs)
    if powers:
        lines = [replace(line, points=[(log10(x), y) for x, y in line.points]) for line in lines]
    ys = [0.0] if zero else []
    for line in lines:
        for (_, y), spread in zip(line.points, line.spread or [0.0] * len(line.points), strict=True):
            ys += [y - spread, y + spread]
    x_text: Callable[[float], str] = (lambda x: short_count(round(10**x))) if powers else short_count
    axes = Axes(320, 200, x_ticks, round_ticks(ys), x_name, legend=len(lines) > 1, x_text=x_text)
    for line in sorted(lines, key=lambda line: line.strong):
        axes.draw(line.strong, [*_band(axes, line), *axes.curve(line.points)])
    if len(lines) > 1:
        axes.legend([(line.label, line.strong) for line in lines], dots=False)
    return axes.svg(title)


def _band(axes: Axes, line: Line) -> list[Markup]:
    """The area of one deviation to either side of a curve; nothing without deviations."""
    if not line.spread:
        return []
    points = list(zip(line.points, line.spread, strict=True))
    edge = [(x, y + spread) for (x, y), spread in points] + [(x, y - spread) for (x, y), spread in reversed(points)]
    return [element("polygon", class_="band", points=axes.path(edge))]


def cloud_plot(clouds: Sequence[Cloud], title: str, x_name: str, y_name: str) -> Markup:
    """Two quantities of the same items against each other on linear axes; x starts at 0."""
    both = [point for cloud in clouds for point in (*cloud.points, *cloud.line)]
    ticks = round_ticks([0.0, *(x for x, _ in both)]), round_ticks([y for _, y in both])
    axes = Axes(440, 320, *ticks, x_name, y_name, legend=True)
    ordered = sorted(clouds, key=lambda cloud: cloud.strong)
    for cloud in ordered:
        axes.draw(cloud.strong, axes.dots(cloud.points, 3, class_="faint"))
    for cloud in ordered:  # the lines lie over all dots
        names = [
            element("text", name, class_="name", x=axes.x(x), y=axes.y(y) - 8, text_anchor="middle")
            for (x, y), name in zip(cloud.line, cloud.names, strict=False)
        ]
        axes.draw(cloud.strong, [*axes.curve(cloud.line), *axes.dots(cloud.line, 4), *names])
    axes.legend([(cloud.label, cloud.strong) for cloud in clouds], dots=True)
    return axes.svg(title)
