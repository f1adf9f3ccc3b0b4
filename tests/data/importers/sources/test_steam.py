"""Steam: Python literals, users by name, games without an id."""

from pathlib import Path

import pytest
from source_layouts import steam, write_lines
from source_tables import faults, opened, records, values

from mmsrarec.data.importers.formats import format_by_name
from mmsrarec.data.importers.source import ReadOptions
from mmsrarec.errors import DataError


def test_literals_are_read_from_the_first_line_on(tmp_path: Path) -> None:
    source = opened("steam", steam(tmp_path))
    assert values(source.interactions, "user_id", "product_id", "date") == [
        ("Chaos Syren", "725280", "2017-12-17"),
        ("76561198007483075", "328100", "2017-08-02"),
        ("76561198007483075", "328100", "2017-08-02"),
    ]
    first = records(source.interactions)[0]
    assert first["text"] == "It would not be True fun"  # no value is replaced within a text
    assert source.exact_repeats == "fold"


def test_a_name_may_stand_for_several_people_and_that_is_said(tmp_path: Path) -> None:
    assert any("people with one name count as one user" in note for note in opened("steam", steam(tmp_path)).notes)


def test_games_have_a_title_and_a_year_from_free_text(tmp_path: Path) -> None:
    source = opened("steam", steam(tmp_path))
    assert values(source.items, "id", "title", "year") == [
        ("725280", "Lost Summoner Kitty", "2018"),
        ("328100", "Ironbound", "2019"),
        (None, "Log Challenge", ""),
    ]
    assert {"price", "sentiment", "tags"} <= set(source.unused)


def test_nothing_in_a_line_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_lines(
        tmp_path / "steam_reviews.json", "__import__('os').mkdir('owned')", "{'username': 'a', 'product_id': '1'}"
    )
    source = opened("steam", tmp_path)
    assert faults(source.interactions) == [(1, "neither a JSON object nor a Python literal")]
    assert not (tmp_path / "owned").exists()


def test_pictures_are_named_by_game(tmp_path: Path) -> None:
    steam(tmp_path)
    (tmp_path / "headers").mkdir()
    (tmp_path / "headers" / "328100.jpg").touch()
    source = opened("steam", tmp_path, pictures=tmp_path / "headers")
    assert values(source.items, "image") == [(None,), ("328100.jpg",), (None,)]


def test_a_folder_without_reviews_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no steam_reviews\.json"):
        format_by_name("steam").read(str(tmp_path), ReadOptions())
