"""Routes for whoever watches the server: alive, ready, metrics."""

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from mmsrarec.serve.app.responses import RETRY_SECONDS, problem
from mmsrarec.serve.app.routes_answers import MetricsOf, ServiceOf

router = APIRouter(tags=["health"])


@router.get("/health/live")
async def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "alive"}


@router.get("/health/ready", responses={503: {"description": "Not ready."}})
async def ready(service: ServiceOf) -> Response:
    """Whether questions are answered: a run is loaded, its workers live, and the server is not being stopped."""
    if (reason := service.why_not_ready()) is not None:
        return problem(503, reason, {"Retry-After": str(RETRY_SECONDS)})
    return JSONResponse({"status": "ready", "run": service.run().name})


@router.get("/metrics")
async def metrics(metrics: MetricsOf) -> Response:
    """Figures for Prometheus."""
    return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
