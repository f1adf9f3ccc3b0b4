"""Connects to numeric addresses that were checked, so that no answer of DNS can lead elsewhere afterwards.

The name is resolved here, its addresses are checked, and the connection goes to one of the checked numbers. A name that
resolves otherwise a moment later (DNS rebinding) changes nothing. Proxies of the environment are not used, for they
would resolve the name themselves.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable
from typing import Any, cast

import httpcore2
import httpx2

from mmsrarec.data.image_fetching.host_rules import HostRules


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Opens connections only to addresses that the rules allow."""

    def __init__(self, rules: HostRules):
        self._rules = rules
        self._inner = cast(httpcore2.AsyncNetworkBackend, httpcore2.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Resolve a host, check every address, and connect to one that may be used.

        Raises:
            Refused: None of its addresses may be used.
            httpcore2.ConnectError: It has no address, or none answers.
            httpcore2.ConnectTimeout: It does not answer in time.
        """
        try:
            async with asyncio.timeout(timeout):
                numbers = await self.resolve(host, port)
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout("the name was not resolved in time") from error
        except (OSError, UnicodeError) as error:  # a part of the name may be too long for DNS
            raise httpcore2.ConnectError("no address is known for this name") from error
        failure: Exception = httpcore2.ConnectError("no address is known for this name")
        for number in self._rules.usable(numbers):
            try:
                return await self._inner.connect_tcp(number, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure

    async def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore2.AsyncNetworkStream:
        """Refuse: pictures do not come from sockets of this machine."""
        raise httpcore2.ConnectError("sockets of this machine are not used")

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    async def resolve(self, host: str, port: int) -> list[str]:
        """The numeric addresses of a host. Raises OSError."""
        answers = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Speaks HTTP/1.1 over connections of a `GuardedBackend`."""

    def __init__(self, backend: GuardedBackend, concurrency: int):
        """A pool of connections.

        Args:
            backend: Opens them.
            concurrency: How many there may be.
        """
        self._pool = httpcore2.AsyncConnectionPool(
            httpx2.create_ssl_context(), max_connections=concurrency, keepalive_expiry=5.0, network_backend=backend
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request. Raises Refused, and the errors of httpcore2."""
        url = request.url
        target = httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        response = await self._pool.handle_async_request(
            httpcore2.Request(request.method, target, headers=request.headers.raw, extensions=request.extensions)
        )
        extensions: dict[str, Any] = cast(Any, response).extensions
        stream = _Stream(response)
        return httpx2.Response(response.status, headers=response.headers, stream=stream, extensions=extensions)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._pool.aclose()


class _Stream(httpx2.AsyncByteStream):
    """The body of a response of httpcore2, as httpx2 reads it."""

    def __init__(self, response: httpcore2.Response):
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._response.aiter_stream():
            yield part

    async def aclose(self) -> None:
        await self._response.aclose()
