"""Writes a data set in the format of another library: all or nothing."""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

from mmsrarec.core.artefacts import MANIFEST, key, read_manifest, writing
from mmsrarec.core.terminal import one_line
from mmsrarec.data.dataset import Dataset
from mmsrarec.errors import DataError

Writer: TypeAlias = Callable[[Dataset, Path, str], list[str]]
"""Writes a data set into an empty folder under a name, and says what a reader should know, a sentence each."""
KIND = "export"
STEPS_NOTE = "timestamp holds steps: they tell the order of each user's interactions, and no dates."
"""What the writers say where a data set has no clock."""
WRITERS: Mapping[str, str] = {
    "recbole": "mmsrarec.data.exporters.recbole_files",
    "mmrec": "mmsrarec.data.exporters.mmrec_files",
    "parquet": "mmsrarec.data.exporters.parquet_files",
}
"""Format -> the module whose `write` it is."""


def export(dataset: Dataset, format_name: str, out: Path) -> dict[str, Any]:
    """Write a data set in the format of another library: all or nothing.

    Args:
        dataset: The data set.
        format_name: "recbole", "mmrec" or "parquet".
        out: The folder to write; its name is the name of the data set. An earlier export there is replaced.

    Returns:
        The format, the folder, the files, the counts of users, items and interactions, and `notes`, a sentence each.

    Raises:
        DataError: There is no such format, it cannot hold an id of this data set, or `out` holds something else.
    """
    if format_name not in WRITERS:
        raise DataError(f"unknown format {one_line(format_name)}: this version exports to {', '.join(WRITERS)}")
    out = Path(out)
    if (out / MANIFEST).is_file() and (kind := read_manifest(out)["kind"]) != KIND:
        raise DataError(f"{out} holds something else ({kind}): choose another name for the export")
    write: Writer = import_module(WRITERS[format_name]).write
    settings = {"format": format_name, "interactions": dataset.interactions.digest, "times": dataset.times}
    with writing(out, kind=KIND, key=key(**settings), settings=settings) as new:
        notes = write(dataset, new, out.resolve().name)
        files = sorted(path.name for path in new.iterdir())
    return {
        "format": format_name,
        "folder": out,
        "files": files,
        "users": len(dataset.user_ids),
        "items": len(dataset.items),
        "interactions": len(dataset.interactions),
        "notes": notes,
    }
