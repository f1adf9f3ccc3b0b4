"""Finished work on disk: folders that are whole or absent, each with a manifest of what it holds and came from.

A folder is written beside its place, its files are synced, the manifest goes last, then one rename puts it there. A
process may be killed at any point: what is found later is the old folder, the new one, or none, never a part of one.

What is written beside `X` is hidden: the draft `.X.tmp`, what it replaces `.X.old`, and the lock `.X.lock`. A killed
process leaves its lock file behind, by which its other leavings are known as ours (`sweep`).
"""

import errno
import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from typing_extensions import TypedDict

import mmsrarec
from mmsrarec.core.locks import holding, holding_folder
from mmsrarec.errors import MmsrarecError, NotFittedError

MANIFEST = "manifest.json"
MADE_BY = "made by"
"""Among the inputs of an artefact: how it was made, whatever it was made of."""
FOLDERS_SYNC = hasattr(os, "O_DIRECTORY")
"""Windows opens no folders."""
UNKNOWN = (errno.EINVAL, errno.ENOTSUP)
"""What some network disks answer when they are asked to sync a folder."""
LEFT = (".tmp", ".old")
"""Endings of folders that are no results. Versions before 0.2 did not hide them."""


class FileRecord(TypedDict):
    size: int
    sha256: str


class Manifest(TypedDict):
    """kind: which stage made it; key: what it depends on, hashed; inputs: keys of the artefacts it was made from."""

    kind: str
    key: str
    settings: dict[str, Any]
    inputs: dict[str, str]
    versions: dict[str, str]
    files: dict[str, FileRecord]


def key(**parts: Any) -> str:
    """sha256 of the parts as canonical JSON: equal parts give equal keys in every process and on every machine."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if hasattr(value, "tolist"):  # numpy's numbers and arrays
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no place in a key")


def fault_point(name: str) -> None:
    """Nothing happens here: tests replace it to die at the named point."""


@contextmanager
def writing(
    folder: str | Path,
    *,
    kind: str,
    key: str,
    settings: BaseModel | Mapping[str, Any] | None = None,
    inputs: Mapping[str, str] | None = None,
) -> Iterator[Path]:
    """Yield an empty folder to write into; it takes the place of `folder` when the block ends without an error.

    Raises MmsrarecError when the place cannot be written, another process is writing it, or it holds something that
    is not an artefact (which is never removed).
    """
    folder, shown = _place(folder), folder
    draft, old, lock = beside(folder)
    if folder.exists() and not (folder / MANIFEST).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise MmsrarecError(f"{shown} exists and was not made by mmsrarec: name another place, or move it away")
    with _drafting(draft, lock, f"another process is writing {shown}: wait for it, or name another place"):
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
            _sync(folder.parent)
            fault_point("after rename")
            shutil.rmtree(old, ignore_errors=True)
        except BaseException:
            if old.exists() and not folder.exists():
                old.rename(folder)
            shutil.rmtree(draft, ignore_errors=True)
            raise


def beside(folder: Path) -> tuple[Path, Path, Path]:
    """Where the draft of a folder is made, where what it replaces goes meanwhile, and the lock on both."""
    draft, old, lock = (folder.with_name(f".{folder.name}.{end}") for end in ("tmp", "old", "lock"))
    return draft, old, lock


def _place(folder: str | Path) -> Path:
    """The folder behind links: a result is put where a link leads to, not in place of the link."""
    place, here = Path(os.path.realpath(folder)), Path(os.path.realpath(os.curdir))
    if place == here or place in here.parents:
        raise MmsrarecError(f"{folder} holds the current folder, which cannot be replaced: name a folder inside it")
    return place


@contextmanager
def _drafting(draft: Path, lock: Path, taken: str) -> Iterator[None]:
    """Hold an empty draft folder alone; what a killed process left there is taken over."""
    with ExitStack() as held:
        try:
            draft.parent.mkdir(parents=True, exist_ok=True)
            held.enter_context(holding(lock, taken))
            if draft.exists():
                shutil.rmtree(draft)
            draft.mkdir()
        except OSError as error:
            raise MmsrarecError(f"cannot write {draft.parent}: {error.strerror or error}") from error
        yield


@contextmanager
def locked(folder: str | Path, what: str = "working in") -> Iterator[None]:
    """Hold a run's folder alone while the block runs, and clear away what killed processes left in it.

    A process that holds the folder already may enter again. Of several processes that train one model together only
    the first may call this (`models.processes.holding_run` sees to it).

    Args:
        folder: It is made where it is missing.
        what: What the process does with it, for the message of another one that comes too.

    Raises:
        MmsrarecError: another process holds it, or it cannot be written.
    """
    with holding_folder(Path(folder), what) as first:
        if first:
            sweep(Path(folder))
        yield


def sweep(folder: Path) -> None:
    """Clear away what killed processes left below a folder: drafts, and what a draft was about to replace.

    They are known by their lock file. What somebody is writing just now stays.
    """
    for file in sorted(folder.rglob(".?*.lock")):
        whole = file.with_name(file.name.removeprefix(".").removesuffix(".lock"))
        draft, old, lock = beside(whole)
        with suppress(MmsrarecError, OSError), holding(lock, "in use"):
            if old.exists() and not whole.exists():
                old.rename(whole)
            for left in (draft, old):
                shutil.rmtree(left, ignore_errors=True)


def finished_under(folder: str | Path) -> Iterator[Path]:
    """Every artefact below a folder, sorted. Drafts and what a killed process was about to replace are none."""
    for place, names, files in os.walk(folder):
        names[:] = sorted(name for name in names if not name.startswith(".") and not name.endswith(LEFT))
        if MANIFEST in files and Path(place) != Path(folder):
            yield Path(place)


def link_or_copy(source: str, target: str) -> str:
    """A second name for a file, or a copy of it where the system or the disk knows no second names.

    It fits `shutil.copytree(..., copy_function=link_or_copy)`.
    """
    try:
        os.link(source, target)
    except (OSError, AttributeError, NotImplementedError):
        shutil.copy2(source, target)
    return target


def _seal(draft: Path, kind: str, key: str, settings: dict[str, Any], inputs: dict[str, str]) -> None:
    files: dict[str, FileRecord] = {}
    for path in sorted(draft.rglob("*")):
        _sync(path)
        if path.is_file():
            files[path.relative_to(draft).as_posix()] = {"size": path.stat().st_size, "sha256": file_hash(path)}
    manifest = Manifest(kind=kind, key=key, settings=settings, inputs=inputs, versions=versions(), files=files)
    text = json.dumps(manifest, indent=1, sort_keys=True, allow_nan=False, default=_plain)
    atomic_write(draft / MANIFEST, text.encode())


def read_manifest(folder: str | Path) -> Manifest:
    """The manifest of a whole folder. Raises MmsrarecError when it is absent or broken, or a file lacks or was cut."""
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
    """As `read_manifest`, and every byte is checked against its hash."""
    manifest = read_manifest(folder)
    for name, record in manifest["files"].items():
        if file_hash(Path(folder) / name) != record["sha256"]:
            raise NotFittedError(f"{Path(folder) / name} was changed after it was written: make {folder} again")
    return manifest


def is_current(folder: str | Path, key: str) -> bool:
    """Whether the folder is whole and was made from exactly what `key` stands for."""
    try:
        return read_manifest(folder)["key"] == key
    except MmsrarecError:
        return False


def is_whole(folder: str | Path) -> bool:
    """Whether the folder is a finished artefact, whatever it was made from."""
    try:
        return bool(read_manifest(folder))
    except MmsrarecError:
        return False


def inputs_of(folder: str | Path) -> dict[str, str]:
    """What a finished artefact says it was made from; nothing where there is none."""
    try:
        return read_manifest(folder)["inputs"]
    except MmsrarecError:
        return {}


def identity(folder: str | Path) -> str:
    """What a part that was made from this artefact remembers of it: its key, or where `inputs` have one, the key of how
    it was made, which stays as it is when items join the catalogue."""
    manifest = read_manifest(folder)
    return manifest["inputs"].get(MADE_BY, manifest["key"])


def atomic_write(path: str | Path, data: bytes) -> None:
    """Write a file that is, whatever happens, the old one or the new one. Raises OSError as `open` does."""
    path = Path(path)
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(draft, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that results may depend on, as far as they are installed."""
    found = {"mmsrarec": mmsrarec.__version__, "python": platform.python_version()}
    for package in ("numpy", "polars", "torch", "transformers", "peft", "trl"):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _as_dict(settings: BaseModel | Mapping[str, Any] | None) -> dict[str, Any]:
    return settings.model_dump(mode="json") if isinstance(settings, BaseModel) else dict(settings or {})


def file_hash(path: Path) -> str:
    """sha256 of a file, in hex digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk. Windows syncs only files that are open for writing."""
    folder = path.is_dir()
    if folder and not FOLDERS_SYNC:
        return
    handle = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if not (folder and error.errno in UNKNOWN):
            raise
    finally:
        os.close(handle)
