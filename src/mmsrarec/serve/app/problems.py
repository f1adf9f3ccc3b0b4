"""How a call is told that it failed: one JSON object with one sentence. This imports nothing that takes long."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

RETRY_SECONDS = 2
"""After which a server that is not ready may be asked again."""


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any) -> Response:
    """An answer that says what is wrong; characters that no encoding has are escaped."""
    body = json.dumps({"detail": detail, **more}, ensure_ascii=True)
    return Response(body, status, dict(headers or {}), "application/json")


def not_ready(reason: str) -> Response:
    """The answer of a server that may be asked again soon."""
    return problem(503, reason, {"Retry-After": str(RETRY_SECONDS)})
