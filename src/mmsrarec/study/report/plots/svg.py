"""What all plots are drawn with: SVG elements that escape their text, round ticks, short labels."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from markupsafe import Markup, escape

STANDALONE_STYLE = Markup(
    "<style>text{font:11px sans-serif;fill:#555}.grid{stroke:#ddd}.curve{fill:none;stroke:#999;stroke-width:2}"
    "circle{fill:#999}.strong circle{fill:#0a6}.strong .curve{stroke:#0a6}.strong text{fill:#0a6}</style>"
)
"""The style of a plot without page.css."""


def element(name: str, *children: str, **attributes: str | float) -> Markup:
    """Write an SVG element.

    Args:
        name: Its tag.
        children: Elements, which are `Markup`, and texts, which are escaped.
        attributes: Escaped; floats keep one decimal. `class_` is written class, `text_anchor` text-anchor.
    """
    head = name
    for key, value in attributes.items():
        text = f"{value:.1f}" if isinstance(value, float) else value
        head += f' {key.rstrip("_").replace("_", "-")}="{escape(text)}"'
    return Markup(f"<{head}>{''.join(map(escape, children))}</{name}>" if children else f"<{head}/>")


def group(strong: bool, shapes: Iterable[str]) -> Markup:
    """Shapes that belong together; strong: in the colour of our own rows."""
    return element("g", *shapes, class_="strong" if strong else "plain")


def drawing(width: int, height: int, title: str, shapes: Iterable[str]) -> Markup:
    """An SVG of width x height units that says its title to those who cannot see it."""
    head = {"viewBox": f"0 0 {width} {height}", "width": f"{width * 1.3:.0f}", "role": "img", "aria_label": title}
    return element("svg", element("title", title), *shapes, **head)


def save_svg(plot: str, file: Path) -> None:
    """Write a plot as a file that stands alone, with the name space and the colours that a page gives."""
    head, rest = plot.split(">", 1)
    file.write_text(f'{head} xmlns="http://www.w3.org/2000/svg">{STANDALONE_STYLE}{rest}\n', encoding="utf-8")


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


def power_ticks(values: Sequence[float]) -> list[float]:
    """Two or more of 1, 3, 10, 30, ... around all values, which are above 0: ticks of a logarithmic axis."""
    low, high = math.log10(min(values)), math.log10(max(values))
    ticks = [m * 10.0**power for power in range(math.floor(low), math.ceil(high) + 1) for m in (1, 3)]
    first = max(place for place, tick in enumerate(ticks) if tick <= min(values) * (1 + 1e-9))
    last = min(place for place, tick in enumerate(ticks) if tick >= max(values) * (1 - 1e-9))
    return ticks[first : max(last, first + 1) + 1]


def cut(label: str, most: int) -> str:
    """Shorten a label to `most` characters by leaving out its middle: models end in what tells them apart."""
    if len(label) <= most:
        return label
    n_letters = most - 1
    return f"{label[: n_letters - n_letters // 2]}…{label[len(label) - n_letters // 2 :]}"


def short(value: float) -> str:
    """Write a metric with three or four decimals."""
    return f"{value:.3f}" if value >= 0.1 else f"{value:.4f}"
