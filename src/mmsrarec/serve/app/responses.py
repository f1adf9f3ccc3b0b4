"""Answers to calls that failed: one JSON object with one sentence, and no stack of calls."""

from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mmsrarec.errors import MmsrarecError, UnknownIdError
from mmsrarec.serve.app.problems import not_ready, problem
from mmsrarec.serve.schema.body_faults import as_sent, faults
from mmsrarec.serve.service import NotReadyError
from mmsrarec.serve.worker import BusyError, ClosedError

ERROR_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"detail": {"type": "string"}, "problems": {"type": "array", "items": {"type": "object"}}},
    "required": ["detail"],
}
DESCRIPTIONS = {
    400: "The body is no JSON.",
    401: "The key is missing or wrong.",
    404: "There is no such user, item or run.",
    413: "The body is too large.",
    415: "The body is no JSON by its type: send content-type: application/json.",
    422: "A field is missing, unknown or beyond its limits.",
    429: "Too many questions wait: ask again after Retry-After seconds.",
    503: "No run is loaded yet, or the server is stopping.",
}
RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"description": text, "content": {"application/json": {"schema": ERROR_SCHEMA}}}
    for status, text in DESCRIPTIONS.items()
}
"""What every route may answer beside its own."""


async def library_error(request: Request, error: Exception) -> Response:
    """Of an error of the library: what the caller can do about it."""
    if isinstance(error, BusyError):
        return problem(429, str(error), {"Retry-After": str(error.retry_after)})
    if isinstance(error, NotReadyError | ClosedError):
        return not_ready(str(error))
    return problem(404 if isinstance(error, UnknownIdError) else 422, str(error))


async def database_error(request: Request, error: Exception) -> Response:
    """Of a database that cannot be reached: nothing was kept."""
    return not_ready("the state cannot be read or written now")


async def validation_error(request: Request, error: Exception) -> Response:
    """Of a body that is not as the schema says; what was sent is not repeated."""
    assert isinstance(error, RequestValidationError)
    if isinstance(error.body, bytes):  # it was not read, as its type is another
        return problem(415, DESCRIPTIONS[415])
    body_faults = faults(error.errors(), error.body)
    if body_faults and body_faults[0].kind == "json_invalid":
        return problem(400, f"{DESCRIPTIONS[400]} It is wrong at character {body_faults[0].place[-1]}.")
    problems = as_sent(body_faults)
    first = problems[0] if problems else {"place": "body", "message": "not as the schema says"}
    return problem(422, f"{first['place']}: {first['message']}", problems=problems)


async def http_error(request: Request, error: Exception) -> Response:
    """Of a path or a method that is not there."""
    assert isinstance(error, HTTPException)
    return problem(error.status_code, str(error.detail), error.headers)


HANDLERS = {
    MmsrarecError: library_error,
    SQLAlchemyError: database_error,
    RequestValidationError: validation_error,
    HTTPException: http_error,
}
