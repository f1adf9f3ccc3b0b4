"""RecBole's atomic files and its benchmark form."""

from pathlib import Path

import pytest
from source_layouts import recbole, write_lines
from source_tables import faults, opened, records, values

from mmsrarec.data.dataset import Dataset
from mmsrarec.data.importers.formats import format_by_name
from mmsrarec.data.importers.importing import ImportOptions, import_place
from mmsrarec.data.importers.source import ReadOptions
from mmsrarec.errors import DataError

SEQUENCES = "user_id:token\titem_id_list:token_seq\titem_id:token"


def test_columns_lose_their_types(tmp_path: Path) -> None:
    source = opened("recbole", recbole(tmp_path))
    assert records(source.interactions)[1] == {
        "user_id": "196",
        "item_id": "302",
        "rating": "5",
        "timestamp": "8.81250955e+08",
    }
    assert source.columns["items.title"] == "movie_title"


def test_texts_keep_quotation_marks_and_categories_are_parted(tmp_path: Path) -> None:
    source = opened("recbole", recbole(tmp_path))
    assert values(source.items, "item_id", "movie_title", "class") == [
        ("242", '12" Kolya', ["Comedy", "Film-Noir"]),
        ("302", "L.A. Confidential", ["Crime"]),
        ("9", "Nobody's", []),
    ]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("{'Toys & Games', 'Puzzles'}", {"Toys & Games", "Puzzles"}),
        ("'Toys & Games', 'Puzzles'", {"Toys & Games", "Puzzles"}),
        ("Action Sci-Fi", {"Action", "Sci-Fi"}),
        ("[__import__('os')]", {"[__import__('os')]"}),
    ],
)
def test_names_of_several_words_stay_whole_where_the_file_shows_them(
    tmp_path: Path, text: str, names: set[str]
) -> None:
    recbole(tmp_path)
    write_lines(tmp_path / "ml.item", "item_id:token\tcategories:token_seq", f"242\t{text}")
    ((categories,),) = values(opened("recbole", tmp_path).items, "categories")
    assert set(categories) == names  # type: ignore[arg-type]


def test_other_files_are_named(tmp_path: Path) -> None:
    notes = opened("recbole", recbole(tmp_path)).notes
    assert {note.split(":")[0] for note in notes} == {"ml.user is not read", "ml.link is not read"}


def test_a_header_without_a_type_is_refused(tmp_path: Path) -> None:
    write_lines(tmp_path / "ml.inter", "user_id:token\titem_id", "1\t2")
    with pytest.raises(DataError, match=r"ml\.inter: the first line must read name:type .* 'item_id' does not"):
        format_by_name("recbole").read(str(tmp_path), ReadOptions())


def test_a_tab_within_a_text_sets_its_line_aside(tmp_path: Path) -> None:
    recbole(tmp_path)
    write_lines(tmp_path / "ml.item", "item_id:token\tmovie_title:token_seq", "1\tone\ttwo", "2\tthree")
    source = opened("recbole", tmp_path)
    assert values(source.items, "item_id") == [("2",)]
    assert source.items is not None
    assert faults(source.items) == [(2, "3 fields where the header has 2")]


def test_coarse_times_are_pointed_out(tmp_path: Path) -> None:
    header = "user_id:token\titem_id:token\ttimestamp:float"
    write_lines(tmp_path / "a.inter", header, "1\t2\t1.3e+09", "1\t3\t1.31e+09")
    assert any("3 digits" in note for note in opened("recbole", tmp_path).notes)
    write_lines(tmp_path / "a.inter", header, "1\t2\t1.3e+09", "1\t3\t1.310000001e+09")
    assert not opened("recbole", tmp_path).notes


def test_columns_with_names_of_a_data_set_are_those_that_the_items_share(tmp_path: Path) -> None:
    write_lines(tmp_path / "lfm.inter", "user_id:token\tartist:token\tweight:float", "2\t51\t13883")
    write_lines(tmp_path / "lfm.item", "artist:token\tname:token_seq", "51\tDuran Duran")
    source = opened("recbole", tmp_path)
    assert source.columns["interactions.item_id"] == "artist"
    write_lines(tmp_path / "lfm.inter", "who:token\twhat:token", "2\t51")
    (tmp_path / "lfm.item").unlink()
    with pytest.raises(DataError, match="no column of users among who, what: say it by --map user_id=COLUMN"):
        format_by_name("recbole").read(str(tmp_path), ReadOptions())


def test_the_benchmark_form_gives_each_interaction_once(tmp_path: Path) -> None:
    write_lines(tmp_path / "b.train.inter", SEQUENCES, "u\ta\tb", "u\ta b\tc", "v\tx\ty")
    write_lines(tmp_path / "b.valid.inter", SEQUENCES, "u\ta b c\td", "v\tx y\tx")
    write_lines(tmp_path / "b.test.inter", SEQUENCES, "u\tb c d\te", "v\tx y x\tz")  # the first is cut at the front
    source = opened("recbole", tmp_path)
    assert source.order == "ends"
    assert values(source.interactions, "user_id", "item_id") == [
        *[("u", item) for item in "abcde"],
        *[("v", item) for item in "xyxz"],
    ]


def test_a_row_that_does_not_go_on_is_set_aside(tmp_path: Path) -> None:
    write_lines(tmp_path / "b.inter", SEQUENCES, "u\ta\tb", "u\tq r\ts", "broken")
    source = opened("recbole", tmp_path)
    assert values(source.interactions, "item_id") == [("a",), ("b",)]
    assert [line for line, _ in faults(source.interactions)] == [3, 4]


def test_two_data_sets_in_one_folder_are_refused(tmp_path: Path) -> None:
    recbole(tmp_path)
    write_lines(tmp_path / "other.inter", "user_id:token\titem_id:token", "1\t2")
    with pytest.raises(DataError, match="holds ml and other: name one of the files"):
        format_by_name("recbole").read(str(tmp_path), ReadOptions())
    source = format_by_name("recbole").read(str(tmp_path / "ml.inter"), ReadOptions())
    assert source.name == "ml"


def test_times_with_an_exponent_are_whole_where_their_digits_suffice(tmp_path: Path) -> None:
    header = "user_id:token\titem_id:token\ttimestamp:float"
    rows = ["1\ta\t8.81250949e+08", "1\tb\t8.812509495E8", "1\tc\t881250950", "1\td\t881250951.0"]
    place = write_lines(tmp_path / "source" / "a.inter", header, *rows)
    report = import_place("recbole", str(place), tmp_path / "out", ImportOptions(max_rejects=0))
    dataset = Dataset.load(tmp_path / "out")
    assert dataset.interactions.time.tolist() == [881250949, 881250949, 881250950, 881250951]
    assert [dataset.items[code].item_id for code in dataset.interactions.item.tolist()] == ["a", "b", "c", "d"]
    assert report.rejects == 0
