"""What pages are made of beside their text: pictures of items, the style, the script, the letters."""

import asyncio
import hashlib
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mmsrarec.serve.app.routes_answers import ServiceOf
from mmsrarec.serve.page.page_responses import HEADERS, file
from mmsrarec.serve.page.page_templates import TYPES, static_files
from mmsrarec.serve.page.thumbnails import Size, Thumbnails
from mmsrarec.serve.schema.limits import Id

FOR_EVER = "public, max-age=31536000, immutable"
FOR_A_WHILE = "private, max-age=300"

router = APIRouter(include_in_schema=False)


@router.get("/picture")
async def picture(request: Request, service: ServiceOf, id: Annotated[Id, Query()], size: Size = "small") -> Response:
    """The picture of an item, or a drawn tile where it has none."""
    thumbnails: Thumbnails = request.app.state.thumbnails
    code = service.catalogue().code(id)
    sent = await asyncio.to_thread(thumbnails.get, service.run(), code, size)
    tag = f'"{hashlib.sha256(sent.body).hexdigest()[:24]}"'
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=HEADERS | {"ETag": tag, "Cache-Control": FOR_A_WHILE})
    return file(sent.body, sent.media_type, FOR_A_WHILE, {"ETag": tag})


@router.get("/static/{name}")
async def static(name: str) -> Response:
    """A file that never changes under its address."""
    body = static_files().get(name)
    if body is None:
        raise HTTPException(404, "there is no such file")
    return file(body, f"{TYPES[name.rpartition('.')[2]]}; charset=utf-8", FOR_EVER)
