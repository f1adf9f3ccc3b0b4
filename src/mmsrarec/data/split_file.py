"""A split of the user's own: a table that says for each user whether the user is for training, validation or the test.

It may be in any format that `read_table` opens: CSV, TSV, JSON lines, Parquet and others.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import polars as pl

from mmsrarec.core.terminal import one_line
from mmsrarec.data.dataset import Dataset, IntArray
from mmsrarec.data.importers.catalogue.item_values import Conversions, id_value
from mmsrarec.data.importers.column_names import INTERACTION_NAMES, folded
from mmsrarec.data.importers.source import Frame, Records, Table
from mmsrarec.data.reading.line_faults import Fault
from mmsrarec.data.reading.tables_by_content import read_table
from mmsrarec.errors import DataError, NotFittedError

UserPart = Literal["train", "validation", "test"]
PARTS: tuple[UserPart, ...] = get_args(UserPart)
UserParts = Mapping[str, UserPart]
"""The part of each user that a split file mentions, by the user's id."""
KEPT = "split_users.json"
"""The file in which a part of a run keeps what the split file said when the part was made."""
_OTHER_NAMES: Mapping[str, UserPart] = {"training": "train", "valid": "validation", "val": "validation"}


def read_split_file(path: Path) -> UserParts:
    """Read the part of each user.

    Args:
        path: A table with the columns user_id and part.

    Returns:
        The parts, by user id; a line that says again what an earlier one says counts once.

    Raises:
        DataError: The file cannot be read, a column is missing, a line is faulty or names another part than an earlier
            line, or the file names single interactions.
    """
    table = read_table(path)
    columns = _columns(path, table)
    parts: dict[str, UserPart] = {}
    for line, user, name in _lines(path, table, *columns):
        where = f"{path}, line {line}"
        try:
            user_id = id_value(user, Conversions())
        except Fault as fault:
            raise DataError(f"{where}: {str(fault).replace('item_id', 'user_id')}") from None
        if not user_id:
            raise DataError(f"{where}: user_id is missing")
        text = str(name or "").strip().lower()
        part = _OTHER_NAMES.get(text, text)
        if part not in PARTS:
            raise DataError(f"{where}: unknown part {one_line(name)!r}: write {', '.join(PARTS[:2])} or {PARTS[2]}")
        if parts.setdefault(user_id, part) != part:
            raise DataError(
                f"{where}: user {one_line(user_id)!r} is in {part}, and in {parts[user_id]} before: a split file puts "
                "whole users into parts; keep one line a user"
            )
    return parts


def check_users(path: Path, parts: UserParts, dataset: Dataset) -> str:
    """Check a split file against the data.

    Args:
        path: The file, for messages.
        parts: What it says.
        dataset: The data set that is split.

    Returns:
        A sentence with the counts: users of each part, users that cannot be asked, and what the file does not mention.

    Raises:
        DataError: The file names a user who is not in the data.
    """
    unknown = [user_id for user_id in parts if user_id not in dataset.user_code]
    if unknown:
        more = f" (and {len(unknown) - 1} more)" if len(unknown) > 1 else ""
        raise DataError(
            f"{path}: user {one_line(unknown[0])!r}{more} has no interaction in {dataset.name}: remove the line, or "
            "import the log that was split"
        )
    codes, lengths = codes_of(parts, dataset), np.diff(dataset.interactions.offsets)
    counts = Counter(parts.values())
    sentence = ", ".join(f"{counts[name]} users in {name}" for name in PARTS)
    if short := int(((codes > 0) & (lengths < 2)).sum()):
        sentence += f"; {short} users of validation and test have one interaction only and are not asked"
    if missing := int((codes < 0).sum()):
        rows = int(lengths[codes < 0].sum())
        sentence += (
            f"; {missing} users with {rows} of {len(dataset.interactions)} interactions are not mentioned: they are "
            "neither trained on nor asked"
        )
    return f"{path}: {sentence}"


def codes_of(parts: UserParts, dataset: Dataset) -> IntArray:
    """(n_users,) the place of each user's part in PARTS, -1 for a user who is not mentioned."""
    place = {name: code for code, name in enumerate(PARTS)}
    own = (parts.get(user_id) for user_id in dataset.user_ids)
    return np.array([-1 if part is None else place[part] for part in own], dtype=np.int64)


def save_parts(parts: UserParts, folder: Path) -> None:
    """Write what a split file says into the folder of a part that is made from it."""
    (folder / KEPT).write_text(json.dumps(dict(parts), ensure_ascii=False), encoding="utf-8")


def saved_parts(folder: Path) -> UserParts | None:
    """What `save_parts` wrote; None where the folder has none.

    Raises:
        NotFittedError: The file is damaged.
    """
    try:
        return json.loads((folder / KEPT).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise NotFittedError(f"{folder / KEPT} cannot be read: make the run anew with mmsrarec run") from error


def _columns(path: Path, table: Table) -> tuple[str, str]:
    """The names of the columns of users and of parts. Raises DataError."""
    if isinstance(table, Frame):
        names = table.rows.collect_schema().names()
    elif isinstance(table, Records) and not table.columns:
        names = list(dict.fromkeys(name for _, row in table.rows if not isinstance(row, Fault) for name in row))
    else:
        names = list(table.columns)
    by_name = {folded(name): name for name in reversed(names)}
    there = ", ".join(map(one_line, names))
    items = [by_name[name] for name in INTERACTION_NAMES["item_id"] if name in by_name]
    if items:
        raise DataError(
            f"{path} names single interactions (column {one_line(items[0])}): a split file puts whole users into "
            "parts, by the columns user_id and part; the last interaction of a user of validation or test is asked for"
        )
    user = next((by_name[name] for name in INTERACTION_NAMES["user_id"] if name in by_name), None)
    part = next((by_name[name] for name in ("part", "split") if name in by_name), None)
    if user is None or part is None:
        missing = "user_id" if user is None else "part"
        raise DataError(f"{path} has no column {missing}; it has {there}: a split file has user_id and part")
    return user, part


def _lines(path: Path, table: Table, user: str, part: str) -> Iterator[tuple[int, object, object]]:
    """The number of each line, its user and its part. Raises DataError for a line that cannot be read."""
    if isinstance(table, Records):
        for line, row in table.rows:
            if isinstance(row, Fault):
                raise DataError(f"{path}, line {line}: {row}")
            yield line, row.get(user), row.get(part)
        return
    for rows, numbers in _frames(path, table, user, part):
        yield from zip(numbers.to_list(), rows[user].to_list(), rows[part].to_list(), strict=True)


def _frames(path: Path, table: Table, user: str, part: str) -> Iterator[tuple[pl.DataFrame, pl.Series]]:
    """The rows of a table with their line numbers. Raises DataError."""
    if isinstance(table, Frame):
        yield table.part(0, np.iinfo(np.int32).max, (user, part))
        aside = table.set_aside
    else:
        assert not isinstance(table, Records)
        aside = ()
        for batch in table.read({user, part}):
            if batch.set_aside:
                aside = batch.set_aside
                break
            yield batch.rows, batch.lines
    if aside:
        raise DataError(f"{path}, line {aside[0].line}: {aside[0].reason}")
