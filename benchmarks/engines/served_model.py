"""A real `transformers serve` with the embedded model, on this machine and its processor, while a block runs."""

import json
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


def embedded_model(folder: Path, pixels: int | None = None) -> Path:
    """Write the embedded model into a new folder. pixels: the side of the pictures that it sees; 224 unless given."""
    model = write_servable(folder)
    if pixels is not None:
        file = model / "processor_config.json"
        settings = json.loads(file.read_bytes())
        settings["image_processor"]["size"] = {"height": pixels, "width": pixels}
        file.write_text(json.dumps(settings))
    return model


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def served(model: Path, dtype: str = "float32", seconds: float = 400) -> Generator[str]:
    """Serve a model's folder, with the log of the server beside it; the address.

    seconds: the server may take to load.
    """
    port = free_port()
    command = shutil.which("transformers", path=str(Path(sys.executable).parent)) or "transformers"
    options = ["--device", "cpu", "--dtype", dtype, "--port", str(port)]
    with (model.parent / "serve.log").open("w") as log:
        server = subprocess.Popen(
            [command, "serve", str(model), *options],
            stdout=log,
            stderr=log,
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
        )
        try:
            wait_until_healthy(f"http://127.0.0.1:{port}/health", server, seconds)
            yield f"http://127.0.0.1:{port}/v1"
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
