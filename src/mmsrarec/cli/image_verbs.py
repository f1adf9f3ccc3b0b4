"""The verb that fetches pictures."""

from pathlib import Path
from typing import Annotated, Any

import typer

from mmsrarec.cli.app import verb
from mmsrarec.cli.formats.fetch_format import fetch_text
from mmsrarec.core.progress import Progress
from mmsrarec.errors import MissingDependencyError


@verb("images", people=fetch_text)
def images(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="A data folder.")],
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host",
            metavar="HOST",
            help="A host that may be asked: example.com, *.example.com, or example.com:8080. May be repeated; without "
            "it the hosts that items name are listed, and none is asked.",
        ),
    ] = None,
    allow_address: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-address",
            metavar="ADDRESS",
            help="A numeric address, or a network of them, that may be connected to although it is not public: "
            "10.0.0.5, 10.0.0.0/8. May be repeated.",
        ),
    ] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Ask again for pictures that failed before.")] = False,
    concurrency: Annotated[int, typer.Option(min=1, max=256, help="Pictures fetched at the same time.")] = 16,
    attempts: Annotated[int, typer.Option(min=1, max=20, help="How often an address is asked at most.")] = 4,
    timeout: Annotated[
        float, typer.Option(min=0.1, metavar="SECONDS", help="Time for one attempt, redirects included.")
    ] = 60.0,
) -> Any:
    """Fetch the pictures that items name by a web address and the data folder lacks.

    A stopped fetch goes on where it was. Each picture is opened before it joins the data.
    """
    try:
        from mmsrarec.data.image_fetching.download import Limits
        from mmsrarec.data.image_fetching.fetch_images import fetch_images
    except ModuleNotFoundError as missing:
        if missing.name not in ("httpx2", "httpcore2"):
            raise
        hint = f"fetching pictures needs the package {missing.name}: pip install 'mmsrarec[images]'"
        raise MissingDependencyError(hint) from None
    limits = Limits(attempts=attempts, total_seconds=timeout)
    return fetch_images(
        data,
        allow_host or (),
        allow_address or (),
        concurrency=concurrency,
        retry=retry,
        limits=limits,
        progress=Progress(),
    )
