"""How the pages write numbers and other plain values. Each function is a filter of the templates."""

import math
from base64 import b64encode
from typing import Any, cast

from mmsrarec.engines.protocol import COST_FIGURES

SHARES = {
    *("text_asked", "image_asked", "text_fallback", "image_fallback"),
    *("from_title", "unsupported", "without_keywords", "coverage"),
}
"""Names of figures that are written as per cent."""
COUNTS = {"items", "vocabulary", *COST_FIGURES}
"""Names of figures that are written without decimals."""


def number(value: float | None, name: str, like: float | None = None) -> str:
    """Write the figure called `name`: shares as per cent, counts without decimals, all else by its size.

    Args:
        value: The figure; None or infinite gives a dash.
        name: What the figure is called, which tells shares and counts.
        like: The decimals are those of this number instead of the value's own.
    """
    if value is None or not math.isfinite(value):
        return "–"
    if name in SHARES or name.startswith(("copied", "malformed", "common", "fallback in", "no keywords in")):
        return f"{value:.1%}"
    size = abs(value if like is None else like)
    decimals = 0 if name in COUNTS or name.startswith("items in") or size >= 100 else 2 if size >= 1 else 3
    return f"{value:,.{decimals}f}"


def cost(value: float | None) -> str:
    """Write a cost: whole numbers and all from 10 up without decimals, smaller ones with two digits."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.2g}"


def plain(value: Any) -> str:
    """Write a value of report.json whose kind is not known beforehand; a list is joined by commas."""
    if isinstance(value, bool) or value is None:
        return "–" if value is None else ("yes" if value else "no")
    if isinstance(value, list):
        return ", ".join(map(plain, cast("list[Any]", value)))
    return f"{value:,.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def thousands(value: int) -> str:
    """Write a whole number with commas between the thousands."""
    return f"{value:,}"


def p_value(value: float) -> str:
    """Write a p-value with its sign of comparison."""
    return "< .001" if value < 0.001 else f"= {value:.3f}"


def jpeg_uri(picture: bytes) -> str:
    """The bytes of a JPEG as the address of a picture inside the page."""
    return "data:image/jpeg;base64," + b64encode(picture).decode()
