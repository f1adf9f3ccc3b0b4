"""Runs the application with uvicorn: one line of JSON for each event, and an orderly end on SIGTERM."""

import logging
import sys

import uvicorn

from mmsrarec.serve.app.application import create_app
from mmsrarec.serve.app.call_log import JsonLines
from mmsrarec.serve.settings import ServeSettings

SWITCH_SECONDS = 0.001
"""After which the model's thread lets the event loop in; Python's own 5 ms would be seen in every answer."""
LOGGERS = ("mmsrarec", "uvicorn", "uvicorn.error")


def serve(settings: ServeSettings) -> None:
    """Serve until the process is told to stop; requests in progress are finished first."""
    log_as_json()
    sys.setswitchinterval(SWITCH_SECONDS)
    app = create_app(settings)
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=settings.drain,
    )


def log_as_json() -> None:
    """Write what is logged to standard error, one line of JSON each."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.INFO)
