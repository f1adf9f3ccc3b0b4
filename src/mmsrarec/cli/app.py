"""What makes a function a command.

Results go to standard output, everything else to standard error. Wrong use gives one line and exit code 2; an
unexpected error gives one line, with the place of a log, and exit code 1.
"""

import contextlib
import functools
import inspect
import os
import sys
import warnings
from collections.abc import Callable, Generator
from typing import Annotated, Any

import typer

from mmsrarec.cli import crash_report
from mmsrarec.cli.formats.plain_text import text
from mmsrarec.core import terminal
from mmsrarec.core.json_values import plain
from mmsrarec.errors import MmsrarecError

FAILED = 1  # the command worked, and what it looked at is not in order; or it did not work, and a log says why
WRONG = 2  # wrong input or wrong use
STOPPED = 130  # what Typer makes of the stop key
UNREAD = 141  # nobody reads the answer: what a shell makes of a broken pipe
DEBUG = "MMSRAREC_DEBUG"
"""With this environment variable set, unexpected errors are raised, and warnings of libraries are shown."""

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
    after: Callable[[Any], None] = lambda answer: None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a function a command: what it returns is the answer, whatever is printed meanwhile is not.

    Args:
        name: Name of the command.
        failures: Reads the problems off an answer, a line each; where there are any, the command ends with FAILED.
        people: Writes an answer as text.
        group: The group that the command belongs to; the top one unless given.
        after: Is given an answer that people read, once it is printed and nothing is wrong with it.

    Returns:
        A decorator, which returns the function as it is.
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
            if not as_json:
                after(answer)

        own = inspect.signature(work)
        flag = inspect.Parameter("as_json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Json)
        command.__signature__ = own.replace(parameters=[*own.parameters.values(), flag])  # type: ignore[attr-defined]
        command.__annotations__ = {**work.__annotations__, "as_json": Json}
        (group or app).command(name)(command)
        return work

    return register


def answer_out(output: str) -> None:
    """Print an answer and flush it, so that an error of writing can still be reported.

    Raises:
        typer.Exit: Nobody reads standard output any more.
        MmsrarecError: Standard output cannot be written.
    """
    try:
        print(terminal.fitting(output, sys.stdout), flush=True)
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
def _quiet_libraries() -> Generator[None]:
    """Hide the warnings of libraries, which are for programmers, unless Python is started with -W."""
    if sys.warnoptions or os.environ.get(DEBUG):
        yield
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
