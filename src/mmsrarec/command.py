"""What makes a function a command. Results go to standard output, everything else to standard error; wrong use is one
line and 2."""

import contextlib
import functools
import inspect
import json
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from mmsrarec.errors import MmsrarecError
from mmsrarec.show import plain, text

FAILED = 1  # the command worked, and what it looked at is not in order
STOPPED = 130  # what Typer makes of the stop key

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Multimodal sequential recommendation: items become keywords, similar users are asked, a model ranks.",
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def verb(
    name: str,
    failures: Callable[[Any], list[str]] = lambda answer: [],
    people: Callable[[Any], str] = text,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a function a command: what it returns is the answer, whatever is printed meanwhile is not.

    failures: what an answer finds wrong, a line each; the command then ends with FAILED. people: the answer as text.
    """

    def register(work: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(work)
        def command(*, as_json: bool, **arguments: Any) -> None:
            with contextlib.redirect_stdout(sys.stderr):
                answer = plain(work(**arguments))
            print(json.dumps(answer, ensure_ascii=False, allow_nan=False) if as_json else people(answer))
            if complaints := failures(answer):
                for complaint in complaints:
                    _complain(complaint, FAILED)
                raise typer.Exit(FAILED)

        own = inspect.signature(work)
        flag = inspect.Parameter("as_json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Json)
        command.__signature__ = own.replace(parameters=[*own.parameters.values(), flag])  # type: ignore[attr-defined]
        command.__annotations__ = {**work.__annotations__, "as_json": Json}
        app.command(name)(command)
        return work

    return register


def call(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    try:
        code = app(arguments, prog_name="mmsrarec", standalone_mode=False) or 0
        if code == STOPPED:
            _complain("stopped; the same command goes on from what is finished", code)
        return code
    except MmsrarecError as error:
        return _complain(str(error), 2)
    except typer.TyperException as error:
        return _complain(f"{error.format_message().rstrip('.')}; mmsrarec --help tells more", 2)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _complain(f"{place}{error.strerror or error}", 2)


def _complain(message: str, code: int) -> int:
    print("mmsrarec:", " ".join(message.split()), file=sys.stderr)
    return code
