"""The application: routes, and what every call passes through."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from mmsrarec import __version__
from mmsrarec.serve.app import routes_answers, routes_health, routes_state
from mmsrarec.serve.app.access import Access
from mmsrarec.serve.app.body_limits import BodyLimits
from mmsrarec.serve.app.call_log import CallLog
from mmsrarec.serve.app.responses import HANDLERS
from mmsrarec.serve.app.server_metrics import Metrics
from mmsrarec.serve.changes import Changes
from mmsrarec.serve.following import Follower
from mmsrarec.serve.page import routes_files, routes_page
from mmsrarec.serve.page.thumbnails import Thumbnails
from mmsrarec.serve.service import Service
from mmsrarec.serve.settings import ServeSettings

ABOUT = "Recommendations that understand content, work for new items, and say why."


def create_app(settings: ServeSettings, wait: bool = False) -> FastAPI:
    """An application that serves a run.

    Args:
        settings: How it is run.
        wait: Whether starting waits until the run is loaded; else `/health/ready` says when it is.
    """
    service = Service(settings)
    metrics = Metrics(service)
    follower = Follower(changes := Changes(service))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        app.state.loading = loading = service.load_in_background()
        if wait:
            loading.join()
        follower.start(asyncio.get_running_loop())
        yield
        service.draining = True
        await asyncio.to_thread(follower.close)
        await app.state.changes.close()
        await service.close()

    app = FastAPI(
        title="mmsrarec", version=__version__, description=ABOUT, lifespan=lifespan, docs_url=None, redoc_url=None
    )
    app.state.service, app.state.changes, app.state.metrics = service, changes, metrics
    app.state.thumbnails = Thumbnails(service.picture)
    for error, handler in HANDLERS.items():
        app.add_exception_handler(error, handler)
    for router in (
        *(routes_answers.router, routes_state.router, routes_health.router),
        *(routes_page.router, routes_files.router),
    ):
        app.include_router(router)
    # the last one added is the first that a call meets
    app.add_middleware(BodyLimits, most=settings.max_body, most_of_item=settings.max_item_body)
    app.add_middleware(Access, key=settings.key)
    app.add_middleware(CallLog, metrics=metrics)
    return app
