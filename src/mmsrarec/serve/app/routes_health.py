"""Routes for whoever watches the server: alive, ready, metrics."""

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from mmsrarec.serve.app.problems import not_ready
from mmsrarec.serve.app.routes_answers import MetricsOf, ServiceOf

router = APIRouter(tags=["health"])


@router.get("/health/live")
async def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "alive"}


@router.get("/health/ready", responses={503: {"description": "Not ready."}})
async def ready(service: ServiceOf) -> Response:
    """Whether questions are answered: a run is loaded, its workers live, and the server is not being stopped.

    `language_model` is "loaded"; "loading" where the run ranks without it, so that some reasons wait; or
    "none" where the run has none.
    """
    if (reason := service.why_not_ready()) is not None:
        return not_ready(reason)
    return JSONResponse({"status": "ready", "run": service.run().name, "language_model": service.language_model})


@router.get("/metrics")
async def metrics(metrics: MetricsOf) -> Response:
    """Figures for Prometheus."""
    return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
