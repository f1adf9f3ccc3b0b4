"""Writes and reads artefacts: folders that are whole or absent, each with a manifest of its content and its inputs.

A folder is written next to its final place. Its files are synced, the manifest is written last, and one rename puts
the folder in place. A process may be killed at any point: afterwards the old folder is there, or the new one, or
none, but never a part of one.

The folders next to `X` are hidden: the draft is `.X.tmp`, the replaced folder is `.X.old`, and the lock is `.X.lock`.
A killed process leaves its lock file behind. `sweep` recognizes the other leftovers of that process by this file.
"""

import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from typing_extensions import TypedDict

import mmsrarec
from mmsrarec.core.files import atomic_write, file_hash, link_or_copy, sync
from mmsrarec.core.locks import holding, holding_folder
from mmsrarec.errors import MmsrarecError, NotFittedError

__all__ = [
    "MADE_BY",
    "MANIFEST",
    "FileRecord",
    "Manifest",
    "atomic_write",
    "beside",
    "fault_point",
    "file_hash",
    "finished_under",
    "identity",
    "inputs_of",
    "is_current",
    "is_whole",
    "key",
    "link_or_copy",
    "locked",
    "read_manifest",
    "sweep",
    "verify",
    "versions",
    "writing",
]

MANIFEST = "manifest.json"
MADE_BY = "made by"
"""The input of an artefact that stands for how it was made, without the catalogue that it was made from."""
LEFTOVER_ENDINGS = (".tmp", ".old")
"""Endings of folders that are no results. Versions before 0.2 did not hide them."""


class FileRecord(TypedDict):
    """What a manifest says of a file: its size in bytes and its sha256 in hex digits."""

    size: int
    sha256: str


class Manifest(TypedDict):
    """What an artefact says of itself in manifest.json.

    Attributes:
        kind: The stage that made it.
        key: The hash of everything that it depends on.
        settings: The settings that made it, as JSON values.
        inputs: The keys of the artefacts that it was made from, by their role.
        versions: The versions of Python and of the packages that results may depend on.
        files: The files of the folder, by their path within it.
    """

    kind: str
    key: str
    settings: dict[str, Any]
    inputs: dict[str, str]
    versions: dict[str, str]
    files: dict[str, FileRecord]


def key(**parts: Any) -> str:
    """Hash named parts; equal parts give equal keys in every process and on every machine.

    Args:
        **parts: JSON values, pydantic models, or NumPy numbers and arrays.

    Returns:
        The sha256 of the parts as canonical JSON, in hex digits.

    Raises:
        TypeError: A part has no place in JSON.
        ValueError: A number is not finite.
    """
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    """A model or a NumPy value as JSON values."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if hasattr(value, "tolist"):  # numpy's numbers and arrays
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no place in a key")


def fault_point(name: str) -> None:
    """Do nothing; tests replace this function to stop the process at the named point."""


@contextmanager
def writing(
    folder: str | Path,
    *,
    kind: str,
    key: str,
    settings: BaseModel | Mapping[str, Any] | None = None,
    inputs: Mapping[str, str] | None = None,
) -> Generator[Path]:
    """Write an artefact: an empty folder that takes the place of `folder` when the block ends without an error.

    Args:
        folder: Where the artefact belongs. A link is followed.
        kind: The stage that makes it.
        key: The hash of everything that it depends on (`key`).
        settings: The settings that make it, for the manifest.
        inputs: The keys of the artefacts that it is made from, for the manifest.

    Yields:
        The empty folder to write into.

    Raises:
        MmsrarecError: The place cannot be written, another process is writing it, or it holds something that is not
            an artefact, which is never removed.
    """
    folder, given_name = _place(folder), folder
    draft, old, lock = beside(folder)
    if folder.exists() and not (folder / MANIFEST).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise MmsrarecError(f"{given_name} exists and was not made by mmsrarec: name another place, or move it away")
    with _drafting(draft, lock, f"another process is writing {given_name}: wait for it, or name another place"):
        try:
            yield draft
            fault_point("after write")
            _seal(draft, kind, key, _as_dict(settings), dict(inputs or {}))
            fault_point("before rename")
            shutil.rmtree(old, ignore_errors=True)
            if folder.exists():
                folder.rename(old)
                fault_point("between renames")
            draft.rename(folder)
            sync(folder.parent)
            fault_point("after rename")
            shutil.rmtree(old, ignore_errors=True)
        except BaseException:
            if old.exists() and not folder.exists():
                old.rename(folder)
            shutil.rmtree(draft, ignore_errors=True)
            raise


def beside(folder: Path) -> tuple[Path, Path, Path]:
    """The hidden paths next to a folder.

    Returns:
        The draft, the place of the replaced folder while the draft is renamed, and the lock on both.
    """
    draft, old, lock = (folder.with_name(f".{folder.name}.{end}") for end in ("tmp", "old", "lock"))
    return draft, old, lock


def _place(folder: str | Path) -> Path:
    """The folder that a link leads to: a result replaces that folder, not the link."""
    place, here = Path(os.path.realpath(folder)), Path(os.path.realpath(os.curdir))
    if place == here or place in here.parents:
        raise MmsrarecError(f"{folder} holds the current folder, which cannot be replaced: name a folder inside it")
    return place


@contextmanager
def _drafting(draft: Path, lock: Path, refusal: str) -> Generator[None]:
    """Hold an empty draft folder alone; the draft of a killed process is removed. `refusal`: the error message."""
    with ExitStack() as locks:
        try:
            draft.parent.mkdir(parents=True, exist_ok=True)
            locks.enter_context(holding(lock, refusal))
            if draft.exists():
                shutil.rmtree(draft)
            draft.mkdir()
        except OSError as error:
            raise MmsrarecError(f"cannot write {draft.parent}: {error.strerror or error}") from error
        yield


@contextmanager
def locked(folder: str | Path, what: str = "working in") -> Generator[None]:
    """Hold a run's folder alone while the block runs, and clear away the leftovers of killed processes.

    A process that holds the folder already may enter again. Of several processes that train one model together only
    the first may call this function (see `models.processes.holding_run`).

    Args:
        folder: The folder of the run. A missing folder is made.
        what: What this process does with the folder, for the error message of a second process.

    Raises:
        MmsrarecError: Another process holds the folder, or it cannot be written.
    """
    with holding_folder(Path(folder), what) as first:
        if first:
            sweep(Path(folder))
        yield


def sweep(folder: Path) -> None:
    """Clear away what killed processes left below a folder: their drafts, and folders that a draft would replace.

    The lock file of a killed process tells where they are. A folder that another process is writing now stays.
    """
    for file in sorted(folder.rglob(".?*.lock")):
        artefact = file.with_name(file.name.removeprefix(".").removesuffix(".lock"))
        draft, old, lock = beside(artefact)
        with suppress(MmsrarecError, OSError), holding(lock, "in use"):
            if old.exists() and not artefact.exists():
                old.rename(artefact)
            for leftover in (draft, old):
                shutil.rmtree(leftover, ignore_errors=True)


def finished_under(folder: str | Path) -> Iterator[Path]:
    """Every artefact below a folder, in sorted order; drafts and replaced folders are left out."""
    for place, names, files in os.walk(folder):
        names[:] = sorted(name for name in names if not name.startswith(".") and not name.endswith(LEFTOVER_ENDINGS))
        if MANIFEST in files and Path(place) != Path(folder):
            yield Path(place)


def _seal(draft: Path, kind: str, key: str, settings: dict[str, Any], inputs: dict[str, str]) -> None:
    """Sync every file of a draft, then write its manifest."""
    files: dict[str, FileRecord] = {}
    for path in sorted(draft.rglob("*")):
        sync(path)
        if path.is_file():
            files[path.relative_to(draft).as_posix()] = {"size": path.stat().st_size, "sha256": file_hash(path)}
    manifest = Manifest(kind=kind, key=key, settings=settings, inputs=inputs, versions=versions(), files=files)
    text = json.dumps(manifest, indent=1, sort_keys=True, allow_nan=False, default=_plain)
    atomic_write(draft / MANIFEST, text.encode())


def read_manifest(folder: str | Path) -> Manifest:
    """Read the manifest of a finished artefact and check that every file is there in its full size.

    Raises:
        MmsrarecError: The manifest is absent or broken, or a file is missing or has another size.
    """
    folder = Path(folder)
    try:
        manifest = TypeAdapter(Manifest).validate_json((folder / MANIFEST).read_bytes())
    except (OSError, ValidationError) as error:
        raise NotFittedError(f"{folder} is not a finished artefact (no valid {MANIFEST}): make it again") from error
    for name, record in manifest["files"].items():
        path = folder / name
        if ".." in Path(name).parts or not path.is_file() or path.stat().st_size != record["size"]:
            raise NotFittedError(f"{path} is missing or has the wrong size: make {folder} again")
    return manifest


def verify(folder: str | Path) -> Manifest:
    """Read the manifest like `read_manifest` and check every file against its hash.

    Raises:
        MmsrarecError: The artefact is not whole, or a file was changed.
    """
    manifest = read_manifest(folder)
    for name, record in manifest["files"].items():
        if file_hash(Path(folder) / name) != record["sha256"]:
            raise NotFittedError(f"{Path(folder) / name} was changed after it was written: make {folder} again")
    return manifest


def is_current(folder: str | Path, key: str) -> bool:
    """Whether the folder is whole and has this key, so that nothing that it depends on has changed."""
    try:
        return read_manifest(folder)["key"] == key
    except MmsrarecError:
        return False


def is_whole(folder: str | Path) -> bool:
    """Whether the folder is a finished artefact, with any key."""
    try:
        return bool(read_manifest(folder))
    except MmsrarecError:
        return False


def inputs_of(folder: str | Path) -> dict[str, str]:
    """The inputs of a finished artefact by their role; an empty dict where there is no artefact."""
    try:
        return read_manifest(folder)["inputs"]
    except MmsrarecError:
        return {}


def identity(folder: str | Path) -> str:
    """The key that parts made from this artefact record as their input.

    It is the key of how the artefact was made if its `inputs` have one: that key stays the same when items join the
    catalogue. Otherwise it is the key of the artefact.

    Raises:
        MmsrarecError: The folder is not a finished artefact.
    """
    manifest = read_manifest(folder)
    return manifest["inputs"].get(MADE_BY, manifest["key"])


def versions() -> dict[str, str]:
    """The versions of Python and of the installed packages that results may depend on, by name."""
    package_versions = {"mmsrarec": mmsrarec.__version__, "python": platform.python_version()}
    for package in ("numpy", "polars", "torch", "transformers", "peft", "trl"):
        try:
            package_versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return package_versions


def _as_dict(settings: BaseModel | Mapping[str, Any] | None) -> dict[str, Any]:
    """Settings as JSON values; none are an empty dict."""
    return settings.model_dump(mode="json") if isinstance(settings, BaseModel) else dict(settings or {})
