"""Draw how processor time and memory of each step grow with the log: two plots for the documentation.

    python benchmarks/scale/growth.py scale.json --out docs

The input is what `measure.py` printed; several files, of several sizes, are joined. Both axes are logarithmic, so that
linear growth is a line of slope 1, which is drawn in grey.
"""

import argparse
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from markupsafe import Markup

from mmsrarec.study.report.plots import save_svg
from mmsrarec.study.report.plots.axes import Axes
from mmsrarec.study.report.plots.svg import element

QUANTITIES = {"cpu_s": ("seconds of the processor", "scale-seconds.svg"), "peak_mb": ("MB", "scale-memory.svg")}
"""The unit of each quantity, and the file that it is drawn into."""
WIDTH, HEIGHT, NAMES, LINE_HEIGHT = 520, 360, 130, 12
"""Of a plot, of the column of names at its right, and of a name."""
Curves = Mapping[str, Sequence[tuple[int, float]]]


def read(files: Iterable[Path]) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """The points of each step, by quantity: (interactions, value), ascending; the last file that has one counts."""
    points: dict[str, dict[str, dict[int, float]]] = {name: defaultdict(dict) for name in QUANTITIES}
    for file in files:
        result = json.loads(file.read_text(encoding="utf-8").strip().splitlines()[-1])
        for step, cells in result["rows"].items():
            for size, cell in zip(result["sizes"], cells, strict=True):
                for quantity in QUANTITIES:
                    if quantity in cell:
                        points[quantity][step][size] = max(cell[quantity], 0.001)
    return {name: {step: sorted(own.items()) for step, own in steps.items()} for name, steps in points.items()}


def powers_of_ten(values: Iterable[float]) -> list[float]:
    """The logarithms of the powers of ten around values, two or more."""
    logs = [math.log10(value) for value in values]
    first, last = math.floor(min(logs) + 1e-9), math.ceil(max(logs) - 1e-9)
    return [float(power) for power in range(first, max(last, first + 1) + 1)]


def spread_out(heights: Sequence[float], least: float) -> list[float]:
    """Heights in ascending order moved down until neighbours are `least` apart."""
    moved: list[float] = []
    for height in heights:
        moved.append(max(height, moved[-1] + least) if moved else height)
    return moved


def short(value: float) -> str:
    """A power of ten as a tick."""
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def plot(curves: Curves, title: str, unit: str) -> Markup:
    """One plot: a curve for each step, named at its end."""
    x_ticks = powers_of_ten(size for points in curves.values() for size, _ in points)
    y_ticks = powers_of_ten(value for points in curves.values() for _, value in points)
    axes = Axes(
        WIDTH,
        HEIGHT,
        x_ticks,
        y_ticks,
        "interactions",
        unit,
        legend=True,
        x_text=lambda tick: short(10**tick),
        y_text=lambda tick: short(10**tick),
        right=NAMES,
    )
    begin, height = x_ticks[0], min(x_ticks[-1] - x_ticks[0], y_ticks[-1] - y_ticks[0])
    axes.draw(False, axes.curve([(begin, y_ticks[0]), (begin + height, y_ticks[0] + height)]))
    for last in sorted({points[-1][0] for points in curves.values()}):  # names at one end make room for one another
        there = [(axes.y(math.log10(points[-1][1])), step) for step, points in curves.items() if points[-1][0] == last]
        ends = sorted(there)
        lowest = axes.y(y_ticks[0]) - LINE_HEIGHT * (len(ends) - 1)
        heights = spread_out([min(at, lowest + LINE_HEIGHT * place) for place, (at, _) in enumerate(ends)], LINE_HEIGHT)
        for (_, step), at in zip(ends, heights, strict=True):
            logs = [(math.log10(size), math.log10(value)) for size, value in curves[step]]
            name = element("text", step, class_="name", x=axes.x(logs[-1][0]) + 8, y=at + 4)
            axes.draw(True, [*axes.curve(logs), *axes.dots(logs, 3), name])
    return axes.svg(title)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("results", type=Path, nargs="+", help="what measure.py printed, later files count")
    options.add_argument("--out", type=Path, default=Path("docs"), help="the folder of the plots")
    args = options.parse_args()
    for quantity, curves in read(args.results).items():
        unit, file = QUANTITIES[quantity]
        curves = {step: points for step, points in curves.items() if len(points) > 1}  # one size shows no growth
        save_svg(plot(curves, f"Growth with the log: {unit} of each step", unit), args.out / file)


if __name__ == "__main__":
    main()
