"""A user is erased from a data folder, of Parquet and of text: it loads as before, and names them nowhere."""

import gzip
import json
from pathlib import Path

import polars as pl
import pytest

from mmsrarec.core.artefacts import MANIFEST, verify
from mmsrarec.data.dataset import Dataset
from mmsrarec.data.erasing.erased_rows import ANSWERS, erase_from_data, seal_again
from mmsrarec.data.erasing.id_traces import STRUCK, files_holding
from mmsrarec.data.folder import load
from mmsrarec.data.importers.import_report import REPORT
from mmsrarec.data.importers.rejects import REJECTS, Rejects
from mmsrarec.data.synthetic.catalogue import draw_catalogue
from mmsrarec.errors import DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    draw_catalogue(tmp_path / "data", seed=1, items=60, shoppers=40)
    return tmp_path / "data"


def rows(dataset: Dataset) -> list[tuple[str, str, int]]:
    log = dataset.interactions
    triples = zip(log.user.tolist(), log.item.tolist(), log.time.tolist(), strict=True)
    return [(dataset.user_ids[user], dataset.items[item].item_id, time) for user, item, time in triples]


def by_hand(folder: Path, text: str) -> Path:
    folder.mkdir()
    (folder / "items.jsonl").write_text('{"item_id": "a", "title": "A"}\n{"item_id": "b", "title": "B"}\n')
    (folder / "interactions.csv").write_text(text)
    return folder


def test_a_folder_without_the_user(folder: Path) -> None:
    before = load(folder)
    user = before.user_ids[5]
    assert list(files_holding(folder, user))
    n_rows = erase_from_data(folder, user)
    after = load(folder)
    assert n_rows == len(before.interactions.items_of(5)) > 0
    assert rows(after) == [row for row in rows(before) if row[0] != user]
    assert after.items == before.items
    assert list(files_holding(folder, user)) == []
    assert user not in json.loads((folder / ANSWERS).read_text())["shoppers"]
    verify(folder)
    assert erase_from_data(folder, user) == erase_from_data(folder, "nobody") == 0


def test_what_an_import_said_of_the_user_is_struck_out(folder: Path) -> None:
    user, rejects = load(folder).user_ids[3], Rejects()
    rejects.add("log.csv", 4, f"user {user!r}: the list does not go on")
    rejects.add("log.csv", 9, "timestamp is missing")
    rejects.write(folder)
    (folder / REPORT).write_text(json.dumps({"notes": [f"the user {user!r} has many interactions"], "users": 40}))
    erase_from_data(folder, user)
    assert list(files_holding(folder, user)) == []
    reasons = pl.read_parquet(folder / REJECTS)["reason"].to_list()
    assert reasons == [f"user '{STRUCK}': the list does not go on", "timestamp is missing"]
    report = {"notes": [f"the user '{STRUCK}' has many interactions"], "users": 40}
    assert json.loads((folder / REPORT).read_text()) == report


def test_a_log_of_text(tmp_path: Path) -> None:
    text = 'item_id,user_id,timestamp\na, u1 ,1700000000\nb,"u,2",1700000001\na,u3,1700000002\nb,u1,1700000003\n'
    folder = by_hand(tmp_path / "hand", text)
    assert erase_from_data(folder, "u1") == 2
    assert load(folder).user_ids == ("u,2", "u3")
    assert erase_from_data(folder, "u,2") == 1
    assert (folder / "interactions.csv").read_text() == "item_id,user_id,timestamp\na,u3,1700000002\n"
    with pytest.raises(DataError, match="alone"):
        erase_from_data(folder, "u3")


def test_ids_that_are_numbers(tmp_path: Path) -> None:
    folder = by_hand(tmp_path / "hand", "")
    (folder / "interactions.csv").unlink()
    table = {"user_id": [7, 77, 7], "item_id": ["a", "b", "b"], "timestamp": [1700000000, 1700000001, 1700000002]}
    pl.DataFrame(table).write_parquet(folder / "interactions.parquet")
    assert erase_from_data(folder, "7") == 2
    assert load(folder).user_ids == ("77",)


def test_what_cannot_be_erased_from_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a data folder"):
        erase_from_data(tmp_path, "u")
    folder = by_hand(tmp_path / "hand", "")
    (folder / "interactions.csv").write_bytes(gzip.compress(b"user_id,item_id,timestamp\nu,a,1700000000\n"))
    with pytest.raises(DataError, match="unpack"):
        erase_from_data(folder, "u")


def test_a_manifest_says_how_files_are_now(folder: Path) -> None:
    (folder / "images" / "extra.txt").write_text("x")
    (folder / ANSWERS).unlink()
    seal_again(folder)
    files = verify(folder)["files"]
    assert "images/extra.txt" in files
    assert ANSWERS not in files
    assert MANIFEST not in files
