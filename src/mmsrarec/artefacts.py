"""Finished work on disk: folders that are whole or absent, each with a manifest of what it holds and came from.

A folder is written beside its place, its files are synced, the manifest goes last, then one rename puts it there. A
process may be killed at any point: what is found later is the old folder, the new one, or none, never a part of one.
"""

import fcntl
import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from typing_extensions import TypedDict

import mmsrarec
from mmsrarec.errors import MmsrarecError

MANIFEST = "manifest.json"
MADE_BY = "made by"
"""Among the inputs of an artefact: how it was made, whatever it was made of."""


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
    folder = Path(folder)
    draft, old = (folder.with_name(f"{folder.name}.{end}") for end in ("tmp", "old"))
    if folder.exists() and not (folder / MANIFEST).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise MmsrarecError(f"{folder} exists and was not made by mmsrarec: name another place, or move it away")
    with _locked(draft):
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


@contextmanager
def _locked(draft: Path) -> Iterator[None]:
    """Hold an empty draft folder alone; the lock ends with the process, so what a killed one left is taken over."""
    try:
        draft.mkdir(parents=True, exist_ok=True)
        handle = os.open(draft, os.O_RDONLY)
    except OSError as error:
        raise MmsrarecError(f"cannot write {draft.parent}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise MmsrarecError(f"another process is writing {draft}: wait for it, or name another place") from error
        for left in draft.iterdir():
            shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
        yield
    finally:
        os.close(handle)


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
        raise MmsrarecError(f"{folder} is not a finished artefact (no valid {MANIFEST}): make it again") from error
    for name, record in manifest["files"].items():
        path = folder / name
        if ".." in Path(name).parts or not path.is_file() or path.stat().st_size != record["size"]:
            raise MmsrarecError(f"{path} is missing or has the wrong size: make {folder} again")
    return manifest


def verify(folder: str | Path) -> Manifest:
    """As `read_manifest`, and every byte is checked against its hash."""
    manifest = read_manifest(folder)
    for name, record in manifest["files"].items():
        if file_hash(Path(folder) / name) != record["sha256"]:
            raise MmsrarecError(f"{Path(folder) / name} was changed after it was written: make {folder} again")
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


def link_or_copy(source: str, target: str) -> None:
    """A second name for a file where the file system can, else a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


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
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
