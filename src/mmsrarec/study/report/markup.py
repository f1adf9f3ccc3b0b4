"""A page and the small parts of it: sections, tables, numbers, and text from data, which is escaped here."""

import math
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Any

SHARES = {"text_asked", "image_asked", "text_fallback", "image_fallback", "from_title", "unsupported"}
SHARES |= {"without_keywords", "coverage"}
COUNTS = {"items", "vocabulary"}


def shell(title: str, over: str, heading: str, intro: str, body: str, sorts: bool = False) -> str:
    """A whole page around `body`, which is HTML; the rest is plain text and is escaped here.

    sorts: tables of the class "sorts" can be sorted, by the only script that such a page lets run.
    """
    script = _part("page.js") if sorts else ""
    allowed = f"; script-src 'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" if sorts else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        # nothing is fetched and no other script runs, even if an escape were forgotten
        '<meta http-equiv="Content-Security-Policy" '
        f"content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'{allowed}\">"
        f"<title>{escape(title)}</title><style>{_part('page.css')}</style></head><body><main>"
        f'<header><p class="over">{escape(over)}</p><h1>{escape(heading)}</h1><p>{escape(intro)}</p></header>'
        f"{body}</main>{f'<script>{script}</script>' if sorts else ''}</body></html>\n"
    )


def _part(name: str) -> str:
    return files("mmsrarec.study.report").joinpath("static", name).read_text(encoding="utf-8")


def section(heading: str, note: str, body: str) -> str:
    """All three are HTML."""
    return f"<section><h2>{heading}</h2>{f'<p>{note}</p>' if note else ''}{body}</section>"


def table(corner: str, columns: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]]) -> str:
    """columns: plain text above the cells. rows: (plain label, cells in HTML)."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in (corner, *columns))
    body = "".join(
        f'<tr><th scope="row">{escape(label)}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
        for label, cells in rows
    )
    return f'<div class="wide few"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def sortable(heads: Sequence[str], body: str) -> str:
    """A table that a reader can sort (`page.js`). heads: plain text; body: rows in HTML."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    table = f'<table class="sorts"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return f'<div class="wide">{table}</div>'


def figure(svg: str, caption: str) -> str:
    """A plot with what it shows in words."""
    return f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"


def row_label(row: Mapping[str, Any]) -> str:
    """What a row of a report is called."""
    return row["model"] if row["variant"] in ("", "whole") else f"{row['model']}, {row['variant']}"


def number(value: float | None, name: str, like: float | None = None) -> str:
    """As a reader wants it: shares and counts are known by their name, others have the decimals of `like` or their own.

    A dash where there is no number.
    """
    if value is None or not math.isfinite(value):
        return "–"
    if name in SHARES or name.startswith(("copied", "malformed", "common", "fallback in", "no keywords in")):
        return f"{value:.1%}"
    size = abs(value if like is None else like)
    decimals = 0 if name in COUNTS or name.startswith("items in") or size >= 100 else 2 if size >= 1 else 3
    return f"{value:,.{decimals}f}"


def union(mappings: Iterable[Mapping[str, Any]]) -> list[str]:
    """All keys, in the order in which they first occur."""
    return list(dict.fromkeys(name for mapping in mappings for name in mapping))


def bdi(text: str) -> str:
    """Text from data, which may run from right to left; empty without any."""
    return f"<bdi>{escape(text)}</bdi>" if text else ""
