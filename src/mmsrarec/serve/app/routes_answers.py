"""Routes that ask: recommendations, reranking, similar items."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from mmsrarec.serve.app.responses import RESPONSES
from mmsrarec.serve.app.server_metrics import Metrics
from mmsrarec.serve.schema import recommending, reranking
from mmsrarec.serve.service import Service

router = APIRouter(prefix="/v1", tags=["answers"], responses=RESPONSES)


async def service_of(request: Request) -> Service:
    """The service of the application. A coroutine, as FastAPI would call a function in a thread."""
    return request.app.state.service


async def metrics_of(request: Request) -> Metrics:
    """The metrics of the application."""
    return request.app.state.metrics


ServiceOf = Annotated[Service, Depends(service_of)]
MetricsOf = Annotated[Metrics, Depends(metrics_of)]
NewestFirst = Annotated[
    bool, Query(description="whether the item ids of the query stand newest first, for clients that cannot turn them")
]


@router.post("/recommend")
async def recommend(
    body: recommending.RecommendAsked, service: ServiceOf, metrics: MetricsOf
) -> recommending.RecommendAnswered:
    """The best items for a user or a history. `origin` says how the answer came about."""
    answer = await service.recommend(body)
    metrics.answers.labels(answer.origin, str(answer.cached).lower()).inc()
    return answer


@router.post("/rerank")
async def rerank(
    body: reranking.RerankAsked, service: ServiceOf, newest_first: NewestFirst = False
) -> reranking.RerankAnswered:
    """Documents by relevance, in the shape of Jina and Cohere."""
    return await service.rerank(body, newest_first)


@router.post("/similar")
async def similar(body: recommending.SimilarAsked, service: ServiceOf) -> recommending.SimilarAnswered:
    """The items nearest to each of some items."""
    return await service.similar(body)
