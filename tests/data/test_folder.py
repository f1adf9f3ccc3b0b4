"""The data folder: what is written is read back, and what is wrong is named by file and line."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsrarec.core.artefacts import writing
from mmsrarec.data import folder as module
from mmsrarec.data.dataset import Dataset, Item, make_interactions
from mmsrarec.data.folder import load, save
from mmsrarec.data.reading.cleaning import clean
from mmsrarec.data.reading.line_faults import is_null
from mmsrarec.data.reading.parsing import parse_item
from mmsrarec.errors import MmsrarecError

ITEMS = '{"item_id": "007", "title": "Bond"}\n{"item_id": "7", "title": "Seven", "categories": ["Film"]}\n'
LOG = "user_id,item_id,timestamp\nb,7,30\n01,007,10\nb,007,20\nb,7,20\n"


def folder_of(tmp_path: Path, items: str | bytes = ITEMS, log: str | bytes = LOG) -> Path:
    for name, content in (("items.jsonl", items), ("interactions.csv", log)):
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return tmp_path


def test_ids_are_opaque_and_ties_keep_file_order(tmp_path: Path) -> None:
    dataset = load(folder_of(tmp_path))
    assert [item.item_id for item in dataset.items] == ["007", "7"]
    assert dataset.user_ids == ("b", "01")
    assert dataset.interactions.items_of(0).tolist() == [0, 1, 1]
    assert dataset.interactions.time[dataset.interactions.rows(0)].tolist() == [20, 20, 30]
    assert dataset.items[1].categories == ("Film",)


def test_bom_crlf_order_of_columns_and_further_columns_do_not_matter(tmp_path: Path) -> None:
    plain = load(folder_of(tmp_path))
    log = "\ufeff" + "timestamp,rating,user_id,item_id\r\n30,1.0,b,7\r\n10,,01,007\r\n20,x,b,007\r\n20,2,b,7"
    other = load(folder_of(tmp_path, "\ufeff" + ITEMS.replace("\n", "\r\n"), log))
    assert other.items == plain.items
    assert other.user_ids == plain.user_ids
    for name in ("user", "item", "time"):
        assert getattr(other.interactions, name).tolist() == getattr(plain.interactions, name).tolist()


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("b,8,40", r"item '8' is not in items\.jsonl"),
        ("b,7", "2 fields where the header has 3"),
        ("b,7,40,1", "4 fields where the header has 3"),
        ("b,7,soon", "'soon' is not a whole number"),
        ("b,7,NaN", "'NaN' is not a whole number"),
        ("b,7,", "'' is not a whole number"),
        ("b,7,1e9", "not a whole number"),
        (",7,40", "is empty"),
        ('"",7,40', "is empty"),
        ("b,,40", "is empty"),
        ("", "0 fields"),
    ],
)
def test_a_wrong_interaction_is_named_by_its_line(tmp_path: Path, row: str, reason: str) -> None:
    with pytest.raises(MmsrarecError, match=rf"interactions\.csv, line 6: .*{reason}") as error:
        load(folder_of(tmp_path, log=LOG + row + "\nb,7,50\n"))
    assert "\n" not in str(error.value)


def test_bad_utf8_is_named_by_its_line(tmp_path: Path) -> None:
    with pytest.raises(MmsrarecError, match="line 6: not UTF-8"):
        load(folder_of(tmp_path, log=LOG.encode() + b"\xff,7,40\n"))
    with pytest.raises(MmsrarecError, match=r"items\.jsonl, line 3: not UTF-8"):
        load(folder_of(tmp_path, items=ITEMS.encode() + b'{"item_id": "\xff"}\n'))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"item_id": "7", "title": "again"}', "item '7' again"),
        ('{"item_id": "9", "tit', "not one whole JSON object"),
        ('{"title": "no id"}', "item_id is not"),
        ('{"item_id": ""}', "item_id is empty"),
        ('{"item_id": 1.5}', "item_id is not"),
        ('{"item_id": true}', "item_id is not"),
        ('{"item_id": "a\\nb"}', "item_id is not"),
        ('{"item_id": "9", "title": NaN}', "NaN is not a value"),
        ('{"item_id": "9", "title": 5}', "title is not a string"),
        ('{"item_id": "9", "categories": "Film"}', "categories is not a list"),
        ("[1]", "not a JSON object"),
        ("[" * 100_000, "not one whole JSON object"),
        ("", "not one whole JSON object"),
    ],
)
def test_a_wrong_item_is_named_by_its_line(tmp_path: Path, line: str, reason: str) -> None:
    with pytest.raises(MmsrarecError, match=rf"items\.jsonl, line 3: {reason}"):
        load(folder_of(tmp_path, items=ITEMS + line + "\n"))


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(MmsrarecError, match="nowhere does not exist"):
        load(tmp_path / "nowhere")
    folder_of(tmp_path)
    for log, reason in (("user,item_id,timestamp\n", "no user_id"), ("", "is empty"), (LOG[:26], "no interactions")):
        with pytest.raises(MmsrarecError, match=reason):
            load(folder_of(tmp_path, log=log))
    with pytest.raises(MmsrarecError, match="no items"):
        load(folder_of(tmp_path, items=""))
    (tmp_path / "items.jsonl").unlink()
    with pytest.raises(MmsrarecError, match=r"items\.parquet does not exist \(nor items\.jsonl\)"):
        load(tmp_path)


def test_the_year_joins_the_title_and_tags_stay_out() -> None:
    item = parse_item(b'{"item_id": 1, "title": "Toy Story", "year": 1995, "description": "Toys.", "tags": ["pixar"]}')
    assert item == Item("1", "Toy Story (1995)", "Toys.")
    assert parse_item(b'{"item_id": "1", "title": "Heat (1995)", "year": 1995}').title == "Heat (1995)"


def test_order_within_one_second_survives_rounding(tmp_path: Path) -> None:
    log = "user_id,item_id,timestamp\nb,7,1700000000900\nb,007,1700000000100\n"
    interactions = load(folder_of(tmp_path, log=log)).interactions
    assert interactions.item.tolist() == [0, 1]
    assert interactions.time.tolist() == [1_700_000_000] * 2


word = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6).filter(lambda w: not is_null(w))


@settings(deadline=None)  # each writes a data folder
@given(
    st.lists(word, min_size=1, max_size=5, unique=True), st.lists(word, min_size=1, max_size=3, unique=True), st.data()
)
def test_saved_is_loaded(item_ids: list[str], user_ids: list[str], data: st.DataObject) -> None:
    """Whatever the ids and texts hold: quotes, commas, line separators, digits. Texts come back cleaned."""
    n = len(user_ids) + data.draw(st.integers(0, 6))
    user = np.arange(n) % len(user_ids)
    item = np.array(data.draw(st.lists(st.integers(0, len(item_ids) - 1), min_size=n, max_size=n)))
    time = np.array(data.draw(st.lists(st.integers(0, 9), min_size=n, max_size=n)))
    items = tuple(Item(i, data.draw(st.text(max_size=5)), "\u2028", (i,)) for i in item_ids)
    interactions = make_interactions(user, item, time, len(user_ids), len(items))
    with tempfile.TemporaryDirectory() as parent:
        save(Dataset("d", items, tuple(user_ids), interactions), Path(parent) / "d")
        again = load(Path(parent) / "d")
    plain = tuple(Item(i.item_id, clean(i.title), "", tuple(filter(None, map(clean, i.categories)))) for i in items)
    assert again.items == plain
    assert again.user_ids == tuple(user_ids)
    assert again.times == "steps"
    assert [again.interactions.user.tolist(), again.interactions.item.tolist()] == [
        interactions.user.tolist(),
        interactions.item.tolist(),
    ]


def test_save_takes_the_pictures_along_and_replaces_its_own(drawn: Dataset, tmp_path: Path) -> None:
    for _ in range(2):
        save(drawn, tmp_path / "copy")
    again = load(tmp_path / "copy")
    assert again.items == drawn.items
    assert sorted(p.name for p in tmp_path.iterdir()) == ["copy"]
    for code in range(len(drawn.items)):
        if (path := drawn.image_path(code)) is not None:
            assert (tmp_path / "copy" / "images" / path.name).read_bytes() == path.read_bytes()


def test_writing_is_all_or_nothing(drawn: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = Dataset("d", drawn.items[:3], (), make_interactions(*np.zeros((3, 0), dtype=np.int64), 0, 3), drawn.folder)
    save(small, tmp_path / "deep" / "data")
    before = (tmp_path / "deep" / "data" / "items.parquet").read_bytes()
    monkeypatch.setattr(shutil, "copyfile", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        save(drawn, tmp_path / "deep" / "data")
    assert (tmp_path / "deep" / "data" / "items.parquet").read_bytes() == before
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["data"]


def test_what_mmsrarec_did_not_make_or_made_as_something_else_is_left_alone(drawn: Dataset, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "thesis.txt").write_text("x")
    with writing(tmp_path / "run", kind="run", key="k") as folder:
        (folder / "report.json").write_text("{}")
    for name in ("theirs", "run"):
        before = sorted((tmp_path / name).iterdir())
        with pytest.raises(MmsrarecError, match=name):
            save(drawn, tmp_path / name)
        assert sorted((tmp_path / name).iterdir()) == before


@pytest.mark.parametrize("rows", [1, 7, 64])
def test_a_log_read_in_batches_is_the_log_read_at_once(
    drawn: Dataset, rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(drawn, tmp_path / "d")
    whole = load(tmp_path / "d")
    monkeypatch.setattr(module, "ROWS_AT_ONCE", rows)
    again = load(tmp_path / "d")
    assert (again.user_ids, again.items) == (whole.user_ids, whole.items)
    assert again.interactions.digest == whole.interactions.digest


@pytest.mark.parametrize(("column", "value"), [("user_id", ""), ("item_id", ""), ("item_id", "nowhere")])
def test_a_wrong_row_of_a_later_batch_is_named_by_its_number(
    drawn: Dataset, column: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(drawn, tmp_path / "d")
    path = tmp_path / "d" / module.INTERACTIONS
    table = pl.read_parquet(path)
    table[20, column] = value
    table.write_parquet(path)
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 8)
    with pytest.raises(MmsrarecError, match=r"interactions\.parquet, row 21: "):
        load(tmp_path / "d")


def test_times_of_a_later_batch_may_not_be_missing(drawn: Dataset, tmp_path: Path, monkeypatch) -> None:
    save(drawn, tmp_path / "d")
    path = tmp_path / "d" / module.INTERACTIONS
    table = pl.read_parquet(path)
    table[20, "timestamp"] = None
    table.write_parquet(path)
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 8)
    with pytest.raises(MmsrarecError, match="timestamp must be a whole number"):
        load(tmp_path / "d")
    table.head(0).write_parquet(path)
    with pytest.raises(MmsrarecError, match="holds no interactions"):
        load(tmp_path / "d")
    table.drop("item_id").write_parquet(path)
    with pytest.raises(MmsrarecError, match="has no column item_id"):
        load(tmp_path / "d")
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(MmsrarecError, match="cannot be read"):
        load(tmp_path / "d")
