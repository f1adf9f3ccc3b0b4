"""Finds an id in files, and strikes it out of texts.

An id such as "7" stands in every table of numbers. Such a short one counts only where it is quoted or stands behind the
word "user"; any other counts wherever it is a word of its own.
"""

import html
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import polars as pl

STRUCK = "(erased)"
"""Stands in the place of an id that was struck out."""
DISTINCT_LENGTH = 8
TEXTS = (".json", ".jsonl", ".csv", ".tsv", ".txt", ".md", ".html", ".toml", ".log")
MAX_BYTES = 2**30
"""Larger files are passed over."""


def is_distinct(user: str) -> bool:
    """Whether an id is hardly anything else where it stands: it has letters and four signs, or eight signs."""
    return len(user) >= DISTINCT_LENGTH or (len(user) >= 4 and any(sign.isalpha() for sign in user))


def pattern(user: str) -> re.Pattern[str]:
    """What finds an id in a text."""
    forms = "|".join(sorted({re.escape(user), re.escape(html.escape(user)), re.escape(json.dumps(user)[1:-1])}))
    if is_distinct(user):
        return re.compile(rf"(?<![\w-])(?:{forms})(?![\w-])")
    return re.compile(rf"(?<=[\"'])(?:{forms})(?=[\"'])|(?<=[Uu]ser )(?:{forms})(?![\w-])")


def struck_out(value: Any, user: str) -> Any:
    """Strings, lists and dicts without the id, in whose place `STRUCK` stands."""
    id_pattern = pattern(user)

    def strike(value: Any) -> Any:
        if isinstance(value, str):
            return STRUCK if value == user and is_distinct(user) else id_pattern.sub(STRUCK, value)
        if isinstance(value, list):
            return [strike(one) for one in cast("list[Any]", value)]
        if isinstance(value, dict):
            return {strike(name): strike(one) for name, one in cast("dict[str, Any]", value).items()}
        return value

    return strike(value)


def files_holding(folder: Path, user: str) -> Iterator[Path]:
    """Files below a folder that name a user. Weights are passed over: they hold no ids."""
    id_pattern = pattern(user)
    for path in sorted(folder.rglob("*")):
        with suppress(OSError):
            if path.is_file() and path.stat().st_size <= MAX_BYTES and _holds(path, user, id_pattern):
                yield path


def _holds(path: Path, user: str, id_pattern: re.Pattern[str]) -> bool:
    ending = path.suffix.lower()
    if ending == ".parquet":
        return _parquet_holds(path, user, id_pattern)
    if ending in TEXTS:
        return id_pattern.search(path.read_text(encoding="utf-8", errors="replace")) is not None
    return ".sqlite" in path.name and is_distinct(user) and user.encode() in path.read_bytes()


def _parquet_holds(path: Path, user: str, id_pattern: re.Pattern[str]) -> bool:
    """Whether a table or its metadata names a user; a column of ids of items does not."""
    try:
        if any(id_pattern.search(text) for text in pl.read_parquet_metadata(path).values()):
            return True
        table = pl.read_parquet(path)
    except (ValueError, pl.exceptions.PolarsError):
        return False
    columns = [name for name, kind in table.schema.items() if kind == pl.String and name != "item_id"]
    if "user_id" in table.columns and (table["user_id"].cast(pl.String) == user).any():
        return True
    return any(id_pattern.search(text) for name in columns for text in table[name].drop_nulls())
