"""The command line: every verb, and what it calls."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from mmsrarec import __version__
from mmsrarec.cli.app import STOPPED, app, call, verb
from mmsrarec.cli.format import answers, reasons
from mmsrarec.cli.models import models_app
from mmsrarec.core.progress import Progress
from mmsrarec.core.terminal import remark
from mmsrarec.core.threads import with_fast_threads
from mmsrarec.data.units import Unit
from mmsrarec.errors import MmsrarecError

RecipeFile = Annotated[str, typer.Argument(metavar="RECIPE", help="A TOML file, or the name of a shipped recipe.")]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a finished run.")]
Out = Annotated[Path | None, typer.Option(help="The run's folder; runs/NAME of the recipe unless given.")]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="A.B=C", help="Override a key of the recipe; may be repeated.")
]
User = Annotated[str | None, typer.Option(help="A user of the run's data.")]
History = Annotated[
    list[str] | None,
    typer.Option(
        metavar="A,B,C",
        help="Item ids instead of a user, oldest first. Given several times, each is one id as it stands, so that an "
        "id may hold a comma.",
    ),
]
HistoryFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="A file of item ids instead, one a line as it stands, oldest first.")
]
Data = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="Where the run's data folder lies now, if it was moved.")
]
Device = Annotated[
    str | None, typer.Option(help="A device instead of the recipe's: cpu, cuda, cuda:1, mps, or auto for the fastest.")
]
More = Annotated[list[str] | None, typer.Option(metavar="A,B", help="Keywords they ask for more of; may be repeated.")]
Less = Annotated[list[str] | None, typer.Option(metavar="A,B", help="Keywords they ask for less of; may be repeated.")]


@app.callback(invoke_without_command=True)
def top(
    context: typer.Context, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False
) -> None:
    if version:
        print(f"mmsrarec {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit


app.add_typer(models_app, name="models")


@verb("demo")
def demo(
    out: Annotated[Path, typer.Option(help="The run's folder.")] = Path("runs/sample"),
    data: Annotated[Path, typer.Option(help="Where the catalogue is drawn, if it is not there yet.")] = Path(
        "data/sample"
    ),
    overrides: Overrides = None,
) -> dict[str, Any]:
    """The whole method on a small catalogue, from nothing to a report."""
    from mmsrarec.runs.recipe import load_recipe

    recipe = load_recipe("sample", [f"data={json.dumps(str(data))}", *(overrides or [])])
    if not (data / "items.jsonl").exists():
        sample(data, recipe.seed)
    return _run(recipe, out, None)


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
    kept = _core(core)
    others: dict[str, object] = {"--titles": titles, "--products": products, "--pictures": pictures}
    others["--time"] = None if (kind, time) == ("sequences", "steps") else time  # which they are anyway
    belongs = {"tables": {"--time"}, "sequences": {"--titles"}, "amazon": {"--products", "--pictures", "--time"}}
    if kind not in belongs:
        raise MmsrarecError(f"unknown format {kind}: this version imports {', '.join(belongs)}")
    if stray := [name for name, given in others.items() if given is not None and name not in belongs[kind]]:
        raise MmsrarecError(
            f"{stray[0]} does not belong to {kind}: mmsrarec import --help tells which format it is for"
        )
    if kind == "amazon":
        from mmsrarec.data.importers.amazon import import_amazon

        return import_amazon(source, out, products, pictures, max_rejects, kept, time or "auto")
    if kind == "sequences":
        from mmsrarec.data.importers.sequences import import_sequences

        return import_sequences(source, out, titles, max_rejects, kept)
    from mmsrarec.data.importers.tables import import_tables

    return import_tables(source, out, max_rejects, kept, time or "auto")


@verb("sample")
def sample(
    out: Annotated[Path, typer.Option(help="The data folder to write.")],
    seed: Annotated[int, typer.Option(min=0, help="Another seed draws another catalogue.")] = 0,
) -> dict[str, Any]:
    """Draw the built-in catalogue: pictures, texts and a log whose pattern is known."""
    from mmsrarec.data.synthetic.catalogue import draw_catalogue

    draw_catalogue(out, seed)
    return {"data": out, "seed": seed}


@verb("check", failures=lambda answer: answer.get("failed", []))
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
) -> dict[str, Any]:
    """Count what a data folder holds, and what is missing, tied or cold; or look for leaks in a run."""
    if (data is None) == (leaks is None):
        raise MmsrarecError("say what to check: a folder DATA, or --leaks RUN (one of the two)")
    if leaks is not None:
        from mmsrarec.pipeline.leak_check import check_run

        return check_run(leaks, users, fast, Progress())
    from mmsrarec.data.folder import load
    from mmsrarec.data.profile import check as check_dataset

    assert data is not None
    return check_dataset(load(data))


@verb("run")
def run(recipe: RecipeFile, out: Out = None, overrides: Overrides = None, device: Device = None) -> dict[str, Any]:
    """Do every stage of a recipe that is missing or out of date."""
    return _load_and_run(recipe, out, overrides, None, device=device)


@verb("summarize")
def summarize(
    recipe: RecipeFile,
    out: Out = None,
    overrides: Overrides = None,
    tune: Annotated[
        bool, typer.Option("--tune", help="Tune the policy by reinforcement learning first; see [summarize.tune].")
    ] = False,
    shard: Annotated[
        str | None, typer.Option(metavar="I/N", help="Answer the I-th of N parts only; a later call joins them.")
    ] = None,
    device: Device = None,
) -> dict[str, Any]:
    """Stage 1 alone: items become keywords."""
    part = _shard(shard)
    return _load_and_run(recipe, out, overrides, ("summarize",), tune, part, device)


@verb("retrieve")
def retrieve(recipe: RecipeFile, out: Out = None, overrides: Overrides = None, device: Device = None) -> dict[str, Any]:
    """Stage 2 alone: an encoder of histories, and who is similar to whom."""
    return _load_and_run(recipe, out, overrides, ("retrieve",), device=device)


@verb("train")
def train(recipe: RecipeFile, out: Out = None, overrides: Overrides = None, device: Device = None) -> dict[str, Any]:
    """Stage 3 alone: tune the model that ranks."""
    return _load_and_run(recipe, out, overrides, ("recommend",), device=device)


@verb("evaluate")
def evaluate(recipe: RecipeFile, out: Out = None, overrides: Overrides = None, device: Device = None) -> dict[str, Any]:
    """Compare with the baselines, and write the report."""
    return _load_and_run(recipe, out, overrides, ("evaluate",), device=device)


@verb("update")
def update(run: RunFolder, data: Data = None) -> dict[str, Any]:
    """Read the items that joined a run's data folder; then they are recommended, and those that left are not. Nothing
    is trained."""
    from mmsrarec.pipeline.run import update

    return update(run, Progress(), data)


@verb("refit")
def refit(run: RunFolder, data: Data = None, device: Device = None) -> dict[str, Any]:
    """Train what is served on all interactions, with the settings that validation chose: after the evaluation."""
    from mmsrarec.pipeline.run import refit

    return refit(run, Progress(), data, device)


@verb("recommend", people=answers)
def recommend(
    run: RunFolder,
    user: User = None,
    history: History = None,
    history_file: HistoryFile = None,
    k: Annotated[int, typer.Option(min=1, help="How many items.")] = 10,
    more: More = None,
    less: Less = None,
    reasons: Annotated[bool, typer.Option(help="Measure what carried each item: more than twice the time.")] = True,
    allow_seen: Annotated[
        bool | None,
        typer.Option("--allow-seen/--no-seen", help="Recommend what they had before too, or never; as evaluated."),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse a history that holds an unknown item.")] = False,
    data: Data = None,
    device: Device = None,
) -> dict[str, Any]:
    """What a user, or someone with the given history, would take next."""
    who, preferences = _who(user, history, history_file), _preferences(more, less)
    from mmsrarec.runs.recommender import Recommender

    recommender = Recommender.load(run, data, device)
    who = _known(who, history, recommender)
    found = recommender.recommend(**who, k=k, **preferences, reasons=reasons, allow_seen=allow_seen, strict=strict)
    notes = [*recommender.notes, *found.notes]
    return {**who, **preferences, "left_out": found.left_out, "notes": notes, "recommendations": found}


@verb("explain", people=reasons)
def explain(
    run: RunFolder,
    item: Annotated[str, typer.Option(help="The item to explain.")],
    user: User = None,
    history: History = None,
    history_file: HistoryFile = None,
    more: More = None,
    less: Less = None,
    data: Data = None,
    device: Device = None,
) -> Any:
    """Why an item is, or is not, recommended to a user: what spoke for it and against it, each left out in turn."""
    who, preferences = _who(user, history, history_file), _preferences(more, less)
    from mmsrarec.runs.recommender import Recommender

    recommender = Recommender.load(run, data, device)
    for note in recommender.notes:
        remark(note)
    return recommender.explain(**_known(who, history, recommender), item=item, **preferences)


@verb("doctor")
def doctor() -> dict[str, Any]:
    """Versions, processor, model, disk: what a bug report needs, and what to do about what is missing."""
    from mmsrarec.cli.doctor import examine

    return examine()


def _who(user: str | None, history: list[str] | None, file: Path | None) -> dict[str, Any]:
    """Whom the question is about; a history as it was typed."""
    if sum(one is not None for one in (user, history, file)) != 1:
        raise MmsrarecError("say for whom: --user U, --history A,B,C, or --history-file FILE (one of them)")
    if file is not None:
        try:
            text = file.read_text(encoding="utf-8-sig")
        except OSError as error:
            raise MmsrarecError(f"{file} cannot be read: {error.strerror or error}; name a file of item ids") from error
        except UnicodeDecodeError as error:
            raise MmsrarecError(f"{file} is not UTF-8: save it as such, one item id a line") from error
        return {"history": [line for line in text.splitlines() if line]}
    return {"history": history} if user is None else {"user": user}


def _known(who: dict[str, Any], typed: list[str] | None, recommender: Any) -> dict[str, Any]:
    """A history that was typed as one text is parted at commas, unless the whole is an item's id."""
    if typed is None or len(typed) != 1 or typed[0] in recommender.dataset.item_code:
        return who
    return {"history": [part.strip() for part in typed[0].split(",") if part.strip()]}


def _core(text: str | None) -> tuple[int, int] | None:
    """(6, 5) from "6,5"."""
    if text is None:
        return None
    user, _, item = text.partition(",")
    if not (user.isdecimal() and item.isdecimal()):
        raise MmsrarecError(f"--core {text}: expected U,I, events of a user and of an item, such as --core 6,5")
    return int(user), int(item)


def _preferences(more: list[str] | None, less: list[str] | None) -> dict[str, Any]:
    """What is asked for; nothing where nothing is."""
    given = {"more": more, "less": less}
    parts = {name: [part.strip() for text in texts or () for part in text.split(",")] for name, texts in given.items()}
    return {name: words for name, typed in parts.items() if (words := [part for part in typed if part])}


def _shard(text: str | None) -> tuple[int, int] | None:
    """(0, 4) from "1/4"."""
    if text is None:
        return None
    first, _, count = text.partition("/")
    if not (first.isdecimal() and count.isdecimal() and 1 <= int(first) <= int(count)):
        raise MmsrarecError(f"--shard {text}: expected I/N with I from 1 to N, such as --shard 1/4")
    return int(first) - 1, int(count)


def _load_and_run(
    file: str,
    out: Path | None,
    overrides: list[str] | None,
    stages: tuple[str, ...] | None,
    tune: bool = False,
    shard: tuple[int, int] | None = None,
    device: str | None = None,
) -> dict[str, Any]:
    from mmsrarec.runs.recipe import load_recipe

    overrides = [*(overrides or []), *([f"runtime.device={json.dumps(device)}"] if device else [])]
    recipe = load_recipe(file, overrides)
    if tune and recipe.summarize.tune is None:
        recipe = load_recipe(file, [*overrides, "summarize.tune={}"])
    return _run(recipe, out or Path("runs") / recipe.name, stages, shard, tune)


def _run(
    recipe: Any,
    out: Path,
    stages: tuple[str, ...] | None,
    shard: tuple[int, int] | None = None,
    retune: bool = False,
) -> dict[str, Any]:
    from mmsrarec.models.processes import is_first
    from mmsrarec.pipeline.run import run

    if is_first():
        return run(recipe, out, stages, Progress(), shard, retune)
    with Path(os.devnull).open("w") as silence:  # of several processes the first one speaks
        run(recipe, out, stages, Progress(silence), shard, retune)
    raise typer.Exit


def main() -> None:
    """The entry point of the `mmsrarec` command."""
    try:
        if not {"--help", "--version"} & set(sys.argv):
            with_fast_threads()
        code = call(sys.argv[1:])
    except KeyboardInterrupt:  # before the command began, or while it ended
        code = STOPPED
    sys.exit(code)
