"""Who may call: holders of the key, or on the loopback address without one, programs of this machine.

A browser asks its user for the key as a password, for reading only: what it sends by itself to a page of ours, it sends
as well when a foreign page makes it call, so it never allows a change.

A browser on this machine visits pages of anybody. Without a key, a call must name this machine as its host and come
from no other origin, so that no foreign page can call through the browser.
"""

import base64
import binascii
import hashlib
import hmac
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from mmsrarec.serve.app.problems import problem
from mmsrarec.serve.settings import LOOPBACK

OPEN_PATHS = ("/health/live", "/health/ready")
"""What needs no key: whoever restarts a server has none."""
MISSING = "the key is missing or wrong: Authorization: Bearer KEY"
UNAUTHORISED = problem(401, MISSING, {"WWW-Authenticate": "Bearer"})
ASK_FOR_PASSWORD = problem(401, MISSING, {"WWW-Authenticate": 'Basic realm="the key as the password"'})
FOREIGN = problem(403, "this server answers its own machine only: set a key to let others in")


class Access:
    """Checks every call.

    Attributes:
        app: What is called.
        key: What callers must send; None: nothing.
    """

    def __init__(self, app: ASGIApp, key: str | None) -> None:
        self.app, self.key = app, key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a call."""
        if scope["type"] == "http":
            headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
            if self.key is None and not _is_own(headers):
                await FOREIGN(scope, receive, send)
                return
            if self.key is not None and scope["path"] not in OPEN_PATHS and not self._has_key(scope["method"], headers):
                refusal = ASK_FOR_PASSWORD if "text/html" in headers.get(b"accept", "") else UNAUTHORISED
                await refusal(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _has_key(self, method: str, headers: dict[bytes, str]) -> bool:
        """Whether the key was sent; the time that this takes tells nothing of it, nor of its length."""
        assert self.key is not None
        scheme, _, token = headers.get(b"authorization", "").partition(" ")
        given = token.strip() if scheme.lower() == "bearer" else headers.get(b"x-api-key", "")
        if scheme.lower() == "basic" and method in ("GET", "HEAD"):
            given = _password(token)
        digests = [hashlib.sha256(text.encode("utf-8", "replace")).digest() for text in (given, self.key)]
        return hmac.compare_digest(*digests)


def _is_own(headers: dict[bytes, str]) -> bool:
    """Whether a call names this machine, and comes from no page of another."""
    host, origin = headers.get(b"host", ""), headers.get(b"origin")
    return _name(f"//{host}") in LOOPBACK and (origin is None or _name(origin) in LOOPBACK)


def _password(token: str) -> str:
    """The password of a browser's credentials; nothing where they are damaged."""
    try:
        return base64.b64decode(token.strip(), validate=True).decode("utf-8", "replace").partition(":")[2]
    except (binascii.Error, ValueError):
        return ""


def _name(address: str) -> str | None:
    """The name of the machine in an address."""
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None
