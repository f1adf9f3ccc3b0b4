"""The pages: home, an item, shoppers, a comparison, the run. All are asked for by GET, and change nothing."""

import asyncio
from functools import reduce
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from mmsrarec.serve.app.routes_answers import ServiceOf
from mmsrarec.serve.page.page_responses import PageRoute, page
from mmsrarec.serve.page.views.compare_view import comparison
from mmsrarec.serve.page.views.home_view import home
from mmsrarec.serve.page.views.item_view import item_page
from mmsrarec.serve.page.views.run_view import run_page
from mmsrarec.serve.page.views.shoppers import shoppers
from mmsrarec.serve.page.visit import Act, Typed, Visit
from mmsrarec.serve.schema.limits import NO_NUL, Id

SHOPPERS = 24
"""On a page."""
MAX_ACTS = 100
"""Steps in one request."""

router = APIRouter(include_in_schema=False, route_class=PageRoute)


class Step(Visit):
    """A visit, and the steps that are taken on a page.

    Attributes:
        act: What is done, one step after another: see `visit.Act`. A quick hand does several before it sees a page.
        word: A typed keyword, for an act that names none.
        q: What is searched for.
        id: Of the item of a page.
        by: The ranker to compare with.
        offset: Of a list.
        audience: Whether to find out who is shown an item.
    """

    act: Annotated[list[Act], Field(max_length=MAX_ACTS)] = Field(default_factory=list[str])
    word: Typed | None = None
    q: Annotated[str, Query(max_length=200, pattern=NO_NUL)] = ""
    id: Id | None = None
    by: Annotated[str, Query(max_length=100)] = ""
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0
    audience: bool = False

    @property
    def before(self) -> Visit:
        """The visit before the steps."""
        return Visit.model_validate(self.model_dump(include=set(Visit.model_fields)))

    @property
    def now(self) -> Visit:
        """The visit after the steps."""
        return reduce(lambda visit, act: visit.after(act, self.word or ""), self.act, self.before)


StepOf = Annotated[Step, Query()]


def answered(template: str, place: str, visit: Visit, run: str, fields: dict[str, str], **data: Any) -> Response:
    """A page about a visit.

    Args:
        template: Its file.
        place: The path of the page, which its buttons come back to.
        visit: Who looks.
        run: The name of the run.
        fields: Parameters of the page beside the visit.
        **data: What the template writes beside that.
    """
    all_data = {"visit": visit, "place": place, "run": run, "fields": {k: v for k, v in fields.items() if v}} | data
    return page(template, all_data)


@router.get("/")
async def home_page(step: StepOf, service: ServiceOf) -> Response:
    """Who looks, what they like, and what is recommended to them."""
    words = " ".join(step.q.split())
    contents = await home(service, step.before, step.now, words)
    return answered("home.html", "./", contents.visit, service.run().name, {"q": words}, contents=contents)


@router.get("/item")
async def one_item(step: StepOf, service: ServiceOf) -> Response:
    """An item."""
    visit, item_id = step.now, step.id or ""
    contents = await item_page(service, visit, item_id, step.audience)
    return answered("item.html", "item", visit, service.run().name, {"id": item_id}, contents=contents)


@router.get("/shoppers")
async def shoppers_page(step: StepOf, service: ServiceOf) -> Response:
    """Whom to look as."""
    contents = shoppers(service.catalogue(), step.q, step.offset, SHOPPERS)
    places = {"offset": step.offset, "before": max(0, step.offset - SHOPPERS), "after": step.offset + SHOPPERS}
    run = service.run().name
    return answered("shoppers.html", "shoppers", step.now, run, {"q": step.q}, contents=contents, places=places)


@router.get("/compare")
async def compare(step: StepOf, service: ServiceOf) -> Response:
    """Another ranker beside the run's answer."""
    contents = await comparison(service, step.now, step.by)
    return answered("compare.html", "compare", step.now, service.run().name, {"by": contents.name}, contents=contents)


@router.get("/run")
async def the_run(step: StepOf, service: ServiceOf) -> Response:
    """The run: what was measured, and what it cost."""
    contents = await asyncio.to_thread(run_page, service.run())
    return answered("run.html", "run", step.now, contents.name, {}, contents=contents)
