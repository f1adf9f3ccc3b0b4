"""Sends calls, sends them again where that helps, and turns failures into errors."""

import base64
import random
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Self, cast
from urllib.parse import quote

import httpx2

from mmsrarec_client.call_errors import KINDS, CallError, NoAnswerError, ServerError

NOT_TAKEN = (429, 503)
"""Statuses of calls that the server did nothing with."""
FIRST_WAIT, MAX_WAIT = 0.2, 30.0
"""Seconds before a second try where the server names none, doubled from try to try; and at most."""


class Calls:
    """What every client has: one server, its key, and how often a call is tried.

    Attributes:
        retries: How often a call is sent again.
    """

    def __init__(self, url: str, key: str | None = None, timeout: float = 60.0, retries: int = 3) -> None:
        """Connect to nothing yet.

        Args:
            url: The address of the server, such as http://127.0.0.1:8000.
            key: The server's key, where it has one.
            timeout: Seconds that a server may be silent.
            retries: How often a call is sent again.
        """
        headers = {"Authorization": f"Bearer {key}"} if key is not None else {}
        self.retries = retries
        self._http = httpx2.Client(base_url=url, headers=headers, timeout=timeout)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _call(
        self,
        method: str,
        path: str,
        *,
        repeatable: bool,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Any:
        """Send a call; None in a query or a body means that it is not given.

        Args:
            method: The HTTP method.
            path: The path, its ids escaped.
            repeatable: Whether sending it twice does no harm.
            query: Parameters of the address.
            body: Fields of the body.

        Raises:
            CallError: It failed, at every try.
        """
        given = _without_none(query or {})
        content = None if body is None else _without_none(body)
        for tries in range(self.retries + 1):
            try:
                response = self._http.request(method, path, params=given, json=content)
            except httpx2.TransportError as error:
                failure, wait = NoAnswerError(f"no answer from {self._http.base_url}: {error}"), _growing(tries)
                if not repeatable and not isinstance(error, httpx2.ConnectError):
                    raise failure from error
            else:
                if response.is_success:
                    return _answer(response)
                failure, wait = _failure(response), _named_wait(response, tries)
                if response.status_code not in NOT_TAKEN:
                    raise failure
            if tries == self.retries:
                raise failure
            time.sleep(wait)
        raise AssertionError("the last try returns or raises")


def in_path(name: str) -> str:
    """An id as a part of a path."""
    return quote(name, safe="").replace(".", "%2E")


def with_keys(events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The events, each with a key: sent again, it counts once."""
    return [{"key": uuid.uuid4().hex, **_without_none(event)} for event in events]


def _without_none(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What is given of some fields; bytes as base64."""
    return {
        name: base64.b64encode(value).decode() if isinstance(value, bytes) else value
        for name, value in fields.items()
        if value is not None
    }


def _answer(response: httpx2.Response) -> Any:
    """The JSON of an answer, or its text where it is no JSON."""
    if not response.content:
        return None
    if not response.headers.get("content-type", "").startswith("application/json"):
        return response.text
    try:
        return response.json()
    except ValueError:
        raise NoAnswerError("the answer is damaged", response.status_code) from None


def _failure(response: httpx2.Response) -> CallError:
    """The error of an answer; something between here and the server may have written it."""
    try:
        fields = response.json()
    except ValueError:
        fields = None
    known = cast(dict[str, Any], fields) if isinstance(fields, dict) else {}
    detail = str(known.get("detail") or f"HTTP status {response.status_code}")
    kind = KINDS.get(response.status_code, ServerError)
    return kind(detail, response.status_code, response.headers.get("x-request-id", ""), known.get("problems"))


def _named_wait(response: httpx2.Response, tries: int) -> float:
    """Seconds until the next try, as the server says."""
    named = response.headers.get("retry-after", "")
    return min(float(named), MAX_WAIT) if named.isdigit() else _growing(tries)


def _growing(tries: int) -> float:
    """Seconds until the next try, by chance a little apart from those of others."""
    return min(FIRST_WAIT * 2**tries, MAX_WAIT) * random.uniform(0.5, 1.0)
