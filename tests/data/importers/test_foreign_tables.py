"""Tables as the programs of others write them: column names, separators, times, encodings, ids."""

import gzip
import io
import json
import shutil
import zipfile
from pathlib import Path

import polars as pl
import pytest
from importing import import_tables, rejects_of
from paths import CASES

from mmsrarec.cli import commands
from mmsrarec.data.dataset import Dataset
from mmsrarec.data.folder import load
from mmsrarec.data.importers.importing import ImportOptions, import_place
from mmsrarec.data.importers.source import ReadOptions
from mmsrarec.errors import DataError

SECONDS = "dates-as-text", "seconds.csv"


def swapped(case: str, name: str, folder: Path, items: str = "items.jsonl") -> Path:
    """A case with another file in the place of interactions.csv."""
    source = folder / "source"
    source.mkdir(parents=True)
    shutil.copyfile(CASES / case / items, source / "items.jsonl")
    shutil.copyfile(CASES / case / name, source / "interactions.csv")
    return source


def rows_of(dataset: Dataset) -> list[tuple[str, str, int]]:
    log = dataset.interactions
    return [
        (dataset.user_ids[user], dataset.items[item].item_id, int(time))
        for user, item, time in zip(log.user, log.item, log.time, strict=True)
    ]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str, int]]:
    """The rows of the log that all these files hold."""
    folder = tmp_path_factory.mktemp("plain")
    import_tables(swapped(*SECONDS, folder), folder / "out")
    return rows_of(load(folder / "out"))


@pytest.mark.parametrize(
    ("name", "separator"),
    [
        ("interactions.csv", ""),
        ("upper.csv", ""),
        ("visitor.csv", ""),
        ("recbole.csv", "tabs"),
        ("tab.csv", "tabs"),
        ("semicolon.csv", "semicolons"),
        ("spaced.csv", "a comma and a blank"),
    ],
)
def test_known_names_and_separators_are_recognised_and_said(
    name: str, separator: str, plain: list[tuple[str, str, int]], tmp_path: Path
) -> None:
    report = import_tables(swapped("foreign-columns", name, tmp_path), tmp_path / "out", max_rejects=0)
    assert rows_of(load(tmp_path / "out")) == plain
    assert {use.became for use in report.columns if use.table == "interactions"} >= {"user_id", "item_id", "timestamp"}
    assert (not separator) == (not report.notes)
    assert all(separator in note for note in report.notes)


@pytest.mark.parametrize("user", ["userId", "user", "visitorid", "reviewerID", "customer_id", "USER_ID", "user id"])
@pytest.mark.parametrize(
    ("item", "time"),
    [
        ("movieId", "rating_timestamp"),
        ("itemid", "unixReviewTime"),
        ("asin", "event_time"),
        ("parent_asin", "created_at"),
        ("article_id", "t_dat"),
        ("product_id:token", "timestamp:float"),
        ("sku", "date_added"),
    ],
)
@pytest.mark.parametrize("separator", [",", ";", "|", "\t", "::"])
def test_so_is_the_rest_of_their_kind(
    user: str, item: str, time: str, separator: str, plain: list[tuple[str, str, int]], tmp_path: Path
) -> None:
    lines = [separator.join(map(str, row)) for row in plain]
    (tmp_path / "log.csv").write_text("\n".join([separator.join([user, item, time]), *lines]))
    import_place("tables", str(tmp_path / "log.csv"), tmp_path / "out", ImportOptions(max_rejects=0))
    assert rows_of(load(tmp_path / "out")) == plain


@pytest.mark.parametrize("option", ["--map", "--columns"])
def test_other_names_are_mapped(option: str, plain: list[tuple[str, str, int]], tmp_path: Path) -> None:
    lines = [",".join(map(str, row)) for row in plain]
    (tmp_path / "log.csv").write_text("\n".join(["who,what,when", *lines]))
    arguments = ["import", "tables", str(tmp_path / "log.csv"), "--out", str(tmp_path / "out")]
    assert commands.call([*arguments, option, "user=who,item=what,time=when"]) == 0
    assert rows_of(load(tmp_path / "out")) == plain
    (tmp_path / "map.toml").write_text('[interactions]\nuser_id = "who"\nitem_id = "what"\ntimestamp = "when"\n')
    assert commands.call([*arguments, "--mapping", str(tmp_path / "map.toml")]) == 0
    assert rows_of(load(tmp_path / "out")) == plain


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("who,what,when", ["no column for user_id", "who, what, when", "--map user_id=COLUMN"]),
        ("user,customer_id,item,timestamp", ["'user' and 'customer_id' could each be user_id", "--map user_id=user"]),
        ("userId,user_id,item,timestamp", ["could each be user_id"]),
        ("user,item,date,created_at", ["'date' and 'created_at' could each be timestamp"]),
        ("u0,102,1700000000", ["looks like data", "--names"]),
        ("user_id,user_id,item_id", ["names the column 'user_id' twice"]),
        ("user_id,item_id", ["no column for timestamp", "user_id, item_id", "--time rows"]),
    ],
)
def test_what_is_not_clear_is_refused_with_the_columns_that_are_there(
    header: str, words: list[str], tmp_path: Path
) -> None:
    (tmp_path / "log.csv").write_text(f"{header}\n{','.join(['1'] * len(header.split(',')))}\n")
    with pytest.raises(DataError) as caught:
        import_place("tables", str(tmp_path / "log.csv"), tmp_path / "out")
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("interactions.csv", "dates"),
        ("zulu.csv", "dates"),
        ("sql.csv", "dates"),
        ("seconds.csv", "seconds"),
        ("nanoseconds.csv", "nanoseconds"),
        ("float.csv", "seconds"),
        ("fraction.csv", "seconds with a fraction"),
    ],
)
def test_times_of_every_spelling_are_equal(
    name: str, unit: str, plain: list[tuple[str, str, int]], tmp_path: Path
) -> None:
    report = import_tables(swapped("dates-as-text", name, tmp_path), tmp_path / "out", max_rejects=0)
    assert rows_of(load(tmp_path / "out")) == plain
    assert (report.unit, report.first_time, report.last_time) == (unit, "2023-11-14", "2023-11-23")
    assert ("40 times have no zone: they are taken as UTC" in report.assumed) == (name == "sql.csv")


def test_days_are_times_and_their_order_is_said(plain: list[tuple[str, str, int]], tmp_path: Path) -> None:
    report = import_tables(swapped("dates-as-text", "day.csv", tmp_path), tmp_path / "out", max_rejects=0)
    assert [(user, item, time // 86_400) for user, item, time in rows_of(load(tmp_path / "out"))] == [
        (user, item, time // 86_400) for user, item, time in plain
    ]
    assert any("days without a time of day" in sentence for sentence in report.assumed)
    assert any("their order is that of the file" in note for note in report.notes)


def test_what_is_no_time_is_refused_with_what_would_be_read(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("user,item,time\nu,a,14.11.2023\nu,b,15.11.2023\n")
    with pytest.raises(DataError, match=r"'14.11.2023' is not a whole number, nor a date.*ISO 8601 and dates"):
        import_place("tables", str(tmp_path / "log.csv"), tmp_path / "out")


def test_latin_1_is_named_and_read_where_it_is_declared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["import", "tables", str(CASES / "encodings"), "--out", str(tmp_path / "out"), "--json"]
    assert commands.call(arguments) == 2
    assert "it may be latin-1 ('Köln'): say --encoding latin-1" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert commands.call([*arguments, "--encoding", "latin-1"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["interactions"], answer["rejects"]) == (40, 0)
    assert "interactions.csv: read as iso8859-1" in answer["notes"]


def test_utf_16_is_read_by_its_mark(plain: list[tuple[str, str, int]], tmp_path: Path) -> None:
    report = import_tables(swapped("encodings", "utf16.csv", tmp_path), tmp_path / "out", max_rejects=0)
    assert rows_of(load(tmp_path / "out")) == plain
    assert "interactions.csv: read as utf-16" in report.notes


@pytest.mark.parametrize(
    ("encoding", "city"), [("gbk", "北京市朝阳区"), ("cp1251", "Санкт-Петербург"), ("latin-1", "Köln")]
)
def test_other_encodings_are_named_and_read(encoding: str, city: str, tmp_path: Path) -> None:
    rows = [f"u{number % 5},i{number % 7},{1_700_000_000 + number},{city}" for number in range(40)]
    text = "\n".join(["user_id,item_id,timestamp,city", *rows])
    (tmp_path / "log.csv").write_bytes(text.encode(encoding))
    with pytest.raises(DataError, match="--encoding") as caught:
        import_place("tables", str(tmp_path / "log.csv"), tmp_path / "out")
    said = str(caught.value).partition("--encoding ")[2].split(".")[0].split(";")[0]
    assert city.encode(encoding).decode(said) == city
    import_place("tables", str(tmp_path / "log.csv"), tmp_path / "out", None, ReadOptions(encoding=encoding))
    assert len(load(tmp_path / "out").interactions) == 40


@pytest.mark.parametrize(
    ("name", "ids", "hint"),
    [
        ("interactions.csv", "café-1{:02}", "all 12 match but for composed and decomposed letters"),
        ("floats.csv", "1{:02}", "all 12 match but for a .0 at the end: say --match-ids decimal"),
        ("blanks.csv", "1{:02}", "all 12 match but for blanks at the ends: say --match-ids trim"),
        ("tab.csv", "01{:02}", "all 12 match but for zeros at the start: say --match-ids zeros"),
    ],
)
def test_ids_that_nearly_match_are_named_and_matched_on_request(
    name: str, ids: str, hint: str, plain: list[tuple[str, str, int]], tmp_path: Path
) -> None:
    case = "foreign-columns" if name == "tab.csv" else "ids-that-nearly-match"
    source = swapped(case, name, tmp_path)
    catalogue = [{"item_id": ids.format(number), "title": f"Item {number}"} for number in range(12)]
    (source / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in catalogue))
    with pytest.raises(DataError) as caught:
        import_tables(source, tmp_path / "out", max_rejects=1)
    assert hint in str(caught.value)
    repair = str(caught.value).partition("--match-ids ")[2]
    report = import_tables(source, tmp_path / "out", match_ids=(repair,), max_rejects=0)
    dataset = load(tmp_path / "out")
    assert [item.item_id for item in dataset.items] == [item["item_id"] for item in catalogue]
    places = [int(item_id[-2:]) for _, item_id, _ in rows_of(dataset)]
    assert places == [int(item_id[-2:]) for _, item_id, _ in plain]
    assert "12 ids of items were matched to others of the catalogue, as you said" in report.assumed


def test_ids_that_could_mean_two_are_not_matched(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("item_id,title\n7,Seven\n07,Bond\n")
    (tmp_path / "interactions.csv").write_text("user_id,item_id,timestamp\nu,007,1700000000\nu,7,1700000001\n")
    with pytest.raises(DataError, match="name 1 items"):
        import_tables(tmp_path, tmp_path / "out", match_ids=("zeros",))
    with pytest.raises(DataError, match="unknown difference 'magic'"):
        import_tables(tmp_path, tmp_path / "out", match_ids=("magic",))


def test_packed_tables_and_parquet_are_the_same(plain: list[tuple[str, str, int]], tmp_path: Path) -> None:
    content = (CASES / "dates-as-text" / "seconds.csv").read_bytes()
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(content))
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("log.csv", content)
    frame = pl.read_csv(io.BytesIO(content))
    frame.write_parquet(tmp_path / "c.parquet")
    frame.write_ndjson(tmp_path / "d.jsonl")
    (tmp_path / "e.json").write_text(json.dumps(frame.to_dicts(), indent=1))
    times = pl.from_epoch(pl.col("timestamp"))
    frame.with_columns(times).write_parquet(tmp_path / "f.parquet")
    frame.with_columns(times.dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Tokyo")).write_parquet(
        tmp_path / "g.parquet"
    )
    for name in ("a.csv.gz", "b.zip", "c.parquet", "d.jsonl", "e.json", "f.parquet", "g.parquet"):
        report = import_place("tables", str(tmp_path / name), tmp_path / "out", ImportOptions(max_rejects=0))
        assert rows_of(load(tmp_path / "out")) == plain, name
        assert report.rows["interactions"].read == 40


def test_a_file_without_a_header_is_named_by_the_user(plain: list[tuple[str, str, int]], tmp_path: Path) -> None:
    text = "".join(f"{user}::{item}::5::{time}\n" for user, item, time in plain)
    (tmp_path / "ratings.dat").write_text(text)
    names = ["--names", "user_id,item_id,rating,timestamp"]
    arguments = ["import", "tables", str(tmp_path / "ratings.dat"), "--out", str(tmp_path / "out")]
    assert commands.call([*arguments, *names]) == 0
    assert rows_of(load(tmp_path / "out")) == plain
    assert rejects_of(tmp_path / "out") == []
