"""A server as a process: ready, an answer in progress at SIGTERM, an orderly end, and every line of its log is JSON."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx2
import pytest


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.mark.slow
def test_it_ends_in_order(finished: Path, tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "log"
    command = [sys.executable, "-m", "mmsrarec", "serve", str(finished / "run"), "--port", str(port)]
    with log.open("w") as stream:
        process = subprocess.Popen(
            [*command, "--state", str(tmp_path / "s.sqlite")], stderr=stream, stdout=subprocess.DEVNULL, env=os.environ
        )
    url, until = f"http://127.0.0.1:{port}", time.monotonic() + 300
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < until
        try:
            if httpx2.get(f"{url}/health/ready").status_code == 200:
                break
        except httpx2.HTTPError:
            time.sleep(0.05)
    foreign = httpx2.get(f"{url}/v1/run", headers={"Origin": "http://elsewhere.example"})
    assert foreign.status_code == 403
    answers = list[httpx2.Response]()

    def ask() -> None:
        answers.append(httpx2.post(f"{url}/v1/recommend", json={"history": ["001"], "k": 50}, timeout=120))

    asking = [threading.Thread(target=ask) for _ in range(3)]
    for thread in asking:
        thread.start()
    while "mmsrarec_cache_misses_total 0.0" in httpx2.get(f"{url}/metrics").text:
        pass
    process.send_signal(signal.SIGTERM)
    for thread in asking:
        thread.join()
    assert process.wait(120) == 0
    assert answers
    assert {answer.status_code for answer in answers} <= {200, 503}
    assert 200 in {answer.status_code for answer in answers}
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert foreign.headers["x-request-id"] in [line["request_id"] for line in lines if line.get("status") == 403]
    assert "run loaded" in [line["message"] for line in lines]
    assert "error" not in {line["level"] for line in lines}
