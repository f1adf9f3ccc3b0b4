"""Gives each call an id, counts and times it, and writes one line of JSON about it; a crash is one line as well.

A line names the route and never the path, which may hold the id of a user.
"""

import contextvars
import json
import logging
import re
import time
import traceback
import uuid
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mmsrarec.core.terminal import one_line
from mmsrarec.serve.app.problems import problem

if TYPE_CHECKING:
    from mmsrarec.serve.app.server_metrics import Metrics

CALL_ID: contextvars.ContextVar[str] = contextvars.ContextVar("call_id", default="")
HEADER = "x-request-id"
OWN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
QUIET = ("/health/live", "/health/ready", "/metrics")
"""Routes that are asked all the time: they are counted, and not written down."""
STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}

log = logging.getLogger("mmsrarec.serve")


class JsonLines(logging.Formatter):
    """Writes a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, object] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "message": one_line(record.getMessage()),
        }
        if call_id := CALL_ID.get():
            line["request_id"] = call_id
        line |= {name: value for name, value in vars(record).items() if name not in STANDARD_FIELDS}
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = one_line(record.exc_info[1])[:300]
            line["where"] = [f"{frame.name}:{frame.lineno}" for frame in traceback.extract_tb(record.exc_info[2])[-8:]]
        return json.dumps(line, default=str)


class CallLog:
    """The outermost layer of every call.

    Attributes:
        app: What is called.
        metrics: Counts.
    """

    def __init__(self, app: ASGIApp, metrics: "Metrics") -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a call."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = next((value.decode("latin-1") for name, value in scope["headers"] if name == HEADER.encode()), "")
        call_id = given if OWN_ID.fullmatch(given) else uuid.uuid4().hex
        token, started, status = CALL_ID.set(call_id), time.perf_counter(), 0

        async def with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (HEADER.encode(), call_id.encode())]
            await send(message)

        try:
            await self.app(scope, receive, with_id)
        except Exception:
            log.exception("a call failed")
            if not status:
                await problem(500, "something failed here; the log has the request id")(scope, receive, with_id)
        finally:
            seconds, route = time.perf_counter() - started, getattr(scope.get("route"), "path_format", "none")
            self.metrics.count(scope["method"], route, status, seconds)
            if route not in QUIET:
                facts = {"method": scope["method"], "route": route, "status": status}
                log.info("call", extra={**facts, "ms": round(1000 * seconds, 2)})
            CALL_ID.reset(token)
