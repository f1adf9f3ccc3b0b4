"""A server that answers as a test says: with statuses, or not at all."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Scripted:
    """Replies that are still to come, and what was asked so far.

    Attributes:
        replies: (status, headers, text); None: the connection is cut once the question was read.
        asked: (method, path, body) of each question.
    """

    replies: list[tuple[int, dict[str, str], str] | None]
    url: str = ""
    asked: list[tuple[str, str, Any]] = field(default_factory=list)


@contextmanager
def scripted(*replies: tuple[int, dict[str, str], str] | None) -> Iterator[Scripted]:
    script = Scripted(list(replies))

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            script.asked.append((self.command, self.path, json.loads(body) if body else None))
            reply = script.replies.pop(0)
            if reply is None:
                self.close_connection = True
                return
            status, headers, text = reply
            self.send_response(status)
            for name, value in {"content-length": str(len(text.encode())), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        script.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield script
        server.shutdown()
