"""The verb that shows the whole method on a synthetic catalogue, and then the page to look at it."""

import os
import socket
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from mmsrarec.cli.app import app, call, verb
from mmsrarec.cli.options import Overrides
from mmsrarec.core.progress import Progress

SERVE = "serve"
"""The verb that serves a run, where this installation has it."""
SERVER_PACKAGE = "fastapi"
HOST, PORTS = "127.0.0.1", range(8000, 8020)
"""Where the page is shown: at the first port that nobody listens on."""
LINE_SECONDS = 4.0


def can_serve() -> bool:
    """Whether there is a verb that serves a run, with the packages that it needs."""
    return any(command.name == SERVE for command in app.registered_commands) and find_spec(SERVER_PACKAGE) is not None


def free_port() -> int:
    """The first of `PORTS` that nobody listens on; the first one where all are taken, so that the server says so."""
    for port in PORTS:
        with socket.socket() as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # one that was left a moment ago is free
            try:
                one.bind((HOST, port))
            except OSError:
                continue
            return port
    return PORTS[0]


def serve_page(answer: dict[str, Any]) -> None:
    """Start the server of the demo's run, where the answer names a page."""
    if "page" in answer:
        port = str(answer["page"]).rpartition(":")[2]
        if code := call([SERVE, str(answer["run"]), "--port", port]):
            raise typer.Exit(code)


@verb("demo", after=serve_page)
def demo(
    full: Annotated[
        bool,
        typer.Option("--full", help="The whole comparison on a larger catalogue, in a quarter of an hour or more."),
    ] = False,
    out: Annotated[Path | None, typer.Option(help="The run's folder; runs/demo, or runs/sample with --full.")] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Where the catalogue is drawn, if it is not there yet; data/demo or data/sample."),
    ] = None,
    serve: Annotated[
        bool | None,
        typer.Option(
            "--serve/--no-serve", help="Start the server afterwards; where it is installed, and CI is not set."
        ),
    ] = None,
    overrides: Overrides = None,
) -> dict[str, Any]:
    """The whole method on a small catalogue, from nothing to a table of results and a page, in minutes."""
    from mmsrarec.pipeline.demo import FULL, QUICK
    from mmsrarec.pipeline.demo import demo as do

    size = FULL if full else QUICK
    run, source = out or Path("runs") / size.recipe, data or Path("data") / size.recipe
    answer = do(size, run, source, Progress(every=LINE_SECONDS), overrides)
    wanted = serve if serve is not None else not os.environ.get("CI")
    return answer | ({"page": f"http://{HOST}:{free_port()}"} if wanted and can_serve() else {})
