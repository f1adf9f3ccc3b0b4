"""The server before its application is there: importing and making that takes seconds, in a thread of its own.

Meanwhile `/health/live` answers, everything else says that the run is being loaded, and a browser is shown a page that
tries again by itself. Whoever may not call learns nothing, not even that; the application itself refuses them later,
and counts and logs it.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse, JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from mmsrarec.serve.app.access import Access
from mmsrarec.serve.app.problems import RETRY_SECONDS, not_ready

if TYPE_CHECKING:
    from fastapi import FastAPI

LOADING = "the run is being loaded"
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><meta http-equiv="refresh" content="1"><title>Nearly there</title></head>
<body><main><h1>Nearly there</h1><p>The run is being loaded. This page tries again by itself.</p></main></body></html>
"""
PAGE_HEADERS = {
    "Retry-After": str(RETRY_SECONDS),
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}

log = logging.getLogger("mmsrarec.serve")


class LateApplication:
    """Hands calls on to an application, as soon as that is made.

    Attributes:
        make: Makes the application; it is called in a thread.
        failed: Is called where the application could not be made.
        app: The application; None until it is made and started.
        meanwhile: Answers until then.
        failure: Why it could not be made.
    """

    def __init__(self, make: "Callable[[], FastAPI]", failed: Callable[[], None], key: str | None = None) -> None:
        """Nothing is made before the server starts.

        Args:
            make: Makes the application; it is called in a thread.
            failed: Is called where the application could not be made.
            key: What callers must send; None: nothing.
        """
        self.make, self.failed, self.meanwhile = make, failed, Access(_loading, key)
        self.app: ASGIApp | None = None
        self.failure: Exception | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a call, or live from the start of the server to its end."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif self.app is not None:
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await self.meanwhile(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        async with AsyncExitStack() as started:
            starting = asyncio.create_task(self._start(started))
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await starting
        await send({"type": "lifespan.shutdown.complete"})

    async def _start(self, started: AsyncExitStack) -> None:
        try:
            app = await asyncio.to_thread(self.make)
            await started.enter_async_context(app.router.lifespan_context(app))
        except Exception as error:
            self.failure = error
            self.failed()
        else:
            self.app = app


async def _loading(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a call that comes before the application is there."""
    await _answer(scope)(scope, receive, send)


def _answer(scope: Scope) -> ASGIApp:
    if scope["path"] == "/health/live":
        return JSONResponse({"status": "alive"})
    accepted = next((value for name, value in scope["headers"] if name == b"accept"), b"")
    if b"text/html" in accepted:
        return HTMLResponse(PAGE, 503, PAGE_HEADERS)
    return not_ready(LOADING)
