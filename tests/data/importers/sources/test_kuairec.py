"""KuaiRec: fractions of seconds, captions over several lines, two matrices."""

from pathlib import Path

import pytest
from source_layouts import kuairec
from source_tables import opened, values

from mmsrarec.data.importers.formats import format_by_name
from mmsrarec.data.importers.source import ReadOptions
from mmsrarec.errors import DataError


def test_a_folder_gives_the_big_matrix(tmp_path: Path) -> None:
    source = opened("kuairec", kuairec(tmp_path))
    assert values(source.interactions, "user_id", "video_id", "timestamp") == [
        ("0", "3649", "1593878903.438"),
        ("0", "9598", "1593879221.297"),
        ("0", "3649", "1593965303.438"),
        ("14", "148", ""),
    ]
    assert any(note.startswith("small_matrix.csv is not read") for note in source.notes)


def test_the_small_matrix_is_read_by_its_name(tmp_path: Path) -> None:
    kuairec(tmp_path)
    source = opened("kuairec", tmp_path / "data" / "small_matrix.csv")
    assert len(values(source.interactions, "user_id")) == 1
    assert any("random other videos were watched too" in note for note in source.notes)


def test_a_caption_may_have_several_lines_and_unknown_is_nothing(tmp_path: Path) -> None:
    source = opened("kuairec", kuairec(tmp_path))
    assert values(source.items, "video_id", "caption", "manual_cover_text", "topic_tag", "categories") == [
        ("3649", "精神小伙路难走\n程哥你狗粮慢点撒", None, None, ["颜值", "颜值随拍"]),
        ("9598", None, None, None, ["高新数码"]),
    ]
    assert "--map rating=watch_ratio" in source.unused["watch_ratio"]


def test_without_captions_there_are_numbers_of_tags(tmp_path: Path) -> None:
    kuairec(tmp_path)
    (tmp_path / "data" / "kuairec_caption_category.csv").unlink()
    source = opened("kuairec", tmp_path)
    assert values(source.items, "video_id", "feat") == [("3649", "[8]"), ("9598", "[27, 9]")]
    assert source.unused["feat"] == "numbers of tags without names"


def test_pictures_are_named_by_video(tmp_path: Path) -> None:
    kuairec(tmp_path)
    (tmp_path / "covers").mkdir()
    (tmp_path / "covers" / "9598.jpg").touch()
    assert values(opened("kuairec", tmp_path, pictures=tmp_path / "covers").items, "image") == [(None,), ("9598.jpg",)]


def test_a_folder_without_a_matrix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no big_matrix\.csv or small_matrix\.csv"):
        format_by_name("kuairec").read(str(tmp_path), ReadOptions())
