"""Gets one picture: follows redirects, checks what the server says, tries again where that may help."""

import asyncio
import random
import ssl
import time
from collections import Counter
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import httpcore2
import httpx2

from mmsrarec.data.image_fetching.host_rules import HostRules, Refused, host_of
from mmsrarec.data.images import MAX_BYTES
from mmsrarec.errors import MmsrarecError

REDIRECTS = (301, 302, 303, 307, 308)
BUSY_STATUSES = (408, 425, 429, 500, 502, 503, 504)
"""Answers after which another attempt may help."""
BINARY_TYPES = ("application/octet-stream", "binary/octet-stream", "application/binary", "")
"""What servers call a picture whose kind they do not know."""
HEADERS = {"Accept": "image/*", "Accept-Encoding": "identity", "User-Agent": "mmsrarec (fetches catalogue pictures)"}
TIMEOUTS = (httpcore2.TimeoutException, httpx2.TimeoutException, TimeoutError)
BROKEN = (httpcore2.NetworkError, httpcore2.ProtocolError, httpx2.TransportError, httpcore2.ConnectionNotAvailable)


@dataclass(frozen=True)
class Limits:
    """How long and how often to try.

    Attributes:
        attempts: How often an address is asked at most.
        connect_seconds: Time for one connection.
        silence_seconds: Time between two parts of an answer.
        total_seconds: Time for one attempt, redirects included.
        redirects: How many redirects are followed.
        max_bytes: The largest picture.
        first_pause_seconds: The pause before the second attempt; it doubles before each further one.
        max_pause_seconds: The longest pause. A server that asks for a longer one has failed.
        dead_host_failures: How many pictures of a host in a row may fail without an answer before the rest is left.
    """

    attempts: int = 4
    connect_seconds: float = 10.0
    silence_seconds: float = 20.0
    total_seconds: float = 60.0
    redirects: int = 5
    max_bytes: int = MAX_BYTES
    first_pause_seconds: float = 0.5
    max_pause_seconds: float = 60.0
    dead_host_failures: int = 50


class Failure(Exception):
    """The error for a picture that does not come; the message is the reason.

    Attributes:
        attempts: How often its address was asked.
        again: Whether another attempt may help.
        pause: Seconds for which the server wants to be left alone.
        silent: Whether no answer came at all.
        refused: Whether the rules of this fetch refused it; other rules may not.
    """

    def __init__(
        self, reason: str, again: bool = False, pause: float = 0.0, silent: bool = False, refused: bool = False
    ):
        super().__init__(reason)
        self.again, self.pause, self.silent, self.refused, self.attempts = again, pause, silent, refused, 0


class Downloader:
    """Gets pictures through a client, and remembers how each host behaves."""

    def __init__(self, client: httpx2.AsyncClient, rules: HostRules, limits: Limits, rng: random.Random):
        """A downloader.

        Args:
            client: Sends requests; it must not follow redirects by itself.
            rules: Which hosts may be asked.
            limits: How long and how often to try.
            rng: Scatters the pauses, so that waiting requests do not all come back at once.
        """
        self._client, self._rules, self._limits, self._rng = client, rules, limits, rng
        self._ready_at: dict[str, float] = {}
        self._silent: Counter[str] = Counter()

    async def fetch(self, address: str) -> tuple[bytes, int]:
        """Get a picture.

        Args:
            address: Where it lies.

        Returns:
            Its bytes, and the number of attempts.

        Raises:
            Failure: It does not come.
        """
        try:
            host = host_of(self._rules.check(address))
        except Refused as refusal:
            raise Failure(str(refusal), refused=True) from None
        for attempt in range(1, self._limits.attempts + 1):
            if self._silent[host] >= self._limits.dead_host_failures:
                raise Failure(f"{host} did not answer {self._silent[host]} times in a row, so it was not asked")
            await asyncio.sleep(max(0.0, self._ready_at.get(host, 0.0) - time.monotonic()))
            try:
                data = await self._attempt(address)
            except Failure as failure:
                failure.attempts = attempt
                if not failure.silent:
                    self._silent[host] = 0
                if not failure.again or attempt == self._limits.attempts:
                    self._silent[host] += failure.silent
                    raise
                await self._pause(host, attempt, failure)
            else:
                self._silent[host] = 0
                return data, attempt
        raise AssertionError("unreachable")

    async def _pause(self, host: str, attempt: int, failure: Failure) -> None:
        """Wait before another attempt. A pause that the server asks for holds for all pictures of the host."""
        if failure.pause > self._limits.max_pause_seconds:
            raise failure
        if failure.pause:
            self._ready_at[host] = max(self._ready_at.get(host, 0.0), time.monotonic() + failure.pause)
        pause = min(self._limits.first_pause_seconds * 2 ** (attempt - 1), self._limits.max_pause_seconds)
        await asyncio.sleep(pause * self._rng.uniform(0.5, 1.0))

    async def _attempt(self, address: str) -> bytes:
        """Ask once, redirects included. Raises Failure."""
        try:
            async with asyncio.timeout(self._limits.total_seconds):
                return await self._follow(address)
        except Refused as refusal:
            raise Failure(str(refusal), refused=True) from None
        except TIMEOUTS as error:
            silent = isinstance(error, httpcore2.ConnectTimeout)
            raise Failure(f"no answer in time ({_name(error)})", again=True, silent=silent) from None
        except (*BROKEN, OSError) as error:
            silent = isinstance(error, httpcore2.ConnectError)
            certificate = isinstance(error.__cause__, ssl.SSLCertVerificationError)
            raise Failure(_broken(error, silent, certificate), again=not certificate, silent=silent) from None
        except (Failure, MmsrarecError):
            raise
        except Exception as error:  # what one server sends must not end the fetch of all others
            raise Failure(f"an answer that was not foreseen ({_name(error)})") from None

    async def _follow(self, address: str) -> bytes:
        """The body at an address, redirects followed; each place is checked anew."""
        for _ in range(self._limits.redirects + 1):
            url = self._rules.check(address)
            async with self._client.stream("GET", url, headers=HEADERS) as response:
                if response.status_code not in REDIRECTS:
                    return await self._body(response)
                if not (location := response.headers.get("location", "")):
                    raise Failure("a redirect without a place")
            try:
                address = str(url.join(location))
                self._rules.check(address)
            except (httpx2.InvalidURL, ValueError):
                raise Failure("a redirect to what is no address") from None
            except Refused as refusal:
                raise Failure(f"redirected: {refusal}", refused=True) from None
        raise Failure(f"more than {self._limits.redirects} redirects")

    async def _body(self, response: httpx2.Response) -> bytes:
        """The body of an answer, if it may be a picture. Raises Failure."""
        status, headers, limit = response.status_code, response.headers, self._limits.max_bytes
        if status != 200:
            busy = status in BUSY_STATUSES
            pause = _retry_after(headers.get("retry-after", "")) if busy else 0.0
            late = f", asks for a pause of {pause:.0f} s" if pause > self._limits.max_pause_seconds else ""
            phrase = httpx2.codes.get_reason_phrase(status)
            raise Failure(f"HTTP {status} {phrase}".strip() + late, again=busy, pause=pause)
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "image/svg+xml" or not (kind.startswith("image/") or kind in BINARY_TYPES):
            raise Failure(f"the server sent {kind[:60]}, not a photograph or a bitmap")
        if (packed := headers.get("content-encoding", "identity").lower()) not in ("identity", ""):
            raise Failure(f"the server sent it packed ({packed[:20]}), which was not asked for")
        size = headers.get("content-length", "")
        if size.isdecimal() and int(size[:20]) > limit:
            raise Failure(f"more than {limit / 2**20:g} MiB")
        data = bytearray()
        async for part in response.aiter_raw():
            data += part
            if len(data) > limit:
                raise Failure(f"more than {limit / 2**20:g} MiB")
        if not data:
            raise Failure("the server sent nothing")
        return bytes(data)


def _retry_after(value: str) -> float:
    """The seconds that a Retry-After header means, in digits or as a date; 0 where it means nothing."""
    if value.strip().isdecimal():
        return float(value.strip()[:9])
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return 0.0


def _broken(error: Exception, silent: bool, certificate: bool) -> str:
    """Why a connection did not bring the picture, in few different words, so that reasons can be counted."""
    message = str(error)
    if certificate:
        return "the certificate of the server is not valid"
    if silent:
        return f"no connection: {message.removeprefix('[Errno ').partition('] ')[2] or message}"
    if "complete message body" in message:
        return "cut short: the connection ended before the picture"
    if "without sending a response" in message:
        return "the server hung up without an answer"
    return f"the connection broke off ({_name(error)})"


def _name(error: BaseException) -> str:
    """What an error of a library is called, in words."""
    names = {"ConnectTimeout": "connecting", "ReadTimeout": "silence", "TimeoutError": "too slow as a whole"}
    return names.get(type(error).__name__, type(error).__name__)
