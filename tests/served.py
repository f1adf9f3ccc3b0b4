"""A server on the tests' finished run, called in this process, and small questions for it."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from mmsrarec_client import Client
from starlette.testclient import TestClient

from mmsrarec.runs.recommender import Recommender
from mmsrarec.serve.app.application import create_app
from mmsrarec.serve.service import Service
from mmsrarec.serve.settings import ServeSettings


class OfApplication:
    """What stands behind an application."""

    app: FastAPI

    @property
    def service(self) -> Service:
        return self.app.state.service

    @property
    def recommender(self) -> Recommender:
        return self.service.run().recommender


class Served(OfApplication):
    """An application that is called."""

    def __init__(self, app: FastAPI, client: TestClient):
        self.app, self.client = app, client

    def user(self, number: int = 0) -> str:
        return self.recommender.dataset.user_ids[number]

    def had(self, user: str) -> list[str]:
        dataset = self.recommender.dataset
        return [dataset.items[code].item_id for code in dataset.interactions.items_of(dataset.user_code[user])]

    def ok(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        response = self.client.request(method, path, json=body)
        assert response.status_code == status, response.text
        return response.json() if response.content else None

    def ask(self, **body: Any) -> dict[str, Any]:
        """Recommendations, without reasons unless they are asked for."""
        return self.ok("POST", "/v1/recommend", {"reasons": False} | body)

    def ids(self, **body: Any) -> list[str]:
        return [item["item_id"] for item in self.ask(**body)["items"]]


@contextmanager
def served(run: Path, state: Path | str, **settings: Any) -> Iterator[Served]:
    """A server that is ready."""
    with called(ServeSettings(run, str(state), **settings)) as server:
        yield server


@contextmanager
def called(settings: ServeSettings) -> Iterator[Served]:
    headers = {} if settings.key is None else {"Authorization": f"Bearer {settings.key}"}
    app = create_app(replace(settings), wait=True)
    with TestClient(app, "http://127.0.0.1", headers=headers, raise_server_exceptions=False) as client:
        yield Served(app, client)


@dataclass
class Running(OfApplication):
    """A server on a port of this machine, in a thread.

    Attributes:
        url: Its address.
        client: A client with its key.
        app: The application behind it.
    """

    url: str
    client: Client
    app: FastAPI


@contextmanager
def listening(settings: ServeSettings) -> Iterator[Running]:
    """A server that is ready and listens on a free port."""
    app = create_app(settings, wait=True)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        until = time.monotonic() + 300
        while not server.started:
            assert thread.is_alive()
            assert time.monotonic() < until
            time.sleep(0.02)
        try:
            with Client(url, settings.key, retries=0) as client:
                yield Running(url, client, app)
        finally:
            server.should_exit = True
            thread.join(60)
