"""Erases a user from a finished run: the interactions, the id, and everything that answers are computed from.

What was trained stays: weights hold no rows of users. The manifest of each trained part says how many users were
erased since it was trained. Codes of other users do not change, so every part still fits the others.
"""

import json
import os
import shutil
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from mmsrarec.core.artefacts import (
    MANIFEST,
    finished_under,
    is_whole,
    locked,
    read_manifest,
    writing,
)
from mmsrarec.core.files import atomic_write, link_or_copy
from mmsrarec.data.erasing.id_traces import files_holding
from mmsrarec.data.identity import LOG, KeptLog
from mmsrarec.data.split_file import KEPT, save_parts, saved_parts
from mmsrarec.data.splits import EVERYTHING, OWN_SPLIT
from mmsrarec.errors import MmsrarecError
from mmsrarec.rankers.registry.registry import make_row
from mmsrarec.retrieve.neighbours import INDEX_FILE, Neighbours
from mmsrarec.runs.fitted_rankers import ranker_key, served_source
from mmsrarec.runs.provenance import SPLIT_NAMES
from mmsrarec.runs.run_folder import SEEDS, Part, RunFolder

ERASED = "erased_users"
"""The input of a trained part that says how many users were erased since it was trained."""
REPORTS = ("report.html", "report.json")


@dataclass(frozen=True)
class Erasure:
    """What was erased.

    Attributes:
        was_there: Whether the run held the user.
        interactions: How many interactions of the user it held.
        notes: What else should be known, a sentence each.
    """

    was_there: bool
    interactions: int = 0
    notes: tuple[str, ...] = ()


def erase_user(folder: Path, user: str, placeholder: str) -> Erasure:
    """Erase a user from a run.

    Args:
        folder: The run.
        user: The user's id.
        placeholder: What stands in the place of the id, which has no interactions.

    Raises:
        MmsrarecError: There is no finished run, another process works in it, or it cannot be written though it names
            the user.
    """
    RunFolder.open(folder)  # it is whole, or an error says so
    if not any(_splits_of(place, user) for place in _runs_in(folder)):
        return Erasure(False)  # nothing to write: a run that is only for reading is well then
    if not os.access(folder, os.W_OK):
        raise MmsrarecError(
            f"the run {folder.name} names this user and cannot be written: make its folder writable, and erase again"
        )
    with locked(folder, "erasing a user from"):
        erasures = [_erase(place, user, placeholder) for place in _runs_in(folder)]
        present = [erasure for erasure in erasures if erasure.was_there]
        notes = _without_reports(folder, user) if present else []
        if (folder / "unfinished").is_dir() and present:
            shutil.rmtree(folder / "unfinished")
    return Erasure(bool(present), max((erasure.interactions for erasure in present), default=0), tuple(notes))


def _runs_in(folder: Path) -> Iterator[Path]:
    """The run, and its repetitions with other seeds."""
    yield folder
    yield from sorted(path for path in (folder / SEEDS).glob("*") if (path / "retrieve").is_dir())


def _erase(folder: Path, user: str, placeholder: str) -> Erasure:
    """Erase a user from one run or repetition: the logs, then what is computed from them."""
    splits = _splits_of(folder)
    logs = {split: KeptLog.load(folder / "retrieve" / split) for split in splits}
    holding = _splits_of(folder, user)
    if not holding:
        return Erasure(False)
    n_rows = 0
    for split in holding:
        log = logs[split]
        code = log.user_ids.index(user)
        n_rows = max(n_rows, int((log.interactions.user == code).sum()))
        ids = tuple(placeholder if user_id == user else user_id for user_id in log.user_ids)
        _rewrite_log(
            folder,
            split,
            replace(log, user_ids=ids, interactions=log.interactions.where(log.interactions.user != code)),
        )
        if split == OWN_SPLIT:
            _rewrite_parts(folder, user)
    run_folder = RunFolder.open(folder)
    for split in holding:
        _rewrite_index(run_folder, split)
        _rewrite_rankers(run_folder, split)
    for part in finished_under(folder):
        if part.relative_to(folder).parts[0] in ("retrieve", "sequence", "recommend", "rankers"):
            _count_erased(part)
    return Erasure(True, n_rows)


def _splits_of(folder: Path, user: str | None = None) -> list[Part]:
    """The splits that a run keeps the log of; those whose log holds a user."""
    places: dict[Part, Path] = {name: folder / "retrieve" / name for name in (*SPLIT_NAMES, EVERYTHING)}
    return [
        name
        for name, place in places.items()
        if is_whole(place) and (user is None or user in KeptLog.load(place).user_ids)
    ]


def _rewrite_log(folder: Path, split: Part, log: KeptLog) -> None:
    """Write a part of stage 2 anew with another log; its index of similar users is left out until it is made."""
    part = folder / "retrieve" / split
    with _rewriting(part, (LOG, INDEX_FILE)) as draft:
        log.save(draft)


def _rewrite_index(run_folder: RunFolder, split: Part) -> None:
    """Index the similar users of the log as it is now."""
    part, device = run_folder.folder / "retrieve" / split, run_folder.recipe.runtime.device
    most = run_folder.recipe.retrieve.rows_per_user
    train = run_folder.split(split).train
    neighbours = Neighbours(train, run_folder.encoder(split), device=device, rows_per_user=most)
    with _rewriting(part, (INDEX_FILE,)) as draft:
        neighbours.save(draft)


def _rewrite_parts(folder: Path, user: str) -> None:
    """What the split file said of other users."""
    part = folder / "retrieve" / OWN_SPLIT
    parts = saved_parts(part)
    if parts is not None and user in parts:
        with _rewriting(part, (KEPT,)) as draft:
            save_parts({name: value for name, value in parts.items() if name != user}, draft)


def _rewrite_rankers(run_folder: RunFolder, split: Part) -> None:
    """Fit the rankers that are made from the log on the log as it is now."""
    folder = run_folder.folder / "rankers" / split
    for part in [path for path in sorted(folder.glob("*")) if is_whole(path)]:
        source = served_source(run_folder, split)
        ranker = make_row(part.name, source)
        with writing(part, kind=read_manifest(part)["kind"], key=ranker_key(part.name, source)) as draft:
            ranker.save(draft)


def _count_erased(part: Path) -> None:
    """Say in the manifest of a part that it was trained with a user who was erased."""
    manifest = read_manifest(part)
    n_before = int(manifest["inputs"].get(ERASED, "0"))
    changed = {**manifest, "inputs": {**manifest["inputs"], ERASED: str(n_before + 1)}}
    atomic_write(part / MANIFEST, json.dumps(changed, indent=1, sort_keys=True).encode())


def _without_reports(folder: Path, user: str) -> list[str]:
    """Remove reports that show the user whole; whoever wants them writes them anew."""
    holding = [path for path in files_holding(folder / "evaluate", user) if path.name in REPORTS]
    for path in {path.parent for path in holding}:
        for file in REPORTS:
            (path / file).unlink(missing_ok=True)
    return ["the report showed this user and was removed: mmsrarec evaluate writes it anew"] if holding else []


@contextmanager
def _rewriting(part: Path, without: tuple[str, ...]) -> Generator[Path]:
    """A draft that takes the place of a part under the same key, with the same files but for some."""
    manifest = read_manifest(part)
    settings, inputs = manifest["settings"], manifest["inputs"]
    with writing(part, kind=manifest["kind"], key=manifest["key"], settings=settings, inputs=inputs) as draft:
        for name in manifest["files"]:
            if name not in without:
                (draft / name).parent.mkdir(parents=True, exist_ok=True)
                link_or_copy(str(part / name), str(draft / name))
        yield draft
