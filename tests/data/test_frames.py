"""DataFrames become a data set by the rules of an import, whatever library they come from."""

import datetime
import logging
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from importing import import_tables
from PIL import Image

from mmsrarec import DataError, Dataset
from mmsrarec.core.terminal import remark
from mmsrarec.data.folder import load

START = 1_600_000_000
ITEMS: dict[str, list[Any]] = {
    "item_id": [10, 11, 12],
    "title": ["Mug", "Bowl &amp; dish", "Cup"],
    "description": ["blue", None, "<b>red</b> clay"],
    "genres": ["clay|kitchen", "clay", None],
}
LOG: dict[str, list[Any]] = {
    "user": ["a", "a", "b", "b", "c"],
    "item": [10, 11, 11, 12, 10],
    "timestamp": [START, START + 5, START + 1, START + 2, START + 9],
}


def frames(kind: str, *tables: dict[str, list[Any]]) -> list[Any]:
    if kind == "pandas":
        pandas = pytest.importorskip("pandas")
        return [pandas.DataFrame(table) for table in tables]
    return [pl.DataFrame(table) for table in tables] if kind == "polars" else list(tables)


def rows_of(dataset: Dataset) -> list[tuple[str, str, int]]:
    interactions = dataset.interactions
    return [
        (dataset.user_ids[user], dataset.items[item].item_id, int(time))
        for user, item, time in zip(interactions.user, interactions.item, interactions.time, strict=True)
    ]


@pytest.fixture(autouse=True)
def forget_remarks() -> None:
    remark.cache_clear()  # each sentence is said once in a process


@pytest.mark.parametrize("kind", ["pandas", "polars", "columns"])
def test_every_library_gives_the_same(kind: str) -> None:
    dataset = Dataset.from_frames(*frames(kind, ITEMS, LOG))
    assert [item.item_id for item in dataset.items] == ["10", "11", "12"]
    assert [item.title for item in dataset.items] == ["Mug", "Bowl & dish", "Cup"]
    assert [item.text for item in dataset.items] == ["blue", "", "red clay"]
    assert [item.categories for item in dataset.items] == [("clay", "kitchen"), ("clay",), ()]
    assert rows_of(dataset) == [
        ("a", "10", START),
        ("a", "11", START + 5),
        ("b", "11", START + 1),
        ("b", "12", START + 2),
        ("c", "10", START + 9),
    ]
    assert dataset.times == "seconds"
    assert dataset.notes == ()


@given(
    st.lists(
        st.tuples(st.sampled_from("abcd"), st.sampled_from(["x", "y", "7"]), st.integers(START, START + 50)),
        min_size=1,
        max_size=20,
    )
)
def test_frames_and_files_are_read_alike(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple]) -> None:
    folder = tmp_path_factory.mktemp("tables")
    (folder / "items.jsonl").write_text("".join(f'{{"item_id": "{one}"}}\n' for one in ("x", "y", "7")))
    lines = "".join(f"{user},{item},{time}\n" for user, item, time in rows)
    (folder / "interactions.csv").write_text(f"user_id,item_id,timestamp\n{lines}")
    report = import_tables(folder, folder / "out")
    user, item, time = (list(column) for column in zip(*rows, strict=True))
    mine = Dataset.from_frames({"item_id": ["x", "y", "7"]}, {"user": user, "item": item, "timestamp": time})
    assert rows_of(mine) == rows_of(load(folder / "out"))
    assert (len(mine.notes) > 0) == (report.duplicates > 0)


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_it_is_saved_as_a_data_folder(kind: str, tmp_path: Path) -> None:
    dataset = Dataset.from_frames(*frames(kind, ITEMS, LOG))
    dataset.save(tmp_path / "data")
    again = Dataset.load(tmp_path / "data")
    assert again.items == dataset.items
    assert rows_of(again) == rows_of(dataset)


@pytest.mark.parametrize("kind", ["pandas", "polars", "columns"])
def test_datetimes_are_times(kind: str) -> None:
    first = datetime.datetime(2020, 1, 2, 3, 4, 5)
    log = LOG | {"timestamp": [first + datetime.timedelta(seconds=number) for number in range(5)]}
    expected = int(first.replace(tzinfo=datetime.UTC).timestamp())
    dataset = Dataset.from_frames(*frames(kind, ITEMS, log))
    assert dataset.interactions.time.min() == expected
    assert dataset.interactions.time.max() == expected + 4


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (["2020-01-01", "2020-01-02T00:00:01", "2020-01-01T00:00:00+01:00", "2020-01-03", "2020-01-04"], 1_577_836_800),
        ([np.datetime64("2020-01-01"), *[np.datetime64("2020-02-01")] * 4], 1_577_836_800),
        ([datetime.date(2020, 1, 1), *[datetime.date(2020, 2, 1)] * 4], 1_577_836_800),
        ([START * 1000 + number for number in range(5)], START),
        ([START + 0.25, START + 0.5, START + 1.0, START + 2.0, START + 3.0], START),
        ([float(START + number) for number in range(5)], START),
    ],
)
def test_times_of_all_kinds_become_seconds(times: list[Any], expected: int) -> None:
    dataset = Dataset.from_frames(ITEMS, LOG | {"timestamp": times})
    assert rows_of(dataset)[0][2] == expected
    assert dataset.times == "seconds"


def test_fractions_of_a_second_keep_their_order() -> None:
    log = {"user": ["a"] * 3, "item": [10, 11, 12], "timestamp": [START + 0.9, START + 0.1, START + 0.5]}
    assert [item for _, item, _ in rows_of(Dataset.from_frames(ITEMS, log))] == ["11", "12", "10"]


def test_without_times_the_rows_tell_the_order(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "mmsrarec"):
        dataset = Dataset.from_frames(ITEMS, {name: LOG[name] for name in ("user", "item")})
    assert dataset.times == "steps"
    assert [item for user, item, _ in rows_of(dataset) if user == "b"] == ["11", "12"]
    assert "no column of times" in dataset.notes[0]
    assert "no column of times" in caplog.text


def test_what_an_import_would_set_aside_is_set_aside_and_said(caplog: pytest.LogCaptureFixture) -> None:
    log = {name: [*values, *values] for name, values in LOG.items()}
    log["user"] = [*log["user"][:9], None]
    with caplog.at_level(logging.WARNING, "mmsrarec"):
        dataset = Dataset.from_frames(ITEMS, log)
    assert len(dataset.interactions) == 5
    assert dataset.notes == (
        "4 rows repeat an earlier one and are dropped",
        "1 rows are set aside (the first is row 9 of interactions: user_id is empty)",
    )
    assert "user_id is empty" in caplog.text


def test_integers_with_missing_ones_stay_decimal() -> None:
    dataset = Dataset.from_frames(ITEMS, LOG | {"user": [1.0, 1.0, 2.0, float("nan"), 3.0]})
    assert dataset.user_ids == ("1", "2", "3")


def test_items_may_be_missing_altogether() -> None:
    dataset = Dataset.from_frames(None, LOG)
    assert [item.item_id for item in dataset.items] == ["10", "11", "12"]


def test_columns_of_other_names_are_named() -> None:
    items = {"code": ITEMS["item_id"], "label": ITEMS["title"]}
    log = {"who": LOG["user"], "what": LOG["item"], "when": LOG["timestamp"]}
    named = {"items.item_id": "code", "items.title": "label"}
    named |= {"interactions.user_id": "who", "interactions.item_id": "what", "interactions.timestamp": "when"}
    dataset = Dataset.from_frames(items, log, columns=named)
    assert dataset.items[0].title == "Mug"
    assert len(dataset.interactions) == 5


@pytest.mark.parametrize(
    ("items", "log", "how", "message"),
    [
        (ITEMS, {"user": ["a"]}, {}, "interactions: no column for item_id"),
        (ITEMS, LOG | {"item": [10, 11, 12, 98, 99]}, {}, "name 2 items that the items have not"),
        (ITEMS, LOG | {"user": [1.5, 2.5, 3.5, 4.5, 5.5]}, {}, "5 of 5 lines are faulty"),
        (ITEMS, LOG | {"timestamp": ["soon"] * 5}, {}, "5 of 5 lines are faulty"),
        (ITEMS, LOG, {"columns": {"interactions.who": "user"}}, "columns: unknown key 'interactions.who'"),
        (ITEMS, LOG, {"columns": {"items.title": "label"}}, "items: no column 'label'"),
        (ITEMS, LOG, {"images": "/nowhere/at/all"}, "is not a folder"),
        (3, LOG, {}, "items: give a pandas or Polars DataFrame"),
        ({"item_id": []}, LOG, {}, "holds no items"),
        (ITEMS, {"user": [], "item": []}, {}, "holds no interactions"),
    ],
)
def test_what_cannot_be_used_is_one_line(items: Any, log: Any, how: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        Dataset.from_frames(items, log, **how)
    assert "\n" not in str(caught.value)


def test_pictures_are_checked_and_saved(tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    Image.new("RGB", (8, 8), "red").save(pictures / "mug.png")
    (pictures / "bowl.png").write_bytes(b"no picture")
    items = ITEMS | {"image": ["mug.png", "bowl.png", "../outside.png"]}
    dataset = Dataset.from_frames(items, LOG, images=pictures)
    assert [item.image for item in dataset.items] == ["mug.png", None, None]
    assert "2 pictures cannot be used, such as that of item 11" in dataset.notes[0]
    dataset.save(tmp_path / "data")
    assert load(tmp_path / "data").image_path(0) == tmp_path / "data" / "images" / "mug.png"
    by_id = Dataset.from_frames(ITEMS, LOG, images={10: pictures / "mug.png"})
    assert [item.image for item in by_id.items] == ["mug.png", None, None]
    unasked = Dataset.from_frames(items, LOG)
    assert [item.image for item in unasked.items] == [None, None, None]
    assert "give their folder as images=" in unasked.notes[0]


def test_hostile_texts_are_data() -> None:
    items = {"item_id": ["a\x1b", "b"], "title": ["\x1b[2J<script>x</script>Mug", "{}"]}
    dataset = Dataset.from_frames(items, {"user": ["u", "v"], "item": ["b", "a\x1b"]})
    assert dataset.items[0].title == "Mug"
