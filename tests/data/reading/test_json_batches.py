"""Logs of JSON lines: the quick way and the exact way give the same rows, and faulty lines keep their numbers."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from source_tables import faults, records, values

from mmsrarec.data.reading import json_batches as module
from mmsrarec.data.reading.json_batches import json_batches
from mmsrarec.errors import DataError

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63),
    st.floats(allow_nan=False, allow_infinity=False, min_value=-1e11, max_value=1e11).map(lambda x: round(x, 3)),
    st.text(max_size=8),
)


def written(folder: Path, *lines: str | bytes, name: str = "log.jsonl") -> Path:
    content = b"".join((line if isinstance(line, bytes) else line.encode()) + b"\n" for line in lines)
    (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return folder / name


def exactly(path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The rows as the exact way reads them."""
    with monkeypatch.context() as patch:
        patch.setattr(module, "_quick", lambda *_: None)
        return records(json_batches(path))


def test_values_become_texts(tmp_path: Path) -> None:
    path = written(tmp_path, '{"a": "x", "b": 5.0, "c": null}', '{"a": 7, "b": [1, "é"], "d": true}', '{"b": 1.5}')
    table = json_batches(path)
    assert table.columns == ("a", "b", "c", "d")
    assert records(table) == [
        {"a": "x", "b": "5", "c": "", "d": ""},
        {"a": "7", "b": '[1, "é"]', "c": "", "d": "true"},
        {"a": "", "b": "1.5", "c": "", "d": ""},
    ]


@given(rows=st.lists(st.dictionaries(st.sampled_from("abc"), VALUES, min_size=1), min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_both_ways_give_the_same_rows(rows: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("log")
    path = written(folder, *(json.dumps(row, ensure_ascii=number % 2 == 0) for number, row in enumerate(rows)))
    with pytest.MonkeyPatch.context() as monkeypatch:
        assert records(json_batches(path)) == exactly(path, monkeypatch)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("broken", "not one whole JSON object"),
        ("", "not one whole JSON object"),
        ("[1]", "not a JSON object"),
        ('{"a": 1, "a": 2}', "'a' stands twice in one object"),
        (b'{"a": "\xff"}', "not UTF-8"),
        ('{"a": "' + "x" * (1 << 20) + '"}', "longer than"),
        ('{"a": "\0"}', "holds a zero byte"),
        ('{"b": 1}', "no a"),
    ],
)
def test_a_faulty_line_is_set_aside_with_its_number(line: str | bytes, reason: str, tmp_path: Path) -> None:
    path = written(tmp_path, '{"a": "first"}', line, '{"a": "last"}')
    table = json_batches(path, required=["a"])
    assert [row["a"] for row in records(table)] == ["first", "last"]
    ((number, why),) = faults(table)
    assert number == 2
    assert reason in why


def test_a_guest_is_no_fault_whatever_else_the_line_lacks(tmp_path: Path) -> None:
    table = json_batches(written(tmp_path, '{"user": null}', '{"user": "u"}'), required=["user", "time"])
    assert values(table, "user") == [("",)]
    assert faults(table) == [(2, "no time")]


def test_half_a_character_is_no_character(tmp_path: Path) -> None:
    table = json_batches(written(tmp_path, '{"a": "x\\ud800"}'))
    assert records(table) == [{"a": "x?"}]


def test_literals_are_read_where_they_may_stand(tmp_path: Path) -> None:
    path = written(tmp_path, "{'a': 1, 'b': u'é'}", '{"a": 2, "b": null}')
    assert records(json_batches(path, literals=True)) == [{"a": "1", "b": "é"}, {"a": "2", "b": ""}]
    assert faults(json_batches(path)) == [(1, "not one whole JSON object")]


def test_blocks_join_without_a_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmsrarec.data.reading.delimited.BLOCK_BYTES", 64)
    lines = [json.dumps({"user": f"u{number}", "item": number}) for number in range(100)]
    lines[40] = "broken"
    path = written(tmp_path, *lines, name="log.jsonl.gz")
    table = json_batches(path)
    batches = list(table.read(["item"]))
    assert len(batches) > 10
    numbers = [number for batch in batches for number in batch.lines]
    items = [item for batch in batches for item in batch.rows["item"]]
    assert numbers == [number + 1 for number in range(100) if number != 40]
    assert items == [str(number) for number in range(100) if number != 40]
    assert faults(table) == [(41, "not one whole JSON object")]


def test_a_file_without_an_end_is_not_whole(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"a": 1}\n{"a": 2}')
    batches = list(json_batches(path).read(["a"]))
    assert [batch.whole for batch in batches][-1] is False
    assert records(json_batches(path)) == [{"a": "1"}, {"a": "2"}]


@pytest.mark.parametrize("lines", [[], ["broken"]])
def test_a_file_without_rows_is_refused(lines: list[str], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no rows: each line must be a JSON object"):
        json_batches(written(tmp_path, *lines))
