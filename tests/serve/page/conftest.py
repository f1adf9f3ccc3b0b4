"""A browser and a server for the tests of a module that look at pages, and a visitor for each test."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import chromium, visited
from visitors import SIZES, Visitor


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def address(browser: Any, finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with visited(finished / "run", tmp_path_factory.mktemp("state") / "state.sqlite") as place:
        yield place


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("screenshots", numbered=False)


@pytest.fixture
def visitor(browser: Any, address: str, pictures: Path, request: pytest.FixtureRequest) -> Iterator[Visitor]:
    how: dict[str, Any] = getattr(request, "param", {})
    size, scheme = how.get("size", "desktop"), how.get("scheme", "light")
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        has_touch=size == "phone",
        java_script_enabled=how.get("script", True),
    )
    yield Visitor(context, address, pictures, how.get("name", f"{size}-{scheme}"))
    context.close()
