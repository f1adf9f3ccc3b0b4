"""Verbs about data: bring them in, draw some, check them, look for leaks in a run."""

from pathlib import Path
from typing import Annotated, Any

import typer

from mmsrarec.cli.app import verb
from mmsrarec.cli.check_format import check_text
from mmsrarec.core.progress import Progress
from mmsrarec.data.units import Unit
from mmsrarec.errors import MmsrarecError


@verb("import")
def import_(
    kind: Annotated[str, typer.Argument(metavar="FORMAT", help="What SOURCE is: tables, sequences, or amazon.")],
    source: Annotated[
        Path,
        typer.Argument(
            help="tables: a folder with items, interactions and images; sequences: a file of lines `user item item "
            "...`; amazon: a file of reviews, as McAuley and colleagues publish them"
        ),
    ],
    out: Annotated[Path, typer.Option(help="The data folder to write.")],
    titles: Annotated[
        Path | None, typer.Option(metavar="CSV", help="Titles of the items of sequences: item,title.")
    ] = None,
    products: Annotated[Path | None, typer.Option(metavar="FILE", help="amazon: what is sold, meta_*.json.gz.")] = None,
    pictures: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="amazon: pictures you have fetched, ASIN.jpg.")
    ] = None,
    max_rejects: Annotated[float, typer.Option(min=0, max=1, help="Share of bad rows that is still accepted.")] = 0.01,
    core: Annotated[
        str | None,
        typer.Option(metavar="U,I", help="Keep only users with U events or more and items with I or more: 6,5."),
    ] = None,
    time: Annotated[
        Unit | None,
        typer.Option(
            help="What the timestamps of tables and amazon count; told by their size unless given. steps: numbers "
            "that tell the order and no dates."
        ),
    ] = None,
) -> Any:
    """Bring data from elsewhere into a data folder."""
    core_sizes = _core(core)
    others: dict[str, object] = {"--titles": titles, "--products": products, "--pictures": pictures}
    others["--time"] = None if (kind, time) == ("sequences", "steps") else time  # which they are anyway
    belongs = {"tables": {"--time"}, "sequences": {"--titles"}, "amazon": {"--products", "--pictures", "--time"}}
    if kind not in belongs:
        raise MmsrarecError(f"unknown format {kind}: this version imports {', '.join(belongs)}")
    if stray := [name for name, value in others.items() if value is not None and name not in belongs[kind]]:
        raise MmsrarecError(
            f"{stray[0]} does not belong to {kind}: mmsrarec import --help tells which format it is for"
        )
    if kind == "amazon":
        from mmsrarec.data.importers.amazon import import_amazon

        return import_amazon(source, out, products, pictures, max_rejects, core_sizes, time or "auto")
    if kind == "sequences":
        from mmsrarec.data.importers.sequences import import_sequences

        return import_sequences(source, out, titles, max_rejects, core_sizes)
    from mmsrarec.data.importers.tables import import_tables

    return import_tables(source, out, max_rejects, core_sizes, time or "auto")


@verb("sample")
def sample(
    out: Annotated[Path, typer.Option(help="The data folder to write.")],
    seed: Annotated[int, typer.Option(min=0, help="Another seed draws another catalogue.")] = 0,
) -> dict[str, Any]:
    """Draw the built-in catalogue: pictures, texts and a log whose pattern is known."""
    from mmsrarec.data.synthetic.catalogue import draw_catalogue

    draw_catalogue(out, seed)
    return {"data": out, "seed": seed}


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
    from mmsrarec.data.image_fetching.item_addresses import missing_pictures
    from mmsrarec.summarize.language.detection import languages_of

    assert data is not None
    if html is not None and not html.parent.is_dir():
        raise MmsrarecError(f"{html.parent} is not a folder: name a file in one that is there")
    dataset = load(data)
    result = check_dataset(
        dataset,
        languages=languages_of,
        addresses=len(missing_pictures(dataset)),
        max_pictures=pictures,
        progress=Progress(),
    )
    if html is not None:
        from mmsrarec.study.report.data_page import write_data_page

        write_data_page(result, dataset, html)
    return result


def _core(text: str | None) -> tuple[int, int] | None:
    """(6, 5) from "6,5"."""
    if text is None:
        return None
    user, _, item = text.partition(",")
    if not (user.isdecimal() and item.isdecimal()):
        raise MmsrarecError(f"--core {text}: expected U,I, events of a user and of an item, such as --core 6,5")
    return int(user), int(item)
