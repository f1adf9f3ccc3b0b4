"""Erases a user from a data folder: the rows of its log, and what else names the user there.

Each file is written anew as a whole, the manifest last. Items stay, those too that nobody else had.
"""

import csv
import io
import json
from pathlib import Path
from typing import Any

import polars as pl

from mmsrarec.core.artefacts import MANIFEST, beside
from mmsrarec.core.files import atomic_write, file_hash, replacing, write_parquet
from mmsrarec.core.locks import holding
from mmsrarec.data.erasing.id_traces import pattern, struck_out
from mmsrarec.data.folder import INTERACTIONS, LOG_SCHEMA, is_data_folder, table_path
from mmsrarec.data.importers.import_report import REPORT
from mmsrarec.data.importers.log.id_codes import IdCodes
from mmsrarec.data.importers.rejects import REJECTS
from mmsrarec.data.reading.files import packing
from mmsrarec.data.text_folder import TEXT_INTERACTIONS
from mmsrarec.errors import DataError

ANSWERS, SHOPPERS = "answers.json", "shoppers"
"""What a synthetic catalogue says of those who were drawn with it."""


def erase_from_data(folder: Path, user: str) -> int:
    """Erase a user from a data folder.

    Args:
        folder: The data folder.
        user: The user's id, as the folder is read (`data.folder.load`).

    Returns:
        How many interactions were removed.

    Raises:
        DataError: It is no data folder, its log is packed, or nobody else would be left in it.
        MmsrarecError: It cannot be written, or another process is writing it.
    """
    if not is_data_folder(folder):
        raise DataError(f"{folder} is not a data folder")
    path = table_path(folder, INTERACTIONS, TEXT_INTERACTIONS)
    try:
        with holding(beside(folder.resolve())[2], f"another process is writing {folder}: wait for it"):
            n_rows = _from_parquet(path, user) if path.name == INTERACTIONS else _from_csv(path, user)
            changed = [path] if n_rows else []
            changed += [file for file in _others(folder) if _strike(file, user)]
            if changed:
                seal_again(folder, changed)
    except OSError as error:
        raise DataError(f"{folder} cannot be written: {error.strerror or error}") from error
    return n_rows


def seal_again(folder: Path, changed: list[Path] | None = None) -> None:
    """Write in the manifest of a folder how files are now; nothing where it has none.

    Args:
        folder: The folder.
        changed: The files that are other; None: all are looked at, and those that are gone are left out.
    """
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_bytes())
        files: dict[str, Any] = manifest["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    present = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    if changed is None:
        of_parts = {name for name in present if name != MANIFEST and not any(p[0] == "." for p in name.split("/"))}
        names, files = of_parts, {}
    else:
        names = {path.relative_to(folder).as_posix() for path in changed} & files.keys()
    records = {name: {"size": present[name].stat().st_size, "sha256": file_hash(present[name])} for name in names}
    manifest = {**manifest, "files": {**files, **records}}
    atomic_write(folder / MANIFEST, json.dumps(manifest, indent=1, sort_keys=True).encode())


def _from_parquet(path: Path, user: str) -> int:
    """Rewrite a log without a user; how many rows are gone."""
    table, ids = pl.read_parquet(path), IdCodes("user_id")
    if not set(LOG_SCHEMA) <= set(table.columns):
        raise DataError(f"{path} has no column {sorted(set(LOG_SCHEMA) - set(table.columns))[0]}")
    codes = pl.Series(ids.of(table["user_id"]))
    if user not in ids.names:
        return 0
    remaining = table.filter(codes != ids.names.index(user))
    _check_left(path, remaining.height)
    with replacing(path) as draft:
        write_parquet(remaining, draft)
    return table.height - remaining.height


def _from_csv(path: Path, user: str) -> int:
    """Rewrite a log of text without a user; how many rows are gone."""
    if packing(path) is not None:
        raise DataError(f"{path} is packed: unpack it, and erase again")
    rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))
    if not rows or "user_id" not in (names := [name.strip() for name in rows[0]]):
        raise DataError(f"{path}: the first line names no column user_id")
    place, ids = names.index("user_id"), IdCodes("user_id")
    cells = pl.Series([row[place].strip() if place < len(row) else "" for row in rows[1:]], dtype=pl.String)
    codes = ids.of(cells).tolist()
    if user not in ids.names:
        return 0
    code = ids.names.index(user)
    remaining = [row for row, own in zip(rows[1:], codes, strict=True) if own != code]
    _check_left(path, len(remaining))
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([rows[0], *remaining])
    atomic_write(path, text.getvalue().encode())
    return len(rows) - 1 - len(remaining)


def _check_left(path: Path, n_rows: int) -> None:
    if not n_rows:
        raise DataError(f"{path} holds interactions of this user alone: remove the folder")


def _others(folder: Path) -> list[Path]:
    return [folder / name for name in (REJECTS, REPORT, ANSWERS) if (folder / name).is_file()]


def _strike(path: Path, user: str) -> bool:
    """Strike a user out of a file beside the log; whether it named them."""
    if path.name == REJECTS:
        table = pl.read_parquet(path)
        id_pattern = pattern(user)
        reasons = [None if reason is None else id_pattern.sub("(erased)", reason) for reason in table["reason"]]
        changed = table.with_columns(pl.Series("reason", reasons, dtype=pl.String))
        if changed.equals(table):
            return False
        with replacing(path) as draft:
            write_parquet(changed, draft)
        return True
    try:
        content: Any = json.loads(path.read_bytes())
    except ValueError:
        return False
    if path.name == ANSWERS:
        shoppers = content.get(SHOPPERS) if isinstance(content, dict) else None  # pyright: ignore
        if not isinstance(shoppers, dict) or user not in shoppers:
            return False
        del shoppers[user]
        changed_content = content  # pyright: ignore
    else:
        changed_content = struck_out(content, user)
        if changed_content == content:
            return False
    atomic_write(path, json.dumps(changed_content, indent=1, ensure_ascii=False).encode())
    return True
