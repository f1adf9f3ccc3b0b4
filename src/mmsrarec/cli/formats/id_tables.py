"""Files of user ids in, and files of recommendations out, by the ending of their names."""

import contextlib
import json
import os
from pathlib import Path
from typing import Any, cast

import polars as pl

from mmsrarec.core.artefacts import atomic_write
from mmsrarec.errors import DataError, MmsrarecError

ENDINGS = (".parquet", ".csv", ".jsonl")
USER = "user_id"


def check_ending(path: Path) -> None:
    """Raise MmsrarecError where a table cannot be written under a name."""
    if path.suffix.lower() not in ENDINGS:
        raise MmsrarecError(f"--out {path}: the ending tells the format: choose {', '.join(ENDINGS)}")


def read_user_ids(path: Path) -> list[str]:
    """The ids in a file: the column user_id of a .csv, .jsonl or .parquet, or its only one; else one a line.

    Raises:
        DataError: The file cannot be read, or has no such column.
    """
    ending = path.suffix.lower()
    try:
        if ending == ".csv":
            return _column(pl.read_csv(path, infer_schema=False, glob=False), path)
        if ending == ".parquet":
            return _column(pl.read_parquet(path, glob=False), path)
        text = path.read_text(encoding="utf-8-sig")
        lines = [line for line in text.splitlines() if line.strip()]
        if ending != ".jsonl":
            return lines
        records: list[Any] = [json.loads(line) for line in lines]
        return [_text(_user_of(record), path) for record in records]
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}; name a file of user ids") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8: save it as such, one user id a line") from error
    except (ValueError, RecursionError, pl.exceptions.PolarsError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path} is no {ending[1:]} file: {reason}") from error


def write_table(table: pl.LazyFrame, path: Path) -> None:
    """Write a table of recommendations, whole or not at all; in CSV the reasons of an item are one text."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix.lower() == ".parquet":
            table.sink_parquet(draft)
        elif path.suffix.lower() == ".csv":
            table.with_columns(pl.col("because").list.join("; ")).sink_csv(draft)
        else:
            lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in table.collect().to_dicts())
            atomic_write(draft, "".join(lines).encode())
        draft.replace(path)
    except OSError as error:
        raise MmsrarecError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


def _column(table: pl.DataFrame, path: Path) -> list[str]:
    if USER not in table.columns and len(table.columns) != 1:
        raise DataError(f"{path} has no column {USER}; it has {', '.join(table.columns[:10])}")
    return [_text(value, path) for value in table[USER if USER in table.columns else table.columns[0]].to_list()]


def _user_of(record: Any) -> Any:
    """The user id of a line of JSON: that of an object, or the value itself."""
    return cast("dict[str, Any]", record).get(USER) if isinstance(record, dict) else record


def _text(value: object, path: Path) -> str:
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return str(value)
    raise DataError(f"{path}: {ascii(value)[:40]} is no user id: give text or whole numbers in {USER}")
