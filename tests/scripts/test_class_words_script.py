"""The words of the classes come from WordNet and our own table of kinds."""

import importlib
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from mmsrarec.models.vision.class_words import read_class_words

SCRIPTS = Path(__file__).parents[2] / "scripts"
NOUNS = """  1 a licence
00000001 03 n 01 animal 0 000 | a living thing
00000002 05 n 02 dog 0 domestic_dog 0 001 @ 00000001 n 0000 | barks
00000003 05 n 01 beagle 0 002 @ 00000002 n 0000 ~ 00000001 n 0000 | a hound
"""


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module("class_words")


def test_hypernyms_are_read_from_near_to_far(script: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "data.noun").write_text(NOUNS)
    synsets = script.read_nouns(tmp_path / "data.noun")
    assert synsets["00000002"].lemmas == ("dog", "domestic dog")
    assert script.hypernyms(synsets, "00000003") == ["00000002", "00000001"]


def test_names_are_short(script: ModuleType) -> None:
    assert script.short_name("kite (bird of prey)", {}) == "kite"
    assert script.short_name("potter's wheel", {}) == "potter wheel"
    assert script.short_name("semi-trailer truck", {}) == "semi trailer truck"
    assert script.short_name("dust jacket", {"dust jacket": "book cover"}) == "book cover"


def test_kinds_go_from_narrow_to_broad(script: ModuleType) -> None:
    tables = {
        "hypernyms": {"dog": ["canine"], "hound": ["hound"], "animal": ["animal"]},
        "more": {"pet": ["beagle"]},
        "without": {"fox": ["dog"]},
        "broad": {"kinds": ["animal"]},
        "unsaid": {"names": ["comic book"]},
    }
    assert script.words_of("comic book", ["animal"], tables) == []
    assert script.words_of("beagle", ["hound", "canine", "animal"], tables) == ["beagle", "pet", "hound"]
    assert script.words_of("fox", ["canine", "animal"], tables) == ["fox", "animal"]
    assert script.words_of("guide dog", ["canine"], tables) == ["guide dog", "dog"]


def test_the_table_of_kinds_knows_the_names_it_speaks_of() -> None:
    tables = tomllib.loads((SCRIPTS / "class_kinds.toml").read_text(encoding="utf-8"))
    names = {row[0] for row in read_class_words() if row} | set(tables["unsaid"]["names"])
    assert {name for members in tables["more"].values() for name in members} <= names
    assert set(tables["without"]) <= names
    words = {word for row in read_class_words() for word in row[1:]}
    assert set(tables["broad"]["kinds"]) <= words
