"""Amazon's three editions: reviews, ratings with and without a header, benchmark tables, and products."""

from pathlib import Path

import pytest
from paths import CASES
from source_layouts import amazon_2014, amazon_2018, amazon_2023, amazon_last_out, json_lines, write_lines
from source_tables import faults, opened, records, values

from mmsrarec.data.importers.amazon_products import product
from mmsrarec.data.importers.formats import format_by_name
from mmsrarec.data.importers.id_columns import guess_id_columns
from mmsrarec.data.importers.source import ReadOptions
from mmsrarec.data.reading.delimited import read_delimited
from mmsrarec.errors import DataError


def test_2014_reads_python_literals_and_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    source = opened("amazon", amazon_2014(tmp_path / "beauty"))
    assert values(source.items, "item_id", "title", "brand", "description", "categories") == [
        (
            "7806397051",
            'WAWO 15 Colour "Palette" & more',
            "WAWO",
            "It's a palette.",
            ["Beauty", "Makeup", "Face", "Gifts"],
        ),
        ("B004756YJA", "OPI", "", "", ["Beauty"]),
    ]
    assert source.items is not None
    assert faults(source.items) == [(3, "neither a JSON object nor a Python literal")]
    assert not (tmp_path / "owned").exists()
    assert source.columns["interactions.rating"] == "overall"
    assert (source.described_again, source.catalogue, source.unknown_items) == ("first", "log", "add")


def test_the_sites_own_icon_is_no_picture(tmp_path: Path) -> None:
    source = opened("amazon", amazon_2014(tmp_path))
    assert values(source.items, "image") == [("http://g.com/1.jpg",), (None,)]


def test_2018_reads_lists_of_texts_and_pictures(tmp_path: Path) -> None:
    source = opened("amazon", amazon_2018(tmp_path))
    first, script, again = records(source.items)
    assert (first["features"], first["description"], first["image"]) == (
        "Fast. Safe",
        "Loud 'N Clear",
        "https://i.com/big.jpg",
    )
    assert again == first
    assert (script["title"], script["details"], script["categories"]) == ("", "Weight: 2 oz", ["Beauty"])
    assert source.columns["interactions.item_id"] == "asin"


def test_2023_takes_the_product_for_its_variants(tmp_path: Path) -> None:
    source = opened("amazon", amazon_2023(tmp_path))
    assert source.columns["interactions.item_id"] == "parent_asin"
    assert values(source.interactions, "parent_asin", "timestamp") == [
        ("B00PARENT1", "1588687728923"),
        ("B000000002", "1588615855070"),
    ]
    brush, book = records(source.items)
    assert (brush["brand"], brush["details"], brush["categories"], brush["image"]) == (
        "Howard",
        "Colour: Red",
        ["All Beauty", "Beauty", "Tools"],
        "https://i.com/l.jpg",
    )
    assert (book["details"], book["author"], book["image"]) == (
        "Pages: 96; Language: English",
        "An Author",
        "https://i.com/h.jpg",
    )


def test_products_are_found_in_the_folder_beside_the_reviews(tmp_path: Path) -> None:
    amazon_2023(tmp_path)
    json_lines(tmp_path / "meta_categories" / "meta_Books.jsonl", {"parent_asin": "B1", "title": "Other"})
    source = opened("amazon", tmp_path / "review_categories" / "All_Beauty.jsonl")
    assert values(source.items, "title") == [("Brush",), ("A book",)]


def test_the_parts_of_a_benchmark_are_one_log(tmp_path: Path) -> None:
    source = opened("amazon", amazon_last_out(tmp_path))
    assert values(source.interactions, "user_id", "parent_asin") == [
        ("AAAA", f"B00000000{number}") for number in (1, 2, 3)
    ]
    assert any("their split is not kept" in note for note in source.notes)
    part = opened("amazon", tmp_path / "All_Beauty.valid.csv")
    assert len(records(part.interactions)) == 1
    assert any("Only the part valid is read" in note for note in part.notes)


@pytest.mark.parametrize(
    ("rows", "user"),
    [
        (["A1YJEY40YUW4SE,B004756YJA,5.0,1391040000", "A60XNB876KYML,7806397051,1.0,1391040000"], "column_1"),  # 2014
        (["B004756YJA,A1YJEY40YUW4SE,5.0,1391040000", "7806397051,A60XNB876KYML,1.0,1391040000"], "column_2"),  # 2018
        (["7,i1,5,1391040000", "8,i1,5,1391040001", "9,i2,5,1391040002"], "column_1"),  # more users than items
        (["i1,7,5,1391040000", "i1,8,5,1391040001", "i2,9,5,1391040002"], "column_2"),
    ],
)
def test_the_order_of_columns_without_names_is_guessed_and_said(tmp_path: Path, rows: list[str], user: str) -> None:
    source = opened("amazon", write_lines(tmp_path / "ratings_Beauty.csv", *rows))
    assert source.columns["interactions.user_id"] == user
    assert any("--map user_id=" in note for note in source.notes)


def test_the_guess_says_what_it_rests_on(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.csv", "1,x", "2,x", "3,y")
    guess = guess_id_columns(read_delimited(path, separator=",", names=("a", "b")), "a", "b")
    assert guess[:2] == ("a", "b")
    assert guess.reason.startswith(
        "The first column was taken for users: of 3 rows it has 3 different ids, the second 2"
    )


def test_the_published_tables_are_read(tmp_path: Path) -> None:
    case = CASES / "amazon-tables"
    ratings = format_by_name("amazon").read(str(case / "ratings-2014.csv"), ReadOptions())
    assert len(records(ratings.interactions)) == 30
    assert ratings.columns["interactions.user_id"] == "column_1"
    core = format_by_name("amazon").read(str(case / "core-2023.csv"), ReadOptions())
    assert len(records(core.interactions)) == 30
    assert core.columns["interactions.item_id"] == "parent_asin"


def test_a_text_is_features_description_and_details_in_that_order(tmp_path: Path) -> None:
    case = CASES / "amazon-tables"
    source = format_by_name("amazon").read(str(case / "reviews.jsonl"), ReadOptions(items=case / "products.jsonl"))
    order = source.columns["items.text"].split("+")
    assert order[:4] == ["features", "description", "details", "brand"]
    texts = [". ".join(str(row[column]) for column in order if row[column]) for row in records(source.items)]
    assert texts[1] == "Waterproof. Light. Nice.. Color: red; Material: oak. Maker"


def test_fetched_pictures_win_over_addresses(tmp_path: Path) -> None:
    amazon_2014(tmp_path / "reviews")
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "B004756YJA.png").touch()
    source = opened("amazon", tmp_path / "reviews", pictures=tmp_path / "pictures")
    assert values(source.items, "image") == [("http://g.com/1.jpg",), ("B004756YJA.png",)]


@pytest.mark.parametrize(
    ("record", "image"),
    [
        ({"images": [{"thumb": "https://t", "large": None, "hi_res": None}]}, "https://t"),
        ({"images": []}, None),
        ({"images": {"hi_res": [None, "https://h"], "large": ["https://l", "x"]}}, "https://h"),
        ({"imageURL": ["https://small"], "imageURLHighRes": []}, "https://small"),
        ({"imUrl": "http://g/no-img-sm._V1_.gif"}, None),
        ({"imUrl": 7}, None),
    ],
)
def test_the_best_address_of_a_picture_is_taken(record: dict[str, object], image: str | None) -> None:
    assert product({"asin": "B1", **record}, {})["image"] == image


def test_several_logs_are_refused_by_name(tmp_path: Path) -> None:
    write_lines(tmp_path / "ratings_Beauty.csv", "A1,B1,5,1391040000")
    write_lines(tmp_path / "ratings_Toys.csv", "A1,B1,5,1391040000")
    with pytest.raises(DataError, match=r"holds ratings_Beauty\.csv, ratings_Toys\.csv: name the one to import"):
        format_by_name("amazon").read(str(tmp_path), ReadOptions())


def test_a_table_without_times_is_refused(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "reviews_Beauty.json", '{"reviewerID": "A1", "asin": "B1"}')
    with pytest.raises(
        DataError, match=r"no column for timestamp \(reviewerID, asin\): say it by --map timestamp=COLUMN"
    ):
        format_by_name("amazon").read(str(path), ReadOptions())
