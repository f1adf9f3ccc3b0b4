"""A stand-in for a server with the API of OpenAI, on this machine, that behaves as it is told, request by request."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Reply:
    """What goes over the wire; body: JSON values, or bytes as they are. cut: bytes of it that are sent.

    pieces: sent in place of all of it, with `drip` seconds after each.
    """

    status: int = 200
    body: Any = None
    headers: dict[str, str] | None = None
    wait: float = 0.0
    cut: int | None = None
    drip: float = 0.0
    twice: bool = False
    pieces: Iterable[bytes] | None = None


def completion(text: Any, model: str = "stand-in", **more: Any) -> dict[str, Any]:
    """A chat completion as servers write it."""
    usage = {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13}
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return {"id": "1", "object": "chat.completion", "model": model, "choices": [choice], "usage": usage} | more


def question_of(body: dict[str, Any]) -> str:
    """The words of the last message of a request."""
    content = body["messages"][-1]["content"]
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


Behaviour = Callable[[int, dict[str, Any]], Reply]
"""Is given how often this very request came before, and its body."""


class ChatServer:
    """Serves while its block runs.

    Attributes:
        requests: The bodies of all chat requests, in the order in which they came.
        times: When each of them came, in seconds.
        headers: Of the latest request.
        most_at_once: The highest number of requests at the same time.
    """

    def __init__(self, behaviour: Behaviour | None = None, models: Any = ("stand-in",), key: str | None = None):
        self.behaviour = behaviour or (lambda before, body: Reply(body=completion("mug, blue clay, kitchen")))
        self.models, self.key = models, key
        self.requests: list[dict[str, Any]] = []
        self.times: list[float] = []
        self.paths: Counter[str] = Counter()
        self.headers: dict[str, str] = {}
        self.now = self.most_at_once = 0
        self._seen: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __enter__(self) -> "ChatServer":
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                stand_in.list_models(self)

            def do_POST(self) -> None:
                stand_in.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def allowed(self, handler: BaseHTTPRequestHandler) -> bool:
        self.headers = {name.lower(): value for name, value in handler.headers.items()}
        if self.key is None or self.headers.get("authorization") == f"Bearer {self.key}":
            return True
        sent = self.headers.get("authorization", "nothing")
        self.send(handler, Reply(401, {"error": {"message": f"Incorrect API key: {sent}"}}))
        return False

    def list_models(self, handler: BaseHTTPRequestHandler) -> None:
        if self.allowed(handler):
            there = self.models is not None
            listed = {
                "object": "list",
                "data": [name if isinstance(name, dict) else {"id": name} for name in self.models or ()],
            }
            self.send(handler, Reply(200 if there else 404, listed if there else {"detail": "Not Found"}))

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        if not self.allowed(handler):
            return
        with self._lock:
            sign = json.dumps(body.get("messages", body))
            before, self._seen[sign] = self._seen[sign], self._seen[sign] + 1
            self.requests.append(body)
            self.times.append(time.monotonic())
            self.paths[handler.path] += 1
            self.now += 1
            self.most_at_once = max(self.most_at_once, self.now)
        try:
            reply = self.reply_to(handler.path, before, body)
            time.sleep(reply.wait)
            self.send(handler, reply)
        except OSError:  # the client went away
            handler.close_connection = True
        finally:
            with self._lock:
                self.now -= 1

    def reply_to(self, path: str, before: int, body: dict[str, Any]) -> Reply:
        return self.behaviour(before, body)

    def send(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        if reply.pieces is not None:
            for piece in reply.pieces:
                handler.wfile.write(piece)
                time.sleep(reply.drip)
            handler.close_connection = True
            return
        data = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        handler.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", **(reply.headers or {})}.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        if reply.drip:
            for place in range(len(data)):
                handler.wfile.write(data[place : place + 1])
                time.sleep(reply.drip)
        else:
            handler.wfile.write(data[: reply.cut])
        if reply.twice:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data) + data)
        if reply.cut is not None:
            handler.close_connection = True
