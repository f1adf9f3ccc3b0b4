"""Whatever the tables hold, importing them and loading them by hand agree, and nothing ends in a Python error."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from importing import import_amazon, import_sequences, import_tables

from mmsrarec.data.checking.check_data import check
from mmsrarec.data.dataset import Dataset
from mmsrarec.data.folder import load
from mmsrarec.errors import MmsrarecError

ITEMS = [{"item_id": name, "title": f"<b>{name}</b>", "description": "a &lt; b"} for name in ("7", "007", "x,y", 'q"')]
NOW = 1_700_000_000

field = st.sampled_from(
    [*("u", "v", "7", "007", "0", "ü", "NULL", "", " "), *('"x,y"', '"q"""', 'q"', '""', '"'), "a\0", "x\ry"]
)
time = st.sampled_from(
    [
        *("1700000000", "1700000001", '"1700000002"'),
        *("17", "0", "-1", "", "1e9", "+5", "１７", "1700000000000", "9" * 19),
    ]
)
row = st.tuples(field, field, time).map(",".join)
whole = st.integers(NOW, NOW + 9).map(str)
good = st.tuples(st.sampled_from("uv"), st.sampled_from(["7", "007", '"x,y"']), whole).map(",".join)
end = st.sampled_from(["\n", "\r\n", "\r", "\r\r\n", "\n\n"])
columns = st.sampled_from(["", ",rating", ",rating,note"])


def write(folder: Path, items: bytes, log: bytes) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "items.jsonl").write_bytes(items)
    (folder / "interactions.csv").write_bytes(log)
    return folder


def same(a: Dataset, b: Dataset) -> bool:
    arrays = all(
        (getattr(a.interactions, name) == getattr(b.interactions, name)).all() for name in ("user", "item", "time")
    )
    return (a.items, a.user_ids, a.times) == (b.items, b.user_ids, b.times) and arrays


def tried(work: Callable[[], Any]) -> Any:
    """What came of it, or None where it was refused in one line. Any other error is the test's."""
    try:
        return work()
    except MmsrarecError as error:
        line = str(error)
    assert line
    assert "\n" not in line
    return None


def described(items: list[dict[str, object]] = ITEMS) -> bytes:
    return "".join(json.dumps(item) + "\n" for item in items).encode()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(good | good | good | row, max_size=8), end, st.booleans(), columns)
def test_messy_rows(
    tmp_path_factory: pytest.TempPathFactory, rows: list[str], end: str, closed: bool, more: str
) -> None:
    """What load takes, the import takes without setting anything aside, and the other way round."""
    folder = tmp_path_factory.getbasetemp() / "messy"
    filled = [line + more.replace("rating", "5").replace("note", "n") for line in rows]
    text = end.join(["user_id,item_id,timestamp" + more, *filled]) + (end if closed else "")
    source = write(folder / "source", described(), text.encode())
    by_hand = tried(lambda: load(source))
    report = tried(lambda: import_tables(source, folder / "out", max_rejects=0))
    assert (by_hand is not None) == (report is not None and report.rejects == 0)
    if report is not None:
        imported = load(folder / "out")  # what the import accepts is read
        check(imported)
        assert by_hand is None or report.duplicates or same(by_hand, imported)


texts = st.sampled_from(
    ["<p>x</p>", "a<b and b>c", "&amp;amp;", "\u202ex", "\ud800", "plain", "", "&#60;i&#62;", "‌x", "<3"]
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(texts, texts, st.lists(texts, max_size=3)), min_size=1, max_size=4), st.booleans())
def test_texts(tmp_path_factory: pytest.TempPathFactory, told: list, ascii_only: bool) -> None:
    folder = tmp_path_factory.getbasetemp() / "texts"
    items = [
        {"item_id": f"i{n}", "title": title, "description": text, "categories": names, "year": 1999, "image": title}
        for n, (title, text, names) in enumerate(told)
    ]
    lines = "".join(json.dumps(item, ensure_ascii=ascii_only) + "\n" for item in items)
    try:
        encoded = lines.encode()
    except UnicodeEncodeError:  # half a character, which a file holds only as \\ud800
        assume(False)
        return
    log = b"user_id,item_id,timestamp\nu,i0,1700000000\n"
    source = write(folder / "source", encoded, log)
    import_tables(source, folder / "out")
    by_hand, imported = load(source), load(folder / "out")
    for one, other in zip(by_hand.items, imported.items, strict=True):
        assert (one.item_id, one.title, one.text, one.categories) == (
            other.item_id,
            other.title,
            other.text,
            other.categories,
        )


LINES = [
    *(
        b'{"item_id": "7"}',
        b'{"item_id": 7, "title": "\\ud800"}',
        b'{"item_id": "\\ud800"}',
        b'{"item_id": null}',
        b"{}",
    ),
    *(
        b'{"item_id": "8", "year": {"a": []}}',
        b'{"item_id": ' + b"9" * 5000 + b"}",
        b'{"item_id": 9, "image": "\\u0000"}',
    ),
]
ROWS = [
    *(b"user_id,item_id,timestamp", b"u,7,1700000000", b"u,7,5", b"u,7,1700000000,", b'"u', b'u","7,1'),
    *(b"\xff", b"\xef\xbb\xbf"),
]
MAGIC = [b"\x1f\x8b\x08", b"PK\x03\x04", b"\x28\xb5\x2f\xfd", b"BZh9", b"\xfd7zXZ\x00", b"\xff\xfe", b"\xfe\xff", b"\0"]


def any_file(known: list[bytes]) -> st.SearchStrategy[bytes]:
    lines = st.lists(st.sampled_from(known) | st.binary(max_size=30), max_size=8)
    parts = st.tuples(st.sampled_from([b"", b"", b"", *MAGIC]), lines, st.sampled_from([b"\n", b"\r\n", b"\r", b""]))
    return parts.map(lambda part: part[0] + part[2].join(part[1]))


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(any_file(LINES), any_file(ROWS) | any_file(ROWS).map(lambda data: ROWS[0] + b"\n" + data))
def test_any_bytes_are_taken_or_refused_in_words(
    tmp_path_factory: pytest.TempPathFactory, items: bytes, log: bytes
) -> None:
    folder = tmp_path_factory.getbasetemp() / "bytes"
    source = write(folder / "source", items, log)
    tried(lambda: check(load(source)))
    log_file, items_file, out = source / "interactions.csv", source / "items.jsonl", folder / "out"
    for work in (
        lambda: import_tables(source, out, max_rejects=1),
        lambda: import_sequences(log_file, out, items_file, max_rejects=1),
        lambda: import_amazon(log_file, out, items_file, max_rejects=1),
    ):
        shutil.rmtree(out, ignore_errors=True)
        if tried(work) is not None:
            check(load(out))
