"""Runs the application with uvicorn: one line of JSON for each event, and an orderly end on SIGTERM.

The port answers at once; what takes long to import is imported behind it. Until the run is loaded, Python looks for
no garbage (`core.memory`).
"""

import contextlib
import logging
import sys
from collections.abc import Generator
from typing import TYPE_CHECKING

import uvicorn

from mmsrarec.core.memory import collect_again, stop_collecting
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
        MmsrarecError: The state cannot be opened, or is of another version.
        ModuleNotFoundError: A package is missing.
    """
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
        with logging_as_json(), contextlib.suppress(KeyboardInterrupt):  # the server has ended in order by then
            server.run()
    finally:
        collect_again()
    if late.failure is not None:
        raise late.failure


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
