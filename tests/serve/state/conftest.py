"""An open database, each test on both kinds."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from mmsrarec.serve.state.database import open_database


@pytest.fixture
def engine(place: str) -> Iterator[Engine]:
    opened = open_database(place)
    yield opened
    opened.dispose()
