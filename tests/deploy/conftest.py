"""A server with a key that listens on a port, as Gorse, Prometheus and other programs meet it."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from served import Running

KEY = "correct-horse-battery"


@pytest.fixture(scope="module")
def keyed_server(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Running]":
    for package in ("fastapi", "uvicorn", "sqlalchemy", "prometheus_client", "torch", "httpx2"):
        pytest.importorskip(package)
    from served import listening

    from mmsrarec.serve.settings import ServeSettings

    state = tmp_path_factory.mktemp("state") / "state.sqlite"
    with listening(ServeSettings(finished / "run", str(state), key=KEY)) as running:
        yield running
