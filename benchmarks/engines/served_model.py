"""A real `transformers serve` with the embedded model, on this machine and its processor, while a block runs."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from mmsrarec.models.backbone.servable import write_servable


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def served(folder: Path, dtype: str = "float32", seconds: float = 400) -> Generator[tuple[str, str]]:
    """Serve the embedded model; (address, name by which the server knows it).

    folder: a place for the model's folder and the server's log. seconds: the server may take to load.
    """
    model, port = write_servable(folder / "model"), free_port()
    command = shutil.which("transformers", path=str(Path(sys.executable).parent)) or "transformers"
    options = ["--device", "cpu", "--dtype", dtype, "--port", str(port)]
    with (folder / "serve.log").open("w") as log:
        server = subprocess.Popen(
            [command, "serve", str(model), *options],
            stdout=log,
            stderr=log,
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
        )
        try:
            wait_until_healthy(f"http://127.0.0.1:{port}/health", server, seconds)
            yield f"http://127.0.0.1:{port}/v1", str(model)
        finally:
            server.terminate()
            server.wait(30)


def wait_until_healthy(url: str, server: subprocess.Popen[bytes], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise SystemExit(f"transformers serve ended with {server.returncode}: see its log")
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.5)
    raise SystemExit(f"transformers serve was not ready within {seconds:.0f} s")
