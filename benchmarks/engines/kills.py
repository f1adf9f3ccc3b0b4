"""Kill stage 1 again and again while `transformers serve` answers: nothing is lost, and nothing is asked twice.

    python benchmarks/engines/kills.py --kills 20
    python benchmarks/engines/kills.py --kills 20 --stand-in

With --stand-in the relay itself answers, slowly and all at once; without it `transformers serve` does. A relay between
the work and the server writes down every request. The work is a process of its own that asks about a synthetic
catalogue, killed at a random time and started again until it is finished; then it begins anew. What was under way at a
kill had no answer yet, so it is asked again, and is counted apart. The last line of the output is one JSON object.
"""

import argparse
import hashlib
import json
import multiprocessing
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Generator
from contextlib import closing, contextmanager, nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from parity import PIXELS, REMOTE, catalogue
from served_model import embedded_model, served

from mmsrarec.data.dataset import Dataset
from mmsrarec.engines.chat_messages import chat_messages
from mmsrarec.engines.openai_engine import OpenAIEngine
from mmsrarec.engines.picture_urls import data_url
from mmsrarec.engines.settings import EngineSettings
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.backbone.settings import ModelSettings
from mmsrarec.summarize.summarizer import requests_elsewhere, summarize

REQUESTS = 4
"""Requests under way at once."""
SLOW = 0.3
"""Seconds that the stand-in takes for an answer."""


def sign(messages: list[dict[str, Any]]) -> str:
    """A line that stands for a question."""
    return hashlib.sha256(json.dumps(messages, sort_keys=True).encode()).hexdigest()


def signs_by_content(dataset: Dataset, mllm: Mllm, engine: OpenAIEngine) -> dict[str, str]:
    """What is asked about each text and picture of a catalogue, by the hash that its answer is kept under."""
    work = requests_elsewhere(dataset, mllm, REMOTE, engine)
    requests = [*work.texts.values(), *work.pictures.values()]
    return {
        request.content: sign(chat_messages(request.prompt, data_url(request.picture) if request.picture else None))
        for request in requests
    }


class Relay:
    """Passes requests on, or answers them itself, and writes down which came.

    target: the address of the server; None where it answers itself.
    """

    def __init__(self, target: str | None) -> None:
        self.target = target and target.removesuffix("/v1")
        self.asked: list[str] = []
        self.lock = threading.Lock()

    def answer(self, path: str, body: bytes) -> bytes:
        """The answer of the server, or words that only this question has."""
        if self.target is None:
            time.sleep(SLOW)
            text = f"{sign(json.loads(body)['messages'])[:8]}, red, blue"
            choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            usage = {"prompt_tokens": 1, "completion_tokens": 1}
            return json.dumps({"model": "stand-in", "choices": [choice], "usage": usage}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.target + path, body, headers, method="POST")
        with urllib.request.urlopen(request, timeout=600) as answer:
            return answer.read()

    @contextmanager
    def running(self) -> Generator[str]:
        relay = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with relay.lock:
                    relay.asked.append(sign(json.loads(body)["messages"]))
                data = relay.answer(self.path, body)
                try:
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)
                except OSError:  # the work was killed
                    self.close_connection = True

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        finally:
            server.shutdown()
            server.server_close()


def work(dataset: Dataset, model: Path, url: str, store: Path) -> None:
    """What the killed process does. It is forked, so it leaves tables alone, whose threads do not survive a fork."""
    keywords = summarize(dataset, loaded(model), REMOTE, store, engine=engine_at(url, model))
    store.with_suffix(".json").write_text(json.dumps([keywords.text, keywords.image, keywords.answers]))


def engine_at(url: str, model: Path) -> OpenAIEngine:
    """The engine that asks the relay."""
    settings = EngineSettings(
        engine="openai", engine_url=url, engine_model=str(model), engine_requests=REQUESTS, engine_seconds=600
    )
    return OpenAIEngine(settings, "embedded")


def loaded(model: Path) -> Mllm:
    """The model whose tokens the texts are cut by; loaded before the fork."""
    if model not in _LOADED:
        _LOADED[model] = Mllm.load(ModelSettings(name=str(model), dtype="float32"))
    return _LOADED[model]


_LOADED: dict[Path, Mllm] = {}


def recorded(store: Path, scratch: Path) -> set[tuple[Any, ...]]:
    """All answers in a store, out of a copy of it."""
    if not store.exists():
        return set()
    for path in (store, store.with_name(f"{store.name}-wal")):
        if path.exists():
            shutil.copy(path, scratch / path.name)
    with closing(sqlite3.connect(scratch / store.name)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        there = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'answers'").fetchall()
        rows = set(db.execute("SELECT * FROM answers")) if there else set()
    for path in scratch.iterdir():
        path.unlink()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--items", type=int, default=10)
    parser.add_argument("--stand-in", action="store_true", help="the relay answers, instead of transformers serve")
    arguments = parser.parse_args()
    rng, fork = random.Random(0), multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        scratch = folder / "scratch"
        scratch.mkdir()
        model = embedded_model(folder / "model", PIXELS)
        dataset = catalogue(folder / "data", arguments.items)
        loaded(model)
        with nullcontext() if arguments.stand_in else served(model) as target:
            relay = Relay(target)
            with relay.running() as url:
                result = killed(relay, url, dataset, model, arguments.kills, rng, fork, folder, scratch)
    print(json.dumps(result))


def killed(
    relay: Relay,
    url: str,
    dataset: Dataset,
    model: Path,
    wanted: int,
    rng: random.Random,
    fork: Any,
    folder: Path,
    scratch: Path,
) -> dict[str, Any]:
    """Kill and restart; the counts."""

    def start(store: Path) -> Any:
        child = fork.Process(target=work, args=(dataset, model, url, store))
        child.start()
        return child

    began = time.monotonic()
    child = start(folder / "whole.sqlite")
    child.join()
    assert child.exitcode == 0
    seconds = time.monotonic() - began
    signs = signs_by_content(dataset, loaded(model), engine_at(url, model))
    questions = len(relay.asked)
    assert sorted(relay.asked) == sorted(set(signs.values()))
    expected = (folder / "whole.json").read_text()
    rows = {row[:6] for row in recorded(folder / "whole.sqlite", scratch)}

    kills = amid = twice = again = lost = stores = 0
    while kills < wanted:
        store = folder / f"{stores}.sqlite"
        asked_before: set[str] = set()
        while True:
            before = recorded(store, scratch)
            start_of_log = len(relay.asked)
            left = 1 - len(before) / len(rows)
            child = start(store)
            child.join(rng.uniform(0, max(seconds * left, 1.0)) if kills < wanted else None)
            alive = child.is_alive()
            child.kill()
            child.join()
            assert child.exitcode in (0, -signal.SIGKILL)
            after = recorded(store, scratch)
            asked = relay.asked[start_of_log:]
            lost += len(before - after)
            twice += len(asked) - len(set(asked))  # within one life
            answered = {signs[row[4]] for row in before}
            twice += len(set(asked) & answered)
            again += len((set(asked) & asked_before) - answered)
            asked_before |= set(asked)
            kills, amid = kills + alive, amid + (alive and bool(asked))
            if not alive:
                break
        assert {row[:6] for row in after} == rows
        assert store.with_suffix(".json").read_text() == expected
        stores += 1
        print(f"{kills} kills, {stores} stores finished", flush=True)
    return {
        "questions": questions,
        "kills": kills,
        "kills_amid_questions": amid,
        "stores_finished": stores,
        "answers_lost": lost,
        "answered_and_asked_again": twice,
        "under_way_and_asked_again": again,
        "under_way_at_once": REQUESTS,
        "seconds_uninterrupted": round(seconds, 1),
    }


if __name__ == "__main__":
    main()
