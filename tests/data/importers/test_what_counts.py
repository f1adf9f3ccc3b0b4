"""What a row and a column become is said: ratings, events, returns, repeats, item fields of any type, pictures."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest
from importing import import_amazon, import_sequences, import_tables, rejects_of
from paths import CASES
from PIL import Image

from mmsrarec.cli import commands
from mmsrarec.data.folder import image_sources, load
from mmsrarec.data.importers.import_report import Report
from mmsrarec.data.importers.importing import ImportOptions, import_place
from mmsrarec.errors import DataError

EVENTS = CASES / "ratings-returns-events"
PICTURES = CASES / "picture-names"


def counts_of(report: Report) -> tuple[int, int, int, int, int]:
    """Read, kept, folded, dropped and rejected interactions."""
    rows = report.rows["interactions"]
    assert rows.accounted
    return rows.read, rows.kept, sum(rows.folded.values()), sum(rows.dropped.values()), rows.rejected


def test_columns_that_change_what_a_row_means_are_named_with_their_values(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.call(["import", "tables", str(EVENTS), "--out", str(tmp_path / "out")]) == 0
    table = capsys.readouterr().out
    for words in ("rating: 0.5 x 240, 5 x 240", "event_type", "purchase x 120", "120 rows have a negative quantity"):
        assert words in table
    for flag in ("--min-rating leaves some out", "--events leaves some out"):
        assert flag in table
    assert len(load(tmp_path / "out").interactions) == 480


def test_ratings_and_events_filter_and_stand_in_the_manifest(tmp_path: Path) -> None:
    report = import_tables(EVENTS, tmp_path / "out", events=("purchase", "view"), min_rating=4, max_rejects=0)
    assert counts_of(report) == (480, 120, 0, 360, 0)
    assert report.rows["interactions"].dropped == {"rating below 4": 240, "event other than purchase, view": 120}
    settings = json.loads((tmp_path / "out" / "manifest.json").read_text())["settings"]
    assert (settings["min_rating"], settings["events"]) == (4, ["purchase", "view"])
    log = pl.read_csv(EVENTS / "interactions.csv")
    kept = log.filter(pl.col("rating") >= 4, pl.col("event_type").is_in(["purchase", "view"]))
    assert pl.read_parquet(tmp_path / "out" / "interactions.parquet")["timestamp"].sort().to_list() == (
        kept["timestamp"].sort().to_list()
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"events": ("buy",)}, "480 with event other than buy; there are view, impression, remove_from_cart, purchase"),
        ({"min_rating": 6.0}, "480 with rating below 6"),
        ({"columns": {"rating": ("stars",)}}, "no column 'stars'; it has user_id, item_id, rating"),
        ({"columns": {"event": ("kind",)}, "events": ("x",)}, "no column 'kind'"),
    ],
)
def test_filters_that_leave_nothing_or_have_no_column_are_refused(options: dict, words: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        import_tables(EVENTS, tmp_path / "out", **options)
    assert words in str(caught.value)


def test_a_filter_without_its_column_names_the_columns(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("user,item,time\nu,a,1700000000\n")
    with pytest.raises(DataError, match=r"--min-rating needs a column: .*it has user, item, time"):
        import_place("tables", str(tmp_path / "log.csv"), tmp_path / "out", ImportOptions(min_rating=3))


@pytest.mark.parametrize(("repeats", "times"), [("keep", [10, 20, 25, 30]), ("first", [10, 25]), ("last", [25, 30])])
def test_repeats_are_kept_or_folded(repeats: str, times: list[int], tmp_path: Path) -> None:
    rows = ["u,a,20", "u,a,10", "u,b,25", "u,a,30", "u,a,30"]
    text = "\n".join(["user,item,time", *rows])
    (tmp_path / "log.csv").write_text(text)
    report = import_place("tables", str(tmp_path / "log.csv"), tmp_path / "out", ImportOptions(repeats=repeats))
    assert load(tmp_path / "out").interactions.time.tolist() == times
    assert report.rows["interactions"].folded["exact repeats"] == 1
    assert counts_of(report) == (5, len(times), 5 - len(times), 0, 0)


def test_item_fields_of_other_types_are_read_and_counted(tmp_path: Path) -> None:
    report = import_tables(CASES / "item-field-types", tmp_path / "out", max_rejects=0)
    items = {item.item_id: item for item in load(tmp_path / "out").items}
    assert [items[name].categories for name in ("100", "101", "102")] == [
        ("Home", "Light"),
        ("Home", "Light"),
        ("Home",),
    ]
    assert items["103"].text == "one. two."
    assert items["104"].title == "1984"
    assert "106" in items
    assert image_sources(tmp_path / "out") == {"105": "a.jpg"}
    assert report.conversions == {
        "categories: a list of other values than texts": 2,
        "categories: a text, split at > | , ;": 1,
        "image: the first of several": 1,
        "item_id: 123.0 as 123": 1,
        "text: a list": 1,
        "title: a number": 1,
    }


def test_every_kind_of_fault_is_named_at_once(tmp_path: Path) -> None:
    shutil.copytree(CASES / "item-field-types", tmp_path / "source")
    with (tmp_path / "source" / "items.jsonl").open("a") as file:
        file.write(
            '{"item_id": 1.5}\n{"item_id": [1]}\n{"item_id": "x", "title": "y"\n{"title": "no id"}\n{"item_id": true}\n'
        )
    with pytest.raises(DataError) as caught:
        import_tables(tmp_path / "source", tmp_path / "out")
    for words in ("4 of 17 lines are faulty", "line 13: item_id is a float", "item_id is a list", "not one whole JSON"):
        assert words in str(caught.value)
    assert import_tables(tmp_path / "source", tmp_path / "out", max_rejects=0.3).rejects == 5


def test_columns_nobody_knows_join_the_text_or_are_said(tmp_path: Path) -> None:
    wines = [
        {"id": "w1", "name": "Alba", "winery": "Rossi", "grapes": ["Barbera", "Nebbiolo"], "price": 12.5, "url": "http://x/1"},
        {"id": "w2", "name": "Brio", "winery": "Verdi", "text": "Dry &amp; light.", "grapes": [], "price": 9, "url": "http://x/2"},
    ]  # fmt: skip
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(wine) + "\n" for wine in wines))
    (tmp_path / "interactions.csv").write_text("user,item,time\nu,w1,1700000000\nu,w2,1700000001\n")
    report = import_tables(tmp_path, tmp_path / "out", max_rejects=0)
    assert [item.text for item in load(tmp_path / "out").items] == [
        "winery: Rossi. grapes: Barbera, Nebbiolo",
        "Dry & light. winery: Verdi",
    ]
    uses = {use.column: (use.became, use.values, use.note) for use in report.columns if use.table == "items"}
    assert uses["winery"] == ("text", 2, 'joined as "winery: ..."')
    assert uses["grapes"] == ("text", 1, 'joined as "grapes: ..."')
    assert uses["text"] == ("text", 1, "usual name")
    assert uses["price"] == ("", 2, "not used: numbers, addresses or truth values")
    assert uses["url"] == ("", 2, "not used: numbers, addresses or truth values")
    import_tables(tmp_path, tmp_path / "out", columns={"text": ("winery", "text"), "ignore": ("grapes",)})
    assert [item.text for item in load(tmp_path / "out").items] == ["Rossi", "Verdi. Dry & light."]


def test_quoted_fields_of_several_lines_are_one_field(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text(
        'handle,Title,"Body (HTML)",Type\nlamp,"Lamp, ""One""","<p>Walnut\n base</p>\n<ul>\n<li>linen</li></ul>",Light\n'
        "mug,Mug,,Cup\n"
    )
    (tmp_path / "interactions.csv").write_text("user,item,time\nu,lamp,1700000000\nu,mug,1700000001\n")
    import_tables(tmp_path, tmp_path / "out", columns={"items.item_id": ("handle",)}, max_rejects=0)
    lamp, mug = load(tmp_path / "out").items
    assert (lamp.title, lamp.text) == ('Lamp, "One"', "Walnut base linen. Type: Light")
    assert (mug.title, mug.text) == ("Mug", "Type: Cup")


def test_pictures_are_found_by_names_that_are_nearly_theirs(tmp_path: Path) -> None:
    report = import_tables(PICTURES, tmp_path / "out", max_rejects=0)
    dataset = load(tmp_path / "out")
    assert report.broken_images == {"106": "an address, not a file: fetch it first (mmsrarec images)"}
    for code, item in enumerate(dataset.items):
        if item.item_id == "106":
            assert item.image is None
            continue
        files = [path for path in (PICTURES / "images").rglob("*.png") if item.item_id in path.name]
        path = dataset.image_path(code)
        assert path is not None
        assert path.read_bytes() == files[0].read_bytes()
    assert image_sources(tmp_path / "out") == {"106": "https://cdn.example.com/106.png"}


def pictured(folder: Path, names: dict[str, str | None], files: list[str]) -> Path:
    (folder / "images").mkdir(parents=True)
    for number, file in enumerate(files):
        (folder / "images" / file).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (number, 0, 0)).save(folder / "images" / file)
    items = [{"item_id": item, "title": "x", "image": name} for item, name in names.items()]
    (folder / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    rows = "".join(f"u,{item},{1_700_000_000 + number}\n" for number, item in enumerate(names))
    (folder / "interactions.csv").write_text(f"user,item,time\n{rows}")
    return folder


def test_a_name_that_fits_two_files_finds_none(tmp_path: Path) -> None:
    source = pictured(tmp_path / "s", {"a": "pic", "b": "PIC.jpg", "c": "../x.jpg"}, ["pic.jpg", "pic.png"])
    report = import_tables(source, tmp_path / "out")
    assert report.broken_images == {"a": "2 files fit: pic.jpg, pic.png", "c": "no such file"}
    assert [item.image is None for item in load(tmp_path / "out").items] == [True, False, True]
    assert "2 of 3 pictures named by items cannot be used" in report.notes[0]


def test_pictures_named_by_ids_belong_to_their_items(tmp_path: Path) -> None:
    source = pictured(tmp_path / "s", {"010": None, "10": None, "11": None}, ["01/010.jpg", "11.jpg", "b/11.png"])
    report = import_tables(source, tmp_path / "out")
    assert [item.image is None for item in load(tmp_path / "out").items] == [False, True, True]
    assert "1 pictures are those of the items whose ids are their names" in report.assumed


def test_pairs_are_read_as_sequences(tmp_path: Path) -> None:
    report = import_sequences(CASES / "sasrec-pairs" / "pairs.txt", tmp_path / "out", max_rejects=0)
    lines = [line.split() for line in (CASES / "sasrec-pairs" / "pairs.txt").read_text().splitlines()]
    dataset = load(tmp_path / "out")
    for user, code in dataset.user_code.items():
        items = [dataset.items[item].item_id for item in dataset.interactions.items_of(code)]
        assert items == [item for one, item in lines if one == user]
    assert (report.users, report.interactions) == (len({user for user, _ in lines}), 30)
    assert "a line is a pair of user and item" in report.notes[0]
    assert report.times.startswith("steps, aligned")


def test_a_user_whose_pairs_are_not_together_is_set_aside(tmp_path: Path) -> None:
    rows = [f"u{number // 4} {number % 7}" for number in range(1200)]
    (tmp_path / "log.txt").write_text("\n".join([*rows, "u0 5"]))
    report = import_sequences(tmp_path / "log.txt", tmp_path / "out")
    assert rejects_of(tmp_path / "out") == [
        ("log.txt", "1201", "user 'u0' again, before on line 4: lines are not in order")
    ]
    assert counts_of(report) == (1201, 1200, 0, 0, 1)


@pytest.mark.parametrize(
    ("name", "words"), [("with-header.inter", "its first line names columns"), ("four-columns.tsv", "holds times")]
)
def test_tables_are_no_sequences(name: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=words) as caught:
        import_sequences(CASES / "sequences-not-sequences" / name, tmp_path / "out", max_rejects=1)
    assert "mmsrarec import tables" in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "text",
    [
        "user_id item_id timestamp\n1 2 3\n1 4 4\n",
        "userId\tmovieId\n1\t2\n1\t4\n",
        "user:token item:token\n1 2\n2 4\n",
        "1 2 1700000000000\n2 3 1700000000001\n",
    ],
)
def test_so_is_the_rest_of_their_kind(text: str, tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text(text)
    with pytest.raises(DataError, match="is a table, no log of sequences"):
        import_sequences(tmp_path / "log.txt", tmp_path / "out", max_rejects=1)


def test_ratings_of_amazon_and_what_its_products_say(tmp_path: Path) -> None:
    case = CASES / "amazon-tables"
    for name, unit in (("ratings-2014.csv", "seconds"), ("core-2023.csv", "milliseconds")):
        report = import_amazon(case / name, tmp_path / "out", max_rejects=0)
        assert (report.users, report.items, report.interactions, report.unit) == (6, 10, 30, unit)
    import_amazon(case / "reviews.jsonl", tmp_path / "out", case / "products.jsonl", max_rejects=0)
    texts = [item.text for item in load(tmp_path / "out").items]
    for parts in (("Waterproof", "Light", "Color", "red", "Material", "oak"), ("Waterproof", "Nice.", "Color")):
        places = [texts[parts[1] == "Nice."].find(part) for part in parts]
        assert places == sorted(places)
        assert min(places) >= 0
