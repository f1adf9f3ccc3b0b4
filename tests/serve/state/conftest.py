"""Both databases, each test on both: a file of SQLite, and PostgreSQL where Debian's package is installed."""

from collections.abc import Iterator
from pathlib import Path

import postgres
import pytest
from sqlalchemy import Engine, create_engine

from mmsrarec.serve.state.database import database_url, open_database
from mmsrarec.serve.state.tables import metadata


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A running server of PostgreSQL; the test is skipped where there is none."""
    with postgres.server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where a state is kept that is empty now."""
    if request.param == "sqlite":
        yield str(tmp_path / "state.sqlite")
        return
    url = request.getfixturevalue("postgres_url")
    yield url
    engine = create_engine(database_url(url))
    with engine.begin() as connection:
        metadata.drop_all(connection)
    engine.dispose()


@pytest.fixture
def engine(place: str) -> Iterator[Engine]:
    opened = open_database(place)
    yield opened
    opened.dispose()
