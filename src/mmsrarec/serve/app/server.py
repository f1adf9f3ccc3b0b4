"""Runs the application with uvicorn: one line of JSON for each event, and an orderly end on SIGTERM.

The port answers at once; what takes long to import is imported behind it. Until the run is loaded, Python looks for
no garbage (`core.memory`).
"""

import contextlib
import logging
import signal
import sys
import threading
from collections.abc import Generator
from typing import TYPE_CHECKING

import uvicorn

from mmsrarec.core.memory import collect_again, stop_collecting
from mmsrarec.errors import NotFittedError
from mmsrarec.serve.app.call_log import JsonLines
from mmsrarec.serve.app.late_application import LateApplication
from mmsrarec.serve.settings import ServeSettings

if TYPE_CHECKING:
    from fastapi import FastAPI

SWITCH_SECONDS = 0.001
"""After which the model's thread lets the event loop in; Python's own 5 ms would be seen in every answer."""
LOGGERS = ("mmsrarec", "uvicorn", "uvicorn.error")


def serve(settings: ServeSettings) -> None:
    """Serve until the process is told to stop; requests in progress are finished first.

    Raises:
        MmsrarecError: There is no such run, or the state cannot be opened or is of another version.
        ModuleNotFoundError: A package is missing.
    """
    if not settings.run.expanduser().is_dir():  # a wrong name ends here, before a state is made for it
        raise NotFittedError.no_run(settings.run)
    sys.setswitchinterval(SWITCH_SECONDS)
    stop_collecting()

    def make() -> "FastAPI":
        from mmsrarec.serve.app.application import create_app

        return create_app(settings)

    def failed() -> None:
        server.should_exit = True

    late = LateApplication(make, failed, settings.key)
    config = uvicorn.Config(
        late,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=settings.drain,
    )
    server = uvicorn.Server(config)
    try:
        with logging_as_json(), ended_by_sigterm(server), contextlib.suppress(KeyboardInterrupt):
            server.run()  # uvicorn raises the signal again once the server has ended in order
    finally:
        collect_again()
    if late.failure is not None:
        raise late.failure


@contextlib.contextmanager
def ended_by_sigterm(server: uvicorn.Server) -> Generator[None]:
    """End a server in order on SIGTERM, and go on behind it, so that the process ends with 0 and whatever it must do.

    Outside of the main thread Python takes no signals: there nothing happens.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(*_: object) -> None:
        server.should_exit = True

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def logging_as_json() -> Generator[None]:
    """Write what is logged while the block runs to standard error, one line of JSON each."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [(logger, logger.handlers, logger.propagate, logger.level) for logger in loggers]
    for logger in loggers:
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        for logger, handlers, propagate, level in before:
            logger.handlers, logger.propagate = handlers, propagate
            logger.setLevel(level)
