"""Tables that are changed while they are read: rows, batches, and several files as one."""

from pathlib import Path

import polars as pl
from source_layouts import write_lines
from source_tables import faults, records

from mmsrarec.data.importers.rewriting import one_after_the_other, with_changed_batches, with_changed_rows
from mmsrarec.data.importers.sequence_rows import Sequence, sequence_table
from mmsrarec.data.importers.source import Record, Records
from mmsrarec.data.reading.delimited import read_delimited
from mmsrarec.data.reading.line_faults import Fault


def test_rows_are_changed_anew_in_each_reading_and_may_be_refused() -> None:
    def change(row: Record) -> Record:
        if row["a"] == 2:
            raise Fault("two is too much")
        return {"b": row["a"]}

    table = Records("a.json", [(1, {"a": 1}), (2, {"a": 2}), (3, Fault("broken")), (4, {"a": 3})])
    changed = with_changed_rows(table, change, ("b",))
    assert records(changed) == [{"b": 1}, {"b": 3}]
    assert faults(changed) == [(2, "two is too much"), (3, "broken")]
    assert (changed.file, changed.columns) == ("a.json", ("b",))


def test_batches_are_changed_with_new_names_and_only_the_columns_that_are_asked_for(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.csv", "user,item,time", "1,2,3", "broken", "4,5,6")
    columns = {"who": "user", "when": "time"}

    def change(rows: pl.DataFrame) -> pl.DataFrame:
        return rows.rename({old: new for new, old in columns.items() if old in rows.columns})

    table = with_changed_batches(read_delimited(path), change, columns)
    assert table.columns == ("who", "when")
    assert records(table) == [{"who": "1", "when": "3"}, {"who": "4", "when": "6"}]
    batches = list(table.read(["when"]))
    assert {name for batch in batches for name in batch.rows.columns} == {"when"}
    assert [row.line for batch in batches for row in batch.set_aside] == [3]


def test_lines_count_on_through_several_files(tmp_path: Path) -> None:
    paths = [
        write_lines(tmp_path / "a.csv", "user,item", "1,2", "broken"),
        write_lines(tmp_path / "b.csv", "user,item", "3,4"),
    ]
    table = one_after_the_other([read_delimited(path, separator=",") for path in paths])
    assert table.file == "a.csv + b.csv"
    assert [line for batch in table.read(table.columns) for line in batch.lines] == [2, 5]  # a.csv has 3 lines
    assert records(table) == [{"user": "1", "item": "2"}, {"user": "3", "item": "4"}]


def test_a_sequence_is_a_row_for_each_item() -> None:
    table = sequence_table("log", lambda: [Sequence(1, "u", ["a", "b"]), (2, Fault("empty")), Sequence(3, "v", ["a"])])
    assert records(table) == [
        {"user_id": "u", "item_id": "a"},
        {"user_id": "u", "item_id": "b"},
        {"user_id": "v", "item_id": "a"},
    ]
    assert faults(table) == [(2, "empty")]


def test_long_sequences_come_in_several_batches() -> None:
    table = sequence_table("log", lambda: (Sequence(number, str(number), ["a"] * 60_000) for number in (1, 2, 3)))
    sizes = [len(batch.rows) for batch in table.read(table.columns)]
    assert sum(sizes) == 180_000
    assert len(sizes) == 2
