"""How far an erasure reaches: a run with its data folder, an exported run, a data folder, and runs beside one another.

A data folder that `mmsrarec` made, that lies inside a run, or that was named is rewritten. One that somebody wrote by
hand is theirs: it is pointed out, with the command that erases there.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from mmsrarec.core.artefacts import MANIFEST
from mmsrarec.data.erasing.erased_rows import erase_from_data, seal_again
from mmsrarec.data.erasing.id_traces import files_holding
from mmsrarec.data.folder import KIND, is_data_folder, load
from mmsrarec.errors import MmsrarecError
from mmsrarec.runs.changes.erasure import Erasure, erase_user
from mmsrarec.runs.exported import OWN_DATA, is_exported
from mmsrarec.runs.provenance import RECIPE, read_provenance

COMMAND = "mmsrarec erase FOLDER --user ID"
ELSEWHERE = (
    "copies elsewhere, such as exports, tables of answers, other people's copies of a run and backups, are not "
    f"reached: {COMMAND} erases in a run, an export or a data folder"
)


def erase_in(folder: Path, user: str, placeholder: str, data: Path | None = None, thorough: bool = True) -> Erasure:
    """Erase a user from a folder, whatever of ours it is.

    Args:
        folder: A run, an exported run, or a data folder.
        user: The user's id.
        placeholder: What stands in the place of the id, which has no interactions.
        data: Where the run's data folder lies now, if it was moved.
        thorough: Whether to look through all files of a run that never held the user as well.

    Raises:
        MmsrarecError: It is nothing of ours, or it cannot be written.
    """
    if not (folder / RECIPE).is_file() and is_data_folder(folder):
        n_rows = erase_from_data(folder, user)
        return Erasure(n_rows > 0, n_rows, tuple(_remaining(folder, user)))
    erasure = erase_user(folder, user, placeholder)
    n_rows, notes = _erase_data_of(folder, user, data)
    notes = [*erasure.notes, *notes]
    if erasure.was_there or thorough:
        notes += _remaining(folder, user)
    if is_exported(folder) and (erasure.was_there or n_rows):
        seal_again(folder)
    return Erasure(erasure.was_there or n_rows > 0, max(erasure.interactions, n_rows), tuple(notes))


def erase_beside(folders: list[Path], user: str, placeholder: str, data: Path | None = None) -> Erasure:
    """Erase a user from runs that are served, of which the first is named, and from all runs beside them.

    Args:
        folders: The runs; where one of them cannot be written, that is an error.
        user: The user's id.
        placeholder: What stands in the place of the id.
        data: Where the data folder of the first lies now, if it was moved.
    """
    erasures: list[Erasure] = []
    for folder in folders:
        place = data if folder == folders[0] else None
        erasures.append(erase_in(folder, user, placeholder, place, thorough=False))
    others = {other for folder in folders for other in runs_beside(folder)} - set(folders)
    for folder in sorted(others):
        try:
            erasures.append(erase_in(folder, user, placeholder, thorough=False))
        except MmsrarecError as error:
            erasures.append(Erasure(False, 0, (f"the run {folder.name} was not reached ({error}): {COMMAND}",)))
    effective = [erasure for erasure in erasures if erasure.was_there]
    notes = dict.fromkeys(note for erasure in erasures for note in erasure.notes)
    return Erasure(bool(effective), max((erasure.interactions for erasure in effective), default=0), tuple(notes))


def runs_beside(folder: Path) -> Iterator[Path]:
    """The finished runs beside a run, which a server of it may load."""
    for other in sorted(folder.parent.iterdir()):
        if not other.name.startswith(".") and (other / RECIPE).is_file() and (other / "retrieve").is_dir():
            yield other


def _erase_data_of(folder: Path, user: str, named: Path | None) -> tuple[int, list[str]]:
    """Erase a user from the data folder of a run; how many interactions it held, and notes."""
    own, of_recipe = folder / OWN_DATA, read_provenance(folder).recipe.data
    place = named or (own if is_data_folder(own) else of_recipe)
    if not is_data_folder(place):
        return 0, []
    if named is None and place != own and not _is_made_by_us(place):
        holds = user in load(place).user_code
        note = f"the data folder {place} was written by hand and names this user still: {COMMAND}"
        return 0, [note] if holds else []
    try:
        return erase_from_data(place, user), []
    except MmsrarecError as error:
        return 0, [f"the data folder was not reached ({error}): {COMMAND}"]


def _is_made_by_us(place: Path) -> bool:
    """Whether mmsrarec made a data folder, whatever of it was changed by hand since."""
    try:
        return json.loads((place / MANIFEST).read_bytes())["kind"] == KIND
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _remaining(folder: Path, user: str) -> list[str]:
    """What names the user still, for whoever looks after the folder."""
    names = [path.relative_to(folder).as_posix() for path in files_holding(folder, user)]
    first_names = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    return [f"in {folder} this user is named still by {first_names}: remove what you do not need"] if names else []
