"""The command line as a whole: every verb, the version, and the entry point."""

import sys
from typing import Annotated, Any

import typer

from mmsrarec import __version__
from mmsrarec.cli import answer_verbs as answer_verbs
from mmsrarec.cli import data_verbs as data_verbs
from mmsrarec.cli import demo_verb as demo_verb
from mmsrarec.cli import export_verb as export_verb

# a verb is registered by its module being imported; the order is that of the help
from mmsrarec.cli import import_verb as import_verb
from mmsrarec.cli import run_verbs as run_verbs
from mmsrarec.cli import serve_verb as serve_verb
from mmsrarec.cli.app import STOPPED, app, call, verb
from mmsrarec.cli.models import models_app
from mmsrarec.cli.options import Overrides
from mmsrarec.core.threads import with_fast_threads


@app.callback(invoke_without_command=True)
def top(
    context: typer.Context, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False
) -> None:
    """Print the version or the help, where no command is given."""
    if version:
        print(f"mmsrarec {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit


app.add_typer(models_app, name="models")


@verb("doctor")
def doctor(
    recipe: Annotated[
        str | None, typer.Argument(metavar="[RECIPE]", help="A recipe: its engine is looked for and described.")
    ] = None,
    overrides: Overrides = None,
) -> dict[str, Any]:
    """Versions, processor, model, engine, disk: what a bug report needs, and what to do about what is missing."""
    from mmsrarec.cli.doctor import examine

    return examine(recipe, overrides)


def _map_text(answer: Any) -> str:
    from mmsrarec.study.survey.survey_map import map_text

    return map_text(answer)


@verb("map", people=_map_text)
def survey() -> dict[str, Any]:
    """The classes of the field's survey (arXiv 2505.09777): papers, the row here that shows each, and its figure."""
    from mmsrarec.study.survey.survey_map import survey_map

    return survey_map()


def main() -> None:
    """The entry point of the `mmsrarec` command."""
    try:
        if not {"--help", "--version"} & set(sys.argv):
            with_fast_threads()
        code = call(sys.argv[1:])
    except KeyboardInterrupt:  # before the command began, or while it ended
        code = STOPPED
    sys.exit(code)
