"""A plot of counts as upright bars, for few sizes or many periods."""

from collections.abc import Sequence

from markupsafe import Markup

from mmsrarec.study.report.plots.svg import drawing, element, group, round_ticks

WIDTH, HEIGHT = 400, 200
"""Of the plot, in SVG units."""
LEFT, RIGHT, TOP, BOTTOM = 52, 4, 10, 40
"""Room for the counts and the names."""
MAX_NAMES = 13
"""How many bars are named each; of more bars, N_NAMED are, evenly."""
N_NAMED = 4


def bar_plot(bars: Sequence[tuple[str, int]], title: str, x_name: str) -> Markup:
    """Draw counts as bars from 0 up.

    Args:
        bars: (name, count) of each bar, from left to right; at least one.
        title: What the plot shows, for those who cannot see it.
        x_name: What the names are; stands below.

    Returns:
        The plot.
    """
    ticks = round_ticks([0.0, *(float(count) for _, count in bars), 1.0], most=4)
    floor, step = HEIGHT - BOTTOM, (WIDTH - LEFT - RIGHT) / len(bars)

    def y(count: float) -> float:
        return floor - (floor - TOP) * count / ticks[-1]

    shapes: list[Markup] = []
    for tick in ticks:
        shapes.append(element("line", class_="grid", x1=LEFT, x2=WIDTH - RIGHT, y1=y(tick), y2=y(tick)))
        shapes.append(element("text", short_count(tick), class_="tick", x=LEFT - 6, y=y(tick) + 4, text_anchor="end"))
    rectangles: list[Markup] = []
    every = -(-len(bars) // N_NAMED) if len(bars) > MAX_NAMES else 1
    for place, (name, count) in enumerate(bars):
        left = LEFT + step * place
        rectangles.append(
            element(
                "rect",
                element("title", f"{name}: {count:,}"),
                x=left + step * 0.08,
                y=y(count),
                width=step * 0.84,
                height=floor - y(count),
            )
        )
        if place % every == 0:
            at, anchor = (left, "start") if every > 1 else (left + step / 2, "middle")
            shapes.append(element("text", name, class_="tick", x=at, y=floor + 15, text_anchor=anchor))
    middle = (LEFT + WIDTH - RIGHT) / 2
    name = element("text", x_name, class_="tick", x=middle, y=HEIGHT - 6, text_anchor="middle")
    return drawing(WIDTH, HEIGHT, title, [*shapes, group(True, rectangles), name])


def short_count(count: float) -> str:
    """A round number with its thousands as k and its millions as M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:g}{letter}"
    return f"{count:g}"
