"""How pages are sent: headers that let a browser fetch nothing from elsewhere and run no script of anybody else.

What cannot be answered is a page as well, which says what to do.
"""

from collections.abc import Callable, Coroutine, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import Response

from mmsrarec.errors import MmsrarecError
from mmsrarec.serve.app.responses import database_error, library_error
from mmsrarec.serve.page.page_templates import render
from mmsrarec.serve.page.visit import Visit
from mmsrarec.serve.service import NotReadyError

POLICY = "; ".join(
    (
        "default-src 'none'",
        *(f"{kind}-src 'self'" for kind in ("img", "style", "script", "font", "connect")),
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
NEVER_KEPT = "no-store"
"""Pages name users, who may be erased."""


def page(
    template: str, data: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A page."""
    all_headers = HEADERS | {"Cache-Control": NEVER_KEPT} | dict(headers or {})
    body = render(template, data).encode("utf-8", "replace")  # a text may hold half of a character
    return Response(body, status, all_headers, "text/html; charset=utf-8")


def file(body: bytes, media_type: str, cache: str, headers: Mapping[str, str] | None = None) -> Response:
    """A picture or a static file."""
    return Response(body, 200, HEADERS | {"Cache-Control": cache} | dict(headers or {}), media_type)


class PageRoute(APIRoute):
    """A route whose failures are pages; they have the status that the API gives them."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with what may fail."""
        handle = super().get_route_handler()

        async def with_pages(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                fault = error.errors()[0]
                return _problem(422, f"{fault['loc'][-1]}: {fault['msg']}"[:300])
            except SQLAlchemyError as error:
                answer = await database_error(request, error)
                return _problem(answer.status_code, "The state cannot be read now.", answer.headers)
            except MmsrarecError as error:
                answer = await library_error(request, error)
                return _problem(answer.status_code, str(error), answer.headers, isinstance(error, NotReadyError))

        return with_pages


def _problem(status: int, detail: str, headers: Mapping[str, str] | None = None, waits: bool = False) -> Response:
    """A page that says what is wrong. It comes again by itself where waiting helps."""
    retry = (headers or {}).get("Retry-After", "")
    data = {"visit": Visit(), "place": "", "title": HTTPStatus(status).phrase, "detail": detail, "retry": retry}
    more = {"Retry-After": retry} if retry else {}
    return page("problem.html", data | {"waits": waits}, status, more)
