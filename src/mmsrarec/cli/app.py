"""What makes a function a command. Results go to standard output, everything else to standard error; wrong use is one
line and 2, and what nobody foresaw one line and 1, with the place of a log."""

import contextlib
import functools
import inspect
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import typer

from mmsrarec.cli import crash_report
from mmsrarec.cli.format import text
from mmsrarec.core import terminal
from mmsrarec.core.json_values import plain
from mmsrarec.errors import MmsrarecError

FAILED = 1  # the command worked, and what it looked at is not in order; or it did not work, and a log says why
WRONG = 2  # wrong input or wrong use
STOPPED = 130  # what Typer makes of the stop key
UNREAD = 141  # nobody reads the answer: what a shell makes of a broken pipe
DEBUG = "MMSRAREC_DEBUG"
"""With this variable set, what nobody foresaw is raised, and libraries' warnings are shown."""

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
    group: typer.Typer | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a function a command: what it returns is the answer, whatever is printed meanwhile is not.

    failures: what an answer finds wrong, a line each; the command then ends with FAILED. people: the answer as text.
    group: the group that the command belongs to; the top one unless given.
    """

    def register(work: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(work)
        def command(*, as_json: bool, **arguments: Any) -> None:
            with contextlib.redirect_stdout(sys.stderr):
                answer = plain(work(**arguments))
            answer_out(terminal.json_line(answer, sys.stdout) if as_json else terminal.printable(people(answer)))
            if complaints := failures(answer):
                for complaint in complaints:
                    terminal.complain(complaint)
                raise typer.Exit(FAILED)

        own = inspect.signature(work)
        flag = inspect.Parameter("as_json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Json)
        command.__signature__ = own.replace(parameters=[*own.parameters.values(), flag])  # type: ignore[attr-defined]
        command.__annotations__ = {**work.__annotations__, "as_json": Json}
        (group or app).command(name)(command)
        return work

    return register


def answer_out(shown: str) -> None:
    """Print an answer, and see that it has gone out while an error can still be said."""
    try:
        print(terminal.fitting(shown, sys.stdout), flush=True)
    except BrokenPipeError:
        terminal.to_nowhere(sys.stdout)
        raise typer.Exit(UNREAD) from None
    except OSError as error:
        terminal.to_nowhere(sys.stdout)
        raise MmsrarecError(f"the answer could not be written: {error.strerror or error}") from error


def call(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    terminal.steady()
    with terminal.remarks_are_complaints(), _quiet_libraries():
        try:
            code = app(arguments, prog_name="mmsrarec", standalone_mode=False) or 0
        except (Exception, SystemExit) as error:
            return _ended_by(error, arguments)
        except KeyboardInterrupt:
            code = STOPPED
    if code == STOPPED:
        terminal.complain("stopped; the same command goes on from what is finished")
    return code


def _ended_by(error: Exception | SystemExit, arguments: list[str]) -> int:
    """Say what ended a command, in one line, and return the exit code."""
    if isinstance(error, SystemExit):  # Typer's, where the reader of a help text went away
        return error.code if isinstance(error.code, int) else FAILED
    if isinstance(error, MmsrarecError):
        return _complain(error, WRONG)
    if isinstance(error, typer.TyperException):
        return _complain(f"{error.format_message().rstrip('.')}; mmsrarec --help tells more", WRONG)
    if os.environ.get(DEBUG):
        raise error
    if (way_out := crash_report.explained(error)) is not None:
        log = crash_report.write_log(error, arguments)
        return _complain(f"{way_out}{f' (how it came to it: {log})' if log else ''}", WRONG)
    log = crash_report.write_log(error, arguments)
    if isinstance(error, OSError):  # mostly a file of the user's, at times a fault of ours
        place = f"{error.filename}: " if error.filename else ""
        return _complain(f"{place}{error.strerror or error}{f' (how it came to it: {log})' if log else ''}", WRONG)
    return _complain(crash_report.unforeseen(error, log), FAILED)


def _complain(message: Any, code: int) -> int:
    terminal.complain(message)
    return code


@contextlib.contextmanager
def _quiet_libraries() -> Iterator[None]:
    """What libraries warn of is for programmers: it is left out, unless somebody asks Python for it."""
    if sys.warnoptions or os.environ.get(DEBUG):
        yield
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
