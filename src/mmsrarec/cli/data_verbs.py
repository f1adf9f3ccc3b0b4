"""Verbs about data: draw some, check them, fetch their pictures, look for leaks in a run."""

from pathlib import Path
from typing import Annotated, Any

import typer

from mmsrarec.cli.app import verb
from mmsrarec.cli.formats.check_format import check_text
from mmsrarec.cli.formats.fetch_format import fetch_text
from mmsrarec.core.progress import Progress
from mmsrarec.errors import MissingDependencyError, MmsrarecError


@verb("sample")
def sample(
    out: Annotated[Path, typer.Option(help="The data folder to write.")],
    seed: Annotated[int, typer.Option(min=0, help="Another seed draws another catalogue.")] = 0,
    items: Annotated[int, typer.Option(help="Products, 30 to 300.")] = 300,
    shoppers: Annotated[int, typer.Option(help="Shoppers, each with 8 to 16 interactions.")] = 800,
) -> dict[str, Any]:
    """Draw the built-in catalogue: pictures, texts and a log whose pattern is known."""
    from mmsrarec.data.synthetic.catalogue import draw_catalogue

    draw_catalogue(out, seed, items, shoppers)
    return {"data": out, "seed": seed, "items": items, "shoppers": shoppers}


@verb("check", failures=lambda answer: answer.get("failed", []), people=check_text)
def check(
    data: Annotated[Path | None, typer.Argument(metavar="DATA", help="A data folder.")] = None,
    leaks: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Look for leaks in a run instead; ends with 1 where there are some."),
    ] = None,
    users: Annotated[
        int, typer.Option(min=2, help="With --leaks: test users that the language model is asked about.")
    ] = 40,
    fast: Annotated[bool, typer.Option("--fast", help="With --leaks: do not ask the language model.")] = False,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a page too, with plots and what is odd, pictures included."),
    ] = None,
    pictures: Annotated[
        int, typer.Option(min=0, metavar="N", help="How many pictures are opened: the first N.")
    ] = 20_000,
) -> Any:
    """Say what one wants to know of a data folder before a run, and what is odd; or look for leaks in a run."""
    if (data is None) == (leaks is None):
        raise MmsrarecError("say what to check: a folder DATA, or --leaks RUN (one of the two)")
    if leaks is not None:
        from mmsrarec.pipeline.leak_check import check_run

        return check_run(leaks, users, fast, Progress())
    from mmsrarec.data.checking.check_data import check as check_dataset
    from mmsrarec.data.folder import load
    from mmsrarec.summarize.language.detection import languages_of

    assert data is not None
    if html is not None and not html.parent.is_dir():
        raise MmsrarecError(f"{html.parent} is not a folder: name a file in one that is there")
    dataset = load(data)
    result = check_dataset(dataset, languages=languages_of, max_pictures=pictures, progress=Progress())
    if html is not None:
        from mmsrarec.study.report.data_page import write_data_page

        write_data_page(result, dataset, html)
    return result


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
