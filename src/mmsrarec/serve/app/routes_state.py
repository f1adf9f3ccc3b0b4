"""Routes that change or show the state: events, items, users, and the run that answers."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request

from mmsrarec.serve.app.responses import RESPONSES
from mmsrarec.serve.app.routes_answers import ServiceOf
from mmsrarec.serve.changes import Changes
from mmsrarec.serve.model.removed_markup import removed_notes
from mmsrarec.serve.schema import changing
from mmsrarec.serve.schema.limits import MAX_ID_LENGTH, NO_CONTROLS, NO_NUL

router = APIRouter(prefix="/v1", responses=RESPONSES)


async def changes_of(request: Request) -> Changes:
    """The changes of the application."""
    return request.app.state.changes


ChangesOf = Annotated[Changes, Depends(changes_of)]
ItemInPath = Annotated[
    str,
    Path(min_length=1, max_length=MAX_ID_LENGTH, pattern=NO_CONTROLS, description="the item", examples=["318"]),
]
UserInPath = Annotated[
    str,
    Path(min_length=1, max_length=MAX_ID_LENGTH, pattern=NO_CONTROLS, description="the user", examples=["42"]),
]
Words = Annotated[
    str,
    Query(
        max_length=200,
        pattern=NO_NUL,
        description="words that title, keywords or categories hold",
        examples=["red mug"],
    ),
]
Category = Annotated[
    str | None,
    Query(
        min_length=1, max_length=200, pattern=NO_NUL, description="only items of this category", examples=["Kitchen"]
    ),
]


@router.post("/events", tags=["events"])
async def events(body: changing.EventAsked | changing.EventBatch, service: ServiceOf) -> changing.EventsAnswered:
    """Keep one event or several; answered once they are on the disk. A key that was there before counts once."""
    return await service.add_events([body] if isinstance(body, changing.EventAsked) else body.events)


@router.get("/items", tags=["items"])
async def items(
    service: ServiceOf,
    q: Words = "",
    category: Category = None,
    offset: Annotated[int, Query(ge=0, le=10_000_000, description="items to leave out first")] = 0,
    limit: Annotated[int, Query(ge=1, le=100, description="how many items")] = 20,
) -> changing.ItemsAnswered:
    """A part of the catalogue, the items that are chosen most often first."""
    return await service.search(q, category, offset, limit)


@router.get("/items/{item_id:path}", tags=["items"])
async def item(item_id: ItemInPath, service: ServiceOf) -> changing.ItemAnswered:
    """One item."""
    return service.catalogue().item(item_id)


@router.put("/items/{item_id:path}", tags=["items"])
async def put_item(item_id: ItemInPath, body: changing.ItemAsked, changes: ChangesOf) -> changing.ItemAnswered:
    """Write an item: it is read and recommendable at once. A picture comes as bytes; no address is ever fetched."""
    item = await changes.put_item(item_id, body)
    return item.model_copy(update={"notes": [*item.notes, *removed_notes(body)]})


@router.patch("/items/{item_id:path}", tags=["items"])
async def patch_item(item_id: ItemInPath, body: changing.ItemPatch, changes: ChangesOf) -> changing.ItemAnswered:
    """Put an item in stock or out of it."""
    return await changes.patch_item(item_id, body)


@router.delete("/items/{item_id:path}", tags=["items"], status_code=204)
async def delete_item(item_id: ItemInPath, changes: ChangesOf) -> None:
    """Delete an item."""
    await changes.delete_item(item_id)


@router.put("/users/{user_id:path}/keywords", tags=["users"])
async def set_keywords(user_id: UserInPath, body: changing.UserKeywords, service: ServiceOf) -> changing.UserKeywords:
    """Keywords that stay with a user."""
    return await service.set_keywords(user_id, body)


@router.get("/users/{user_id:path}", tags=["users"])
async def user(user_id: UserInPath, service: ServiceOf) -> changing.UserAnswered:
    """What the server knows of a user."""
    return await service.user(user_id)


@router.delete("/users/{user_id:path}", tags=["users"])
async def erase_user(user_id: UserInPath, changes: ChangesOf) -> changing.ErasureAnswered:
    """Erase a user from the state and from the files of the run; what was trained with them stays."""
    return await changes.erase_user(user_id)


@router.get("/run", tags=["run"])
async def run(changes: ChangesOf) -> changing.RunAnswered:
    """The run that answers."""
    return changes.answered()


@router.post("/run", tags=["run"])
async def activate(body: changing.RunAsked, changes: ChangesOf) -> changing.RunAnswered:
    """Let another run take over, without a restart; 404 where no run of this name lies beside the first one."""
    return await changes.activate(body.name)


@router.post("/run/previous", tags=["run"])
async def roll_back(changes: ChangesOf) -> changing.RunAnswered:
    """Have the run of before back."""
    return await changes.roll_back()
