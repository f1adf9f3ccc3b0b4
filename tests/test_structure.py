"""The house keeps its measure: small files, small folders, names that are found, as much test as source."""

import statistics
from collections import Counter
from pathlib import Path

import pytest
from paths import TESTS

import mmsrarec

PACKAGE = Path(mmsrarec.__file__).parent
FILES = sorted(path for path in PACKAGE.rglob("*.py") if "__pycache__" not in path.parts)
MODULES = [path for path in FILES if path.name != "__init__.py"]
MAX_FILES = 13
"""Modules of one folder: "about a dozen"."""
MAX_LINES, MEDIAN_LINES = 400, 120
TEST_LINES_PER_LINE = 0.8


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_files_are_short() -> None:
    sizes = {path.relative_to(PACKAGE).as_posix(): lines(path) for path in MODULES}
    assert {name: size for name, size in sizes.items() if size > MAX_LINES} == {}
    assert statistics.median(sizes.values()) <= MEDIAN_LINES


def test_a_folder_can_be_taken_in_at_a_glance() -> None:
    sizes = Counter(path.parent.relative_to(PACKAGE).as_posix() for path in MODULES)
    assert {folder: size for folder, size in sizes.items() if size > MAX_FILES} == {}


def test_a_file_name_says_which_file_is_meant() -> None:
    names = Counter((path.relative_to(PACKAGE).parts[0], path.name) for path in MODULES)
    assert [name for name, count in names.items() if count > 1] == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [path for path in FILES if not path.read_text(encoding="utf-8").lstrip().startswith('"""')]
    assert [path.relative_to(PACKAGE).as_posix() for path in silent] == []


@pytest.mark.skipif(not (TESTS / "conftest.py").is_file(), reason="needs a checkout")
def test_there_is_as_much_test_as_source() -> None:
    tests = sum(lines(path) for path in TESTS.rglob("*.py"))
    assert tests >= TEST_LINES_PER_LINE * sum(map(lines, FILES))
