"""The verbs that serve a finished run over HTTP, and that erase a user from files."""

import uuid
from pathlib import Path
from typing import Annotated, Any

import typer

from mmsrarec.cli.app import verb
from mmsrarec.cli.options import Data, Device, RunFolder
from mmsrarec.errors import MissingDependencyError
from mmsrarec.serve.settings import STATE_VARIABLE, ServeSettings, key_from_environment


@verb("serve")
def serve(
    run: RunFolder,
    host: Annotated[
        str, typer.Option(help="The address that is listened on; others than the loopback need a key in MMSRAREC_KEY.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port.")] = 8000,
    state: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|URL",
            envvar=STATE_VARIABLE,
            help="Where events and items are kept: a file of SQLite, RUN.state.sqlite "
            "unless given, or postgresql://...",
        ),
    ] = None,
    data: Data = None,
    device: Device = None,
    queue: Annotated[int, typer.Option(min=1, help="Questions that may wait for the model.")] = 64,
    batch: Annotated[int, typer.Option(min=1, help="Questions that the model is asked at once, at most.")] = 8,
) -> dict[str, Any]:
    """Answer over HTTP: recommendations, reranking, events, items that join; until it is stopped."""
    settings = ServeSettings(run, state, data, device, host, port, key=key_from_environment(), queue=queue, batch=batch)
    try:
        from mmsrarec.serve.app.server import serve as serve_until_stopped

        serve_until_stopped(settings)
    except ModuleNotFoundError as missing:
        hint = "pip install 'mmsrarec[mllm,serve]'"
        raise MissingDependencyError(f"a server needs the package {missing.name}: {hint}") from None
    return {"run": run, "stopped": True}


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
