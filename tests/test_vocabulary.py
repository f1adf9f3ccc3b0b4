"""The words of the field, not words of our own: in identifiers, settings, names of rows, headings and pages.

docs/glossary.md says what each is called instead.
"""

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest
from paths import TESTS

import mmsrarec
from mmsrarec.rankers.registry.registry import ranker_names
from mmsrarec.runs.recipe import Recipe, _fields
from mmsrarec.study.model_names import CONTEXT, TRAINED

PACKAGE = Path(mmsrarec.__file__).parent
PRIVATE_WORDS = {
    *("moment", "moments", "proposer", "proposers", "crowd", "crowds", "voice", "voices", "lone"),
    *("lesson", "lessons", "school", "rival", "rivals", "wish", "wishes", "evidence", "asker", "judge"),
    *("stranger", "strangers", "widened", "likeness", "untaken", "sight", "fallen", "worse", "statement"),
    *("statements", "drawn_shop", "workspace", "untold", "told", "whoever", "speaks", "subject", "subjects"),
}
PARTICIPLES = {"found", "asked", "told", "said", "kept", "taken", "shown", "drawn", "made"}
"""A local name says what it holds; a participle says only what happened to it."""


def identifiers() -> Iterator[tuple[str, str]]:
    """(file, identifier) of every name in the sources."""
    for path in sorted(PACKAGE.rglob("*.py")):
        source = io.StringIO(path.read_text(encoding="utf-8"))
        for token in tokenize.generate_tokens(source.readline):
            if token.type == tokenize.NAME:
                yield path.relative_to(PACKAGE).as_posix(), token.string


def private(name: str) -> bool:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().split("_")
    return bool(PRIVATE_WORDS & {*words, name.lower()})


def test_identifiers_are_words_of_the_field() -> None:
    assert sorted({(file, name) for file, name in identifiers() if private(name)}) == []


def test_file_names_are_words_of_the_field() -> None:
    assert [path.name for path in PACKAGE.rglob("*.py") if private(path.stem)] == []


def test_settings_are_words_of_the_field() -> None:
    assert [name for name in _fields(Recipe) if any(map(private, name.split(".")))] == []


def test_rows_are_words_of_the_field() -> None:
    assert [name for name in (*ranker_names(), CONTEXT, *TRAINED) if private(name.replace("-", "_"))] == []


@pytest.mark.skipif(not (TESTS.parent / "docs").is_dir(), reason="needs a checkout")
def test_headings_are_words_of_the_field() -> None:
    pages = [TESTS.parent / "README.md", *(TESTS.parent / "docs").rglob("*.md")]
    headings = [
        line
        for page in pages
        if "log" not in page.parts
        for line in page.read_text(encoding="utf-8").splitlines()
        if re.match(r"#+ ", line)
    ]
    assert [line for line in headings if any(private(word) for word in re.findall(r"\w+", line))] == []


def test_pages_are_in_words_of_the_field() -> None:
    pages = [*PACKAGE.rglob("*.html"), *PACKAGE.rglob("*.jinja"), *PACKAGE.rglob("*.j2")]
    assert pages
    text = {
        page.name: re.sub(r"\{[{%#].*?[}%#]\}", " ", page.read_text(encoding="utf-8"), flags=re.S) for page in pages
    }
    assert {name for name, words in text.items() if any(private(word) for word in re.findall(r"\w+", words))} == set()


def test_local_names_are_nouns() -> None:
    assert sorted({(file, name) for file, name in identifiers() if name in PARTICIPLES}) == []
