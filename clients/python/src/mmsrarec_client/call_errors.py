"""What a call may end with, other than an answer."""

from typing import Any


class CallError(Exception):
    """A call that failed. Its text is the server's line.

    Attributes:
        detail: What the server says, in one line.
        status: The HTTP status; 0 where no answer came.
        request_id: Under which the server's log has the call; empty where no answer came.
        problems: Of a body that is not as the schema says: each field, and what is wrong with it.
    """

    def __init__(
        self, detail: str, status: int = 0, request_id: str = "", problems: list[dict[str, Any]] | None = None
    ) -> None:
        super().__init__(detail)
        self.detail, self.status, self.request_id, self.problems = detail, status, request_id, problems or []


class NoAnswerError(CallError):
    """The server cannot be reached, or its answer did not come in time or is none of its own."""


class InvalidError(CallError):
    """A field is missing, unknown or beyond its limits, or what is asked for cannot be done (400, 415, 422)."""


class UnauthorisedError(CallError):
    """The key is missing or wrong (401)."""


class ForbiddenError(CallError):
    """The server answers its own machine only (403)."""


class NotFoundError(CallError):
    """There is no such user, item or run (404)."""


class TooLargeError(CallError):
    """The body is too large (413)."""


class BusyError(CallError):
    """Too many questions wait, and did so at every try (429)."""


class UnavailableError(CallError):
    """No run is loaded, or the server is stopping, and it was so at every try (503)."""


class ServerError(CallError):
    """Something failed in the server; its log has the request id (500 and others)."""


KINDS: dict[int, type[CallError]] = {
    400: InvalidError,
    401: UnauthorisedError,
    403: ForbiddenError,
    404: NotFoundError,
    413: TooLargeError,
    415: InvalidError,
    422: InvalidError,
    429: BusyError,
    503: UnavailableError,
}
"""Status -> error; any other status is a ServerError."""
