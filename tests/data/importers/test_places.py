"""Files of a data set are found by name, packed or plain, and never guessed where two could be meant."""

from pathlib import Path

import pytest

from mmsrarec.data.importers.places import (
    MAX_LISTED,
    files_near,
    find_file,
    is_file,
    not_read,
    pictures_by_stem,
    plain_name,
    sub_folder,
)
from mmsrarec.errors import DataError


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_a_folder_gives_its_files_then_those_of_its_sub_folders(tmp_path: Path) -> None:
    touch(tmp_path, "b.csv", "sub/a.csv", "sub/deeper/c.csv", ".hidden", "1.jpg")
    assert [path.name for path in files_near(str(tmp_path))] == ["b.csv", "a.csv"]
    assert [path.name for path in files_near(str(tmp_path), depth=0)] == ["b.csv"]
    assert [path.name for path in files_near(str(tmp_path), depth=2)] == ["b.csv", "a.csv", "c.csv"]


def test_a_file_comes_before_those_beside_it(tmp_path: Path) -> None:
    touch(tmp_path, "a.csv", "b.csv", "c.csv")
    assert [path.name for path in files_near(str(tmp_path / "b.csv"))] == ["b.csv", "a.csv", "c.csv"]


@pytest.mark.parametrize("place", ["nowhere", "\0", "a" * 300, "sqlite:///x.db"])
def test_a_place_that_cannot_be_read_has_no_files(place: str) -> None:
    assert files_near(place) == []
    assert not is_file(place)


def test_a_folder_of_a_million_files_is_not_read_to_its_end(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{number}.txt" for number in range(MAX_LISTED + 5)))
    assert len(files_near(str(tmp_path))) == MAX_LISTED


def test_the_ending_of_a_packing_does_not_count(tmp_path: Path) -> None:
    files = files_near(str(touch(tmp_path, "Ratings.DAT.gz", "ratings.dat.bak")))
    assert [plain_name(path) for path in files] == ["Ratings.DAT", "ratings.dat.bak"]
    assert find_file(files, r"ratings\.dat") == tmp_path / "Ratings.DAT.gz"
    assert find_file(files, r"movies\.dat") is None


def test_a_packed_copy_is_the_same_file_and_another_name_is_not(tmp_path: Path) -> None:
    files = files_near(str(touch(tmp_path, "a.csv", "a.csv.gz")))
    assert find_file(files, r"a\.csv") == tmp_path / "a.csv"
    files = files_near(str(touch(tmp_path, "b.csv")))
    with pytest.raises(DataError, match=r"a\.csv and .*b\.csv could both be meant: name the one to import as SOURCE"):
        find_file(files, r"[ab]\.csv")


def test_pictures_are_found_by_their_name_without_its_ending(tmp_path: Path) -> None:
    touch(tmp_path, "images/7.JPG", "images/010/0108.png", "images/notes.txt")
    assert pictures_by_stem(tmp_path / "images") == {"0108": "010/0108.png", "7": "7.JPG"}
    assert pictures_by_stem(None) == {}
    with pytest.raises(DataError, match="is not a folder: name one that holds pictures"):
        pictures_by_stem(tmp_path / "none")


def test_a_sub_folder_is_found_in_any_case(tmp_path: Path) -> None:
    files = files_near(str(touch(tmp_path, "a.csv", "Images/1.jpg")))
    assert sub_folder(files, "images") == tmp_path / "Images"
    assert sub_folder(files, "covers") is None


def test_files_that_are_left_out_are_named_with_the_reason(tmp_path: Path) -> None:
    files = files_near(str(touch(tmp_path, "tags.csv.gz", "ratings.csv")))
    assert not_read(files, {r"tags\.csv": "users write tags"}) == ("tags.csv.gz is not read: users write tags.",)
