"""A server for the tests of a module, and one of its own for a test that leaves traces."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from served import Served

for package in ("fastapi", "uvicorn", "sqlalchemy", "prometheus_client", "torch"):
    pytest.importorskip(package)


@pytest.fixture(scope="module")
def server(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Served]":
    from served import served

    with served(finished / "run", tmp_path_factory.mktemp("state") / "state.sqlite") as running:
        yield running


@pytest.fixture
def own(finished: Path, tmp_path: Path) -> "Iterator[Served]":
    from served import served

    with served(finished / "run", tmp_path / "state.sqlite") as running:
        yield running
