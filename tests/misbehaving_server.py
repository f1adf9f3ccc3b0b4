"""A real HTTP server on this machine that misbehaves in every way that a picture's address may meet."""

import asyncio
import gzip
import io
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import cache

from PIL import Image

Handler = Callable[["Server", str, asyncio.StreamWriter], Awaitable[None]]


@cache
def picture(number: int, kind: str = "JPEG", size: tuple[int, int] = (24, 16)) -> bytes:
    """A small picture, another for each number."""
    buffer = io.BytesIO()
    Image.new("RGB", size, (number % 256, number // 256 % 256, 77)).save(buffer, kind)
    return buffer.getvalue()


def answer(body: bytes, kind: str = "image/jpeg", status: str = "200 OK", length: int | None = None, more: str = ""):
    """An answer as it goes over the wire."""
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\n{more}\r\n".encode() + body


def redirect(place: str) -> bytes:
    """An answer that sends the client elsewhere."""
    return answer(b"", status="302 Found", more=f"Location: {place}\r\n")


class Server:
    """Serves while its block runs; the first part of a path says how.

    Attributes:
        port: Where it listens, on 127.0.0.1.
        requests: Path -> how often it was asked for.
        answered: Path -> how often a whole picture was sent.
        most_at_once: The highest number of requests at the same time.
        delay: Seconds before each picture of /picture.
    """

    def __init__(self, delay: float = 0.0):
        self.requests: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.now = self.most_at_once = self.port = 0
        self.delay = delay
        self.loop = asyncio.new_event_loop()

    def __enter__(self) -> "Server":
        ready = threading.Event()
        self.thread = threading.Thread(target=self._serve, args=(ready,), daemon=True)
        self.thread.start()
        assert ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)

    def address(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}/{path}"

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def _serve(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self.loop)
        server = self.loop.run_until_complete(asyncio.start_server(self._connected, "127.0.0.1", 0, backlog=512))
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        self.loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self.loop.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                while (await reader.readline()).strip():
                    pass
                path = line.split()[1].decode()[1:]
                self.requests[path] += 1
                self.now += 1
                self.most_at_once = max(self.most_at_once, self.now)
                try:
                    await self._answer(path, writer)
                finally:
                    self.now -= 1
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _answer(self, path: str, writer: asyncio.StreamWriter) -> None:
        kind = path.partition("/")[0]
        if kind == "picture":
            await asyncio.sleep(self.delay)
            writer.write(answer(picture(int(path.partition("/")[2]))))
            await writer.drain()
            self.answered[path] += 1
        elif kind in FIXED:
            writer.write(FIXED[kind])
        else:
            await MOVING[kind](self, path, writer)
        await writer.drain()


FIXED = {
    "missing": answer(b"no", "text/html", "404 Not Found"),
    "gone": answer(b"", status="410 Gone"),
    "forbidden": answer(b"no", "text/html", "403 Forbidden"),
    "nothing": b"HTTP/1.1 204 No Content\r\n\r\n",
    "empty": answer(b""),
    "html": answer(b"<html>please log in</html>", "text/html; charset=utf-8"),
    "svg": answer(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
    "liar": answer(b"<html>not a picture</html>", "image/jpeg"),
    "untyped": answer(picture(7), "application/octet-stream"),
    "packed": answer(gzip.compress(picture(8)), more="Content-Encoding: gzip\r\n"),
    "large": answer(b"x", length=10**12),
    "damaged": answer(picture(9)[:-200]),
    "always-busy": answer(b"", status="503 Service Unavailable"),
    "pause-of-a-day": answer(b"", status="429 Too Many Requests", more="Retry-After: 86400\r\n"),
    "loop": redirect("/loop/1"),
    "to-nowhere": redirect("http://["),
    "to-a-file": redirect("file:///etc/passwd"),
    "to-another-host": redirect("http://elsewhere.example/1.jpg"),
    "to-a-picture": redirect("/picture/11"),
    "no-place": answer(b"", status="302 Found"),
    "no-http": b"SSH-2.0-OpenSSH_9.6\r\n",
    "webp": answer(picture(12, "WEBP"), "image/webp"),
    "avif": answer(picture(13, "AVIF"), "image/avif"),
    "gif": answer(picture(14, "GIF"), "image/gif"),
}
"""Answers that are always the same, by the first part of the path."""


async def cut(server: Server, path: str, writer: asyncio.StreamWriter) -> None:
    """Promises more than it sends."""
    writer.write(answer(picture(1)[:50], length=5000))
    await writer.drain()
    writer.close()


async def hangs_up(server: Server, path: str, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def silent(server: Server, path: str, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


async def drip(server: Server, path: str, writer: asyncio.StreamWriter) -> None:
    """Sends a byte now and then, so that no single wait is long."""
    writer.write(answer(b"", length=5000))
    for _ in range(5000):
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.05)


async def endless(server: Server, path: str, writer: asyncio.StreamWriter) -> None:
    """Never says how long it is, and never ends."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        await writer.drain()


async def busy_twice(server: Server, path: str, writer: asyncio.StreamWriter) -> None:
    calm = server.requests[path] > 2
    writer.write(answer(picture(15)) if calm else answer(b"", status="500 Internal Server Error"))


async def slow_down_once(server: Server, path: str, writer: asyncio.StreamWriter) -> None:
    wait = answer(b"", status="429 Too Many Requests", more="Retry-After: 1\r\n")
    writer.write(answer(picture(16)) if server.requests[path] > 1 else wait)


async def cut_once(server: Server, path: str, writer: asyncio.StreamWriter) -> None:
    if server.requests[path] == 1:
        await cut(server, path, writer)
    else:
        writer.write(answer(picture(17)))


async def redirect_there(server: Server, path: str, writer: asyncio.StreamWriter) -> None:
    """To the address that the path names after its first part."""
    writer.write(redirect(path.partition("/")[2]))


MOVING: dict[str, Handler] = {
    "cut": cut,
    "hangs-up": hangs_up,
    "silent": silent,
    "drip": drip,
    "endless": endless,
    "busy-twice": busy_twice,
    "slow-down-once": slow_down_once,
    "cut-once": cut_once,
    "redirect": redirect_there,
}
"""Answers that take time or change, by the first part of the path."""
