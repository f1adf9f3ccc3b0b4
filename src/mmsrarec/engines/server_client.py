"""Speaks with a server: one request, tried again where that may help, within limits of time and size."""

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from mmsrarec.engines.chat_completions import Blame, UnreadableAnswer, error_message, read_blame
from mmsrarec.engines.pacing import Pacing, asked_pause
from mmsrarec.engines.server_address import KEY_VARIABLE, is_loopback, safe_line
from mmsrarec.errors import EngineError, MissingDependencyError

if TYPE_CHECKING:
    import httpx2

BUSY_STATUSES = (408, 409, 425, 429, 500, 502, 503, 504, 529)
"""Answers after which another attempt may help."""
LARGEST_ANSWER = 8 * 2**20
"""Bytes of an answer that are read."""
CONNECT_SECONDS = 10.0
"""Until a server takes a connection, at most; no more than half the time of an attempt, so that it is told from one
that is slow to answer."""
T = TypeVar("T")
_loops: dict[int, asyncio.AbstractEventLoop] = {}
_loops_lock = threading.Lock()


class Refused(Exception):
    """A request that the server will never answer; the message is its own.

    Attributes:
        status: The status of its answer.
        blame: Which parameters of the request it may be about.
    """

    def __init__(self, status: int, message: str, blame: Blame):
        super().__init__(message)
        self.status, self.blame = status, blame


class Unanswered(Exception):
    """An attempt that failed, and that may be repeated; the message is the reason.

    Attributes:
        absent: Whether there was no connection at all.
        status: The status of the answer; None where none came.
    """

    def __init__(self, reason: str, absent: bool = False, status: int | None = None):
        super().__init__(reason)
        self.absent, self.status = absent, status


@dataclass(frozen=True)
class Reply:
    """An answer of status 200.

    Attributes:
        body: Its bytes.
        attempts: How often the request was sent.
    """

    body: bytes
    attempts: int


class ServerClient:
    """Sends requests to one server; it may be used from several threads.

    Attributes:
        address: The address of the server's API.
        pacing: When the next request may start.
    """

    def __init__(
        self, address: str, key: str | None, pacing: Pacing, seconds: float, attempts: int, connections: int = 8
    ):
        """Prepare to speak with a server; nothing is sent yet.

        Args:
            address: The address of its API, as `check_address` returns it.
            key: What it knows this user by; None without one.
            pacing: When the next request may start.
            seconds: Of one attempt, from its start to the last byte of the answer, at most.
            attempts: At a request, at most.
            connections: Open at once, at most.

        Raises:
            MissingDependencyError: The package that speaks HTTP is not installed.
        """
        try:
            import httpx2
        except ImportError:
            raise MissingDependencyError(
                "the engine \"openai\" needs the package httpx2: pip install 'mmsrarec[engines]'"
            ) from None
        self.address, self.pacing = address, pacing
        self._key, self._seconds, self._attempts = key, seconds, attempts
        # a connection serves one request: where a server sends an answer twice, the second one would be read as the
        # answer to the next request
        headers = {"Accept-Encoding": "identity", "User-Agent": "mmsrarec", "Connection": "close"}
        self._client = httpx2.AsyncClient(
            headers=headers | ({"Authorization": f"Bearer {key}"} if key else {}),
            follow_redirects=False,  # a key goes to the server that was named, and to no other
            timeout=httpx2.Timeout(seconds, connect=min(CONNECT_SECONDS, seconds / 2)),
            limits=httpx2.Limits(max_connections=connections, max_keepalive_connections=0),
            trust_env=not is_loopback(address),  # proxies of the environment
        )

    def close(self) -> None:
        """Close all connections."""
        _run(self._client.aclose())

    def get(self, path: str) -> Reply:
        """Get what lies at a path, in one attempt.

        Raises:
            EngineError: There is no server, or it does not know the key.
            Refused: The server answers, and has nothing there.
            Unanswered: The attempt failed.
        """
        return Reply(self._attempt("GET", path, None), 1)

    def post(self, path: str, body: dict[str, Any]) -> Reply:
        """Send a request, and again after pauses where that may help.

        Args:
            path: Below the address, such as "chat/completions"; with a slash in front, below the server.
            body: JSON values.

        Raises:
            EngineError: The server does not know the key, or asks for too long a pause.
            Refused: The server will never answer this request.
            Unanswered: All attempts failed.
        """
        for attempt in range(1, self._attempts + 1):
            self.pacing.wait_for_turn()
            try:
                return Reply(self._attempt("POST", path, body), attempt)
            except Unanswered:
                if attempt == self._attempts:
                    raise
            self.pacing.pause(attempt)
        raise AssertionError("unreachable")

    def ask(self, path: str, body: dict[str, Any], read: Callable[[bytes], T]) -> tuple[T, int]:
        """Send a request as `post` does, and read the answer; one in another form is asked for anew, once.

        Args:
            path: As in `post`.
            body: JSON values.
            read: Reads an answer, and raises UnreadableAnswer where it is of another form.

        Returns:
            What was read, and how often the request was sent.

        Raises:
            EngineError: As in `post`.
            Refused: As in `post`.
            Unanswered: All attempts failed, or both answers are of another form.
        """
        attempts = 0
        for last in (False, True):
            reply = self.post(path, body)
            attempts += reply.attempts
            try:
                return read(reply.body), attempts
            except UnreadableAnswer as error:
                if last:
                    raise Unanswered(safe_line(error, self._key)) from None
            self.pacing.pause(1)
        raise AssertionError("unreachable")

    def url_of(self, path: str) -> str:
        """The address of a path."""
        if not path.startswith("/"):
            return f"{self.address}/{path}"
        scheme, _, rest = self.address.partition("://")
        return f"{scheme}://{rest.partition('/')[0]}{path}"

    def _attempt(self, method: str, path: str, body: dict[str, Any] | None) -> bytes:
        """Send a request once."""
        import httpx2

        try:
            status, headers, content = _run(self._exchange(method, self.url_of(path), body))
        except (TimeoutError, httpx2.TimeoutException) as error:
            absent = isinstance(error, httpx2.ConnectTimeout)
            raise Unanswered(f"no answer within {self._seconds:g} s", absent) from None
        except httpx2.ConnectError as error:
            raise Unanswered(f"no connection ({safe_line(error, self._key) or 'refused'})", absent=True) from None
        except (httpx2.TransportError, httpx2.DecodingError) as error:
            raise Unanswered(f"the connection broke off ({type(error).__name__})") from None
        if status == 200:
            return content
        self._fail(status, headers, content)
        raise AssertionError("unreachable")

    async def _exchange(self, method: str, url: str, body: dict[str, Any] | None) -> tuple[int, Any, bytes]:
        """The status, the headers and the body of an answer.

        One deadline holds for all of it: the limits of the HTTP client begin anew at each byte.
        """
        async with asyncio.timeout(self._seconds), self._client.stream(method, url, json=body) as response:
            return response.status_code, response.headers, await self._content(response)

    async def _content(self, response: "httpx2.Response") -> bytes:
        """The body of an answer, as long as it is not too large."""
        content = bytearray()
        if response.headers.get("content-encoding", "identity").lower() not in ("identity", ""):
            raise Unanswered("the engine sent its answer packed, which was not asked for")
        async for part in response.aiter_raw():
            content += part
            if len(content) > LARGEST_ANSWER:
                raise Unanswered(f"the engine sent more than {LARGEST_ANSWER // 2**20} MiB")
        return bytes(content)

    def _fail(self, status: int, headers: Any, content: bytes) -> None:
        """Raise what an answer of another status than 200 means."""
        message = safe_line(error_message(content), self._key)
        if status in (401, 403):
            how = "refuses the key in" if self._key else "wants a key: set"
            raise EngineError(f"the engine at {self.address} {how} {KEY_VARIABLE} (HTTP {status}: {message})")
        if status == 402:
            hint = "what it answered is kept, so start again when the account has credit"
            raise EngineError(f"the engine at {self.address} wants to be paid (HTTP 402: {message}): {hint}")
        if status in BUSY_STATUSES:
            self.pacing.leave_alone(asked_pause(headers))
            raise Unanswered(f"HTTP {status}: {message}", status=status)
        if 300 <= status < 400:
            message = "the address leads elsewhere, which is not followed"
        raise Refused(status, f"HTTP {status}: {message}", read_blame(content))


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in the thread that all clients of this process share, and wait for it.

    Only from outside can an attempt be ended whatever it waits for. A caller may have an event loop of its own, as in
    a notebook, so the loop has its own thread.
    """
    with _loops_lock:
        loop = _loops.get(os.getpid())  # a forked process has its parent's loop, and not its thread
        if loop is None:
            loop = _loops[os.getpid()] = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="mmsrarec-engine-client", daemon=True).start()
    future = asyncio.run_coroutine_threadsafe(work, loop)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise
