"""The address of a server, and the key that it asks for. The key comes from the environment and is never shown."""

import os
from ipaddress import ip_address
from urllib.parse import urlsplit, urlunsplit

from mmsrarec.core.terminal import one_line
from mmsrarec.errors import RecipeError

KEY_VARIABLE = "MMSRAREC_ENGINE_KEY"
"""The environment variable that holds the key."""
HINT = "--set runtime.engine_url=http://localhost:8000/v1"
_MAX_SHOWN = 200


def check_address(address: str | None) -> str:
    """The address of a server's API, without an ending slash; "/v1" is added to a bare host.

    Raises:
        RecipeError: It is no address of a server, or holds what belongs into the environment.
    """
    if not address:
        raise RecipeError(f"runtime.engine_url is not set: say where the engine's server is, such as {HINT}")
    try:
        parts = urlsplit(address.strip())
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host:
        raise RecipeError(f"runtime.engine_url is no address of a server by http or https: give one such as {HINT}")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise RecipeError(
            f"runtime.engine_url may hold no name, password or parameters, because a recipe is kept: put the key into "
            f"the environment variable {KEY_VARIABLE}"
        )
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/") or "/v1", "", ""))


def engine_key() -> str | None:
    """The key, from the environment; None without one.

    Raises:
        RecipeError: It cannot be sent.
    """
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if key and not (key.isascii() and key.isprintable()):
        raise RecipeError(f"{KEY_VARIABLE} holds characters that no key has: set it again")
    return key or None


def is_loopback(address: str) -> bool:
    """Whether a server is on this machine."""
    host = urlsplit(address).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def safe_line(text: object, key: str | None) -> str:
    """What a server said, short, on one line, and without the key."""
    line = one_line(text)
    return (line.replace(key, "***") if key else line)[:_MAX_SHOWN]
