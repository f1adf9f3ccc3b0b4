"""Files of user ids are read, and tables written, by the ending of their names; whatever is wrong is one line."""

import json
from pathlib import Path

import polars as pl
import pytest

from mmsrarec.cli.formats.id_tables import check_ending, read_user_ids, write_table
from mmsrarec.errors import DataError, MmsrarecError

TABLE = pl.DataFrame(
    {"user_id": ["a", "b"], "item_id": ["1", "2"], "rank": [1, 1], "score": [0.5, -1.0], "because": [["x", "y"], []]}
)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("ids.txt", "007\na b\n\n"),
        ("ids", "\ufeff007\r\na b\r\n"),
        ("ids.csv", "age,user_id\n3,007\n4,a b\n"),
        ("ids.csv", "who\n007\na b\n"),
        ("ids.jsonl", '{"user_id": "007"}\n"a b"\n'),
    ],
)
def test_ids_are_text_as_they_stand(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_bytes(content.encode())
    assert read_user_ids(tmp_path / name) == ["007", "a b"]


def test_whole_numbers_count_as_their_decimal_form(tmp_path: Path) -> None:
    pl.DataFrame({"user_id": [7, 12]}).write_parquet(tmp_path / "ids.parquet")
    assert read_user_ids(tmp_path / "ids.parquet") == ["7", "12"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("ids.csv", b"a,b\n1,2\n", "has no column user_id; it has a, b"),
        ("ids.csv", b"", "is no csv file"),
        ("ids.parquet", b"nothing", "is no parquet file"),
        ("ids.jsonl", b"{", "is no jsonl file"),
        ("ids.jsonl", b'{"user_id": null}', "None is no user id"),
        ("ids.jsonl", b"1.5", "1.5 is no user id"),
        ("ids.txt", b"\xff\xfe", "is not UTF-8"),
    ],
)
def test_what_is_no_list_of_ids_is_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_user_ids(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read_user_ids(tmp_path / "none.txt")


def test_a_table_is_written_in_each_format(tmp_path: Path) -> None:
    for name in ("a.parquet", "a.csv", "a.JSONL"):
        check_ending(tmp_path / name)
        write_table(TABLE.lazy(), tmp_path / name)
    assert pl.read_parquet(tmp_path / "a.parquet").equals(TABLE)
    assert pl.read_csv(tmp_path / "a.csv")["because"].to_list() == ["x; y", ""]
    assert [json.loads(line) for line in (tmp_path / "a.JSONL").read_text().splitlines()] == TABLE.to_dicts()
    assert {path.name for path in tmp_path.iterdir()} == {"a.parquet", "a.csv", "a.JSONL"}  # no drafts are left


def test_another_ending_and_a_place_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MmsrarecError, match=r"choose \.parquet, \.csv, \.jsonl"):
        check_ending(Path("a.xlsx"))
    (tmp_path / "file").touch()
    with pytest.raises(MmsrarecError, match="cannot be written"):
        write_table(TABLE.lazy(), tmp_path / "file" / "a.csv")
