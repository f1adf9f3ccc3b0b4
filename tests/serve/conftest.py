"""A server for the tests of a module, and one of its own for a test that leaves traces."""

from collections.abc import Iterator
from pathlib import Path

import pytest

for package in ("fastapi", "uvicorn", "sqlalchemy", "prometheus_client", "torch"):
    pytest.importorskip(package)

from served import Served, served


@pytest.fixture(scope="module")
def server(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(finished / "run", tmp_path_factory.mktemp("state") / "state.sqlite") as running:
        yield running


@pytest.fixture
def own(finished: Path, tmp_path: Path) -> Iterator[Served]:
    with served(finished / "run", tmp_path / "state.sqlite") as running:
        yield running
