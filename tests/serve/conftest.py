"""A server for the tests of a module, and one of its own for a test that leaves traces; both kinds of databases."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import postgres
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


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A running server of PostgreSQL; the test is skipped where there is none."""
    with postgres.server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where a state is kept that is empty now: a file of SQLite, or PostgreSQL where Debian's package is installed."""
    if request.param == "sqlite":
        yield str(tmp_path / "state.sqlite")
        return
    from sqlalchemy import create_engine

    from mmsrarec.serve.state.database import database_url
    from mmsrarec.serve.state.tables import metadata

    url = request.getfixturevalue("postgres_url")
    yield url
    engine = create_engine(database_url(url))
    with engine.begin() as connection:
        metadata.drop_all(connection)
    engine.dispose()
