"""Arguments that several verbs take, and what is typed for them."""

from pathlib import Path
from typing import Annotated

import typer

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
Engine = Annotated[
    str | None,
    typer.Option(
        help="Who answers the questions of stage 1, instead of the recipe's: local, openai, a server at "
        "runtime.engine_url, or ray, runtime.engine_workers workers of Ray."
    ),
]
More = Annotated[list[str] | None, typer.Option(metavar="A,B", help="Keywords they ask for more of; may be repeated.")]
Less = Annotated[list[str] | None, typer.Option(metavar="A,B", help="Keywords they ask for less of; may be repeated.")]


def read_shard(text: str | None) -> tuple[int, int] | None:
    """(0, 4) from "1/4".

    Raises:
        MmsrarecError: It is no such text.
    """
    if text is None:
        return None
    first, _, count = text.partition("/")
    if not (first.isdecimal() and count.isdecimal() and 1 <= int(first) <= int(count)):
        raise MmsrarecError(f"--shard {text}: expected I/N with I from 1 to N, such as --shard 1/4")
    return int(first) - 1, int(count)
