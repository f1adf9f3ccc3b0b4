"""The verb that erases a user from folders."""

import uuid
from pathlib import Path
from typing import Annotated, Any

import typer

from mmsrarec.cli.app import verb
from mmsrarec.cli.options import Data


@verb("erase")
def erase(
    folders: Annotated[
        list[Path], typer.Argument(metavar="FOLDER...", help="Runs, exported runs or data folders.", show_default=False)
    ],
    user: Annotated[str, typer.Option(help="The user's id.")],
    data: Data = None,
) -> dict[str, Any]:
    """Erase a user from runs, exported runs and data folders: interactions, the id, and what is computed from them.

    What was trained with the user stays, and its manifest counts it. A run's data folder is rewritten where mmsrarec
    made it, or where --data names it. A server that answers from a run erases by DELETE, and has its own state.
    """
    from mmsrarec.runs.changes.reach import erase_in

    placeholder = f"erased-{uuid.uuid4().hex}"
    erasures = {folder: erase_in(folder, user, placeholder, data) for folder in folders}
    return {
        "folders": {
            str(folder): {"erased": erasure.was_there, "interactions": erasure.interactions}
            for folder, erasure in erasures.items()
        },
        "notes": list(dict.fromkeys(note for erasure in erasures.values() for note in erasure.notes)),
    }
