"""Spreadsheets: the first sheet with rows, values as text, and files that are none."""

import datetime
import zipfile
from pathlib import Path
from typing import Any

import pytest

from mmsrarec.data.dataset import Dataset
from mmsrarec.data.importers.importing import import_place
from mmsrarec.data.reading.spreadsheets import LINE, is_spreadsheet, read_spreadsheet
from mmsrarec.data.reading.tables_by_content import read_table
from mmsrarec.errors import DataError, MissingDependencyError

openpyxl = pytest.importorskip("openpyxl", reason="writing spreadsheets needs openpyxl")
pytest.importorskip("fastexcel", reason="reading spreadsheets needs the extra excel")


def spreadsheet(path: Path, *rows: list[Any], first: str = "empty") -> Path:
    book = openpyxl.Workbook()
    book.active.title = first
    sheet = book.create_sheet("orders")
    for row in rows:
        sheet.append(row)
    book.save(path)
    return path


HEADER = ["user id", "sku", "created at", "price"]


def test_the_first_sheet_with_rows_is_read_as_text(tmp_path: Path) -> None:
    path = spreadsheet(
        tmp_path / "shop.xlsx",
        HEADER,
        [7, "0012", datetime.datetime(2023, 11, 14, 22, 13, 20), 1.5],
        [8.0, 12, datetime.date(2023, 11, 14), None],
        [None, None, None, None],
        [9, "x", 1_700_000_000_000, "=A2*2"],
    )
    table = read_table(path)
    assert table.file == "shop.xlsx, sheet orders"
    rows = read_spreadsheet(path).rows.collect()
    assert rows.columns == [LINE, *HEADER]
    assert rows.rows() == [
        (2, "7", "0012", "2023-11-14 22:13:20", "1.5"),
        (3, "8", "12", "2023-11-14 00:00:00", None),
        (5, "9", "x", "1700000000000", None),  # the empty line 4 is none; a formula that was never computed is empty
    ]


def test_a_spreadsheet_is_imported_like_any_table(tmp_path: Path) -> None:
    times = [datetime.datetime(2023, 11, day) for day in (14, 15, 16)]
    rows = [[f"u{number}", "007", time, number] for number, time in enumerate(times)]
    spreadsheet(tmp_path / "interactions.xlsx", HEADER, *rows, ["", "007", times[0], 1])
    report = import_place("tables", str(tmp_path / "interactions.xlsx"), tmp_path / "out")
    assert (report.users, report.items, report.interactions) == (3, 1, 3)
    assert report.null_users == 1
    assert Dataset.load(tmp_path / "out").interactions.time.tolist() == [1_699_920_000, 1_700_006_400, 1_700_092_800]


def test_it_is_told_by_content_and_not_by_name(tmp_path: Path) -> None:
    path = spreadsheet(tmp_path / "shop.csv", HEADER, [1, 2, 3, 4])
    assert is_spreadsheet(path)
    assert len(read_spreadsheet(path).rows.collect()) == 1
    other = tmp_path / "shop.xlsx"
    other.write_text("user_id,item_id,timestamp\n", encoding="utf-8")
    assert not is_spreadsheet(other)
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("interactions.csv", "user_id,item_id\n")
    assert not is_spreadsheet(other)
    other.write_bytes(b"PK\x03\x04 broken")
    assert not is_spreadsheet(other)


@pytest.mark.parametrize("rows", [[], [HEADER]])
def test_a_book_without_rows_is_refused(rows: list[list[Any]], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no sheet with rows below a line of names"):
        read_spreadsheet(spreadsheet(tmp_path / "shop.xlsx", *rows))


def test_a_damaged_book_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "shop.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook><sheets><sheet")
    with pytest.raises(DataError, match=r"is a spreadsheet that cannot be read .* save it as CSV") as error:
        read_spreadsheet(path)
    assert "\n" not in str(error.value)
    path.write_bytes(b"\xd0\xcf\x11\xe0" + b"\0" * 600)  # an old file of Office, which a letter may be too
    with pytest.raises(DataError, match="save it as CSV"):
        read_table(path)


def test_an_archive_that_unpacks_to_far_more_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmsrarec.data.reading.spreadsheets.MAX_UNPACKED_BYTES", 100)
    with pytest.raises(DataError, match="which no spreadsheet does"):
        read_spreadsheet(spreadsheet(tmp_path / "shop.xlsx", HEADER, [1, 2, 3, 4]))


def test_without_the_package_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = spreadsheet(tmp_path / "shop.xlsx", HEADER, [1, 2, 3, 4])
    monkeypatch.setitem(__import__("sys").modules, "fastexcel", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'mmsrarec\[excel\]'"):
        read_spreadsheet(path)
