"""Generated files over all readers: never a traceback, never a silently wrong row, every row accounted for."""

import csv
import gzip
import io
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import source_layouts as layouts

from mmsrarec.data.importers.formats import format_of
from mmsrarec.data.importers.importing import Imported, ImportOptions, import_place, read_source
from mmsrarec.data.importers.source import ReadOptions
from mmsrarec.data.reading import delimited
from mmsrarec.errors import MmsrarecError

Triple = tuple[str, str, int]
START = 1_600_000_000
IDS = [
    "u",
    "7",
    "007",
    "ü",
    "a,b",
    'q"x',
    "two words",
    "日本",
    "x;y",
    "p|q",
    "N",
    "0",
    "tab\tbed",
    "'",
    "a::b",
    "long" * 9,
]
WRONG_TIMES = ["soon", "1e9", "12:30", "14.11.2023", "+5", "--5", "١٢", "2023-13-01", "2023-02-30"]
OTHERS = ["", "5", "4.5", 'say "hi"', "line one\nline two", "ends,", "<b>&amp;</b>", "naïve"]
LAYOUTS: list[Callable[[Path], Path]] = [
    *(layouts.movielens_100k, layouts.movielens_1m, layouts.movielens_10m, layouts.movielens_20m, layouts.microlens),
    *(layouts.recbole, layouts.mmrec, layouts.amazon_2014, layouts.amazon_2018, layouts.amazon_2023),
    *(layouts.amazon_last_out, layouts.hm, layouts.kuairec, layouts.steam, layouts.yelp, layouts.goodreads_dated),
    *(layouts.goodreads_numbers, layouts.goodbooks),
]
SIGNS = [b'"', b"\0", b"\n", b"\r", b"\xff", b",", b"\t", b"::", b"{", b"}", b"[", b"'", b"\r\n", b"\x1f", b" "]
WORDS = [b"NaN", b"-1", b"1e400", b"9" * 30, "ü".encode(), b"\xef\xbb\xbf", b"\\u0000", b"null", b"\xe2\x80\xa8"]
OPTIONS = ImportOptions(max_rejects=1)


def rows_of(imported: Imported) -> list[Triple]:
    log, items = imported.dataset.interactions, imported.dataset.items
    return sorted(
        (imported.dataset.user_ids[user], items[item].item_id, int(time))
        for user, item, time in zip(log.user, log.item, log.time, strict=True)
    )


def read(format_name: str, place: Path, **options: str) -> Imported | None:
    """The source in memory, or None where it is refused in one line. Any other error is the test's."""
    try:
        source = format_of(format_name, str(place)).read(str(place), ReadOptions(**options))  # type: ignore[arg-type]
        imported = read_source(source, OPTIONS)
    except MmsrarecError as error:
        line = str(error)
    else:
        line = ""
    if line:
        assert "\n" not in line
        return None
    for table, counts in imported.report.rows.items():
        assert counts.accounted, (table, counts)
        assert counts.read >= counts.kept >= 0
    return imported


def triples(rng: random.Random) -> list[Triple]:
    """Rows of which no two are equal."""
    return [(rng.choice(IDS), rng.choice(IDS), START + number) for number in range(rng.randint(1, 12))]


def csv_line(rng: random.Random, fields: list[str], separator: str) -> str:
    quoting = rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
    text = io.StringIO()
    csv.writer(text, delimiter=separator, quoting=quoting, lineterminator="\n").writerow(fields)
    return text.getvalue()[:-1]


def broken_line(rng: random.Random, user: str, item: str, separator: str, width: int, time_place: int) -> bytes:
    """A line that holds no interaction, whoever reads it."""
    fields = [user, item, *[""] * (width - 2)]
    fields[time_place] = str(START)
    match rng.randrange(6):
        case 0:
            return csv_line(rng, fields[:-1], separator).encode()
        case 1:
            return csv_line(rng, [*fields, "x", "y"], separator).encode()
        case 2:
            return csv_line(rng, fields, separator).encode() + b"\xff"
        case 3:
            return b"\0" + csv_line(rng, fields, separator).encode()
        case 4:
            fields[rng.choice([0, 1])] = rng.choice(["", "NULL", " "])
            return csv_line(rng, fields, separator).encode()
        case _:
            fields[time_place] = rng.choice(WRONG_TIMES)
            return csv_line(rng, fields, separator).encode()


def table_file(rng: random.Random, path: Path) -> tuple[list[Triple], int]:
    """Write a table with separators, faults included; returns its rows, and how many records it has."""
    separator = rng.choice([",", ";", "\t", "|"])
    others = rng.randrange(3)
    header = ["user_id", "item_id", *[f"note{number}" for number in range(others)], "timestamp"]
    order = list(range(len(header)))
    if rng.random() < 0.5 and others:
        order = [0, 1, len(header) - 1, *range(2, len(header) - 1)]
    places = {header[number]: place for place, number in enumerate(order)}
    lines: list[bytes] = [separator.join(header[number] for number in order).encode()]
    good = triples(rng)
    if separator == "\t":  # most programs that write tabs write no quotation marks
        good = [row for row in good if not set('\t"') & set("".join(row[:2]))]
    for user, item, time in good:
        notes = [rng.choice(OTHERS) if separator != "\t" else "plain" for _ in range(others)]
        fields = [user, item, *notes, str(time)]
        lines.append(csv_line(rng, [fields[number] for number in order], separator).encode())
        if rng.random() < 0.25:
            lines.append(broken_line(rng, "u", "7", separator, len(header), places["timestamp"]))
    end = rng.choice([b"\n", b"\r\n"])
    content = end.join(line.replace(b"\n", end) for line in lines) + end
    path.write_bytes(gzip.compress(content) if rng.random() < 0.2 else content)
    return sorted(good), len(lines) - 1


def json_file(rng: random.Random, path: Path) -> tuple[list[Triple], int]:
    """The same as JSON lines."""
    good = [(user, str(rng.randrange(9)) if rng.random() < 0.3 else item, time) for user, item, time in triples(rng)]
    lines: list[bytes] = []
    for user, item, time in good:
        record = {
            "user_id": user,
            "item_id": item,
            "timestamp": time,
            "note": rng.choice([None, 1, "x", [1], {"a": 1}]),
        }
        if item.isdigit() and not item.startswith("0"):
            record["item_id"] = int(item)
        lines.append(json.dumps(record, ensure_ascii=rng.random() < 0.5).encode())
        if rng.random() < 0.25:
            bad = [
                b'{"user_id": "u"',
                b"[1]",
                b"",
                b'{"user_id": "u", "user_id": "v", "item_id": "7", "timestamp": 1600000000}',
            ]
            bad += [json.dumps(record | {"timestamp": wrong}).encode() for wrong in ("soon", [], True, "1e9")]
            bad += [json.dumps(record | {"user_id": None}).encode(), json.dumps(record | {"item_id": 1.5}).encode()]
            lines.append(rng.choice(bad))
    path.write_bytes(b"\n".join(lines) + b"\n")
    return sorted(good), len(lines)


def check_table(rng: random.Random, folder: Path) -> None:
    """A generated table gives exactly the rows that were put into it."""
    is_json = rng.random() < 0.3
    path = folder / ("log.jsonl" if is_json else "log.csv")
    good, count = (json_file if is_json else table_file)(rng, path)
    imported = read("tables", path)
    if imported is None:
        assert not good or count <= 1, path.read_bytes()
        return
    assert rows_of(imported) == good, path.read_bytes()
    counts = imported.report.rows["interactions"]
    assert (counts.read, counts.kept) == (count, len(good)), path.read_bytes()


def mutated(rng: random.Random, content: bytes) -> bytes:
    """Some bytes are changed, cut, doubled or put in."""
    data = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(data) + 1)
        match rng.randrange(6):
            case 0 if data:
                data[min(place, len(data) - 1)] = rng.randrange(256)
            case 1:
                del data[place : place + rng.randint(1, 30)]
            case 2:
                data[place:place] = rng.choice(
                    [b'"', b"\0", b"\n", b"\r", b"\xff", b",", b"\t", b"::", b"{", b"}", b"[", b"'"]
                )
            case 3:
                data[place:place] = data[place : place + rng.randint(1, 40)]
            case 4:
                data[place:place] = rng.choice(
                    [b"NaN", b"-1", b"1e400", b"9" * 30, "ü".encode(), b"\xef\xbb\xbf", b"\\u0000"]
                )
            case _:
                del data[rng.randrange(len(data) + 1) :]
    return bytes(data)


def check_layout(rng: random.Random, folder: Path) -> None:
    """A published layout, one of whose files was damaged, is read or refused in one line."""
    source = rng.choice(LAYOUTS)(folder / "source")
    place = source if source.exists() else folder / "source"
    files = sorted(path for path in (folder / "source").rglob("*") if path.is_file())
    path = rng.choice(files)
    path.write_bytes(mutated(rng, path.read_bytes()))
    read("auto", place)


def check_other(rng: random.Random, folder: Path) -> None:
    """Sequences, Parquet and JSON arrays that were damaged, read by any reader."""
    rows = triples(rng)
    kind = rng.randrange(3)
    path = folder / "log.txt"
    if kind == 0:
        lines = (f"{user.split()[0]} {' '.join(item.replace(' ', '') for _, item, _ in rows)}" for user in IDS[:6])
        path.write_bytes(mutated(rng, "\n".join(lines).encode()))
    elif kind == 1:
        frame = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
        frame.write_parquet(path)
        path.write_bytes(mutated(rng, path.read_bytes()))
    else:
        records = [dict(zip(("user_id", "item_id", "timestamp"), row, strict=True)) for row in rows]
        path.write_bytes(mutated(rng, json.dumps(records).encode()))
    read(rng.choice(["tables", "sequences", "auto"]), path)


def fuzz(count: int, seed: int, folder: Path) -> None:
    for number in range(count):
        rng = random.Random(f"{seed} {number}")
        place = folder / "one"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        rng.choices([check_table, check_layout, check_other], [5, 3, 2])[0](rng, place)


@pytest.mark.parametrize("seed", range(3))
def test_some_hundred_files(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", random.Random(seed).choice([16, 64, 1 << 24]))
    fuzz(120, seed, tmp_path)


@pytest.mark.slow
def test_ten_thousand_files(tmp_path: Path) -> None:
    fuzz(10_000, 99, tmp_path)


def test_a_whole_import_of_a_fuzzed_table_is_written_and_read(tmp_path: Path) -> None:
    for number in range(10):
        rng = random.Random(f"whole {number}")
        good, count = table_file(rng, tmp_path / "log.csv")
        report = import_place("tables", str(tmp_path / "log.csv"), tmp_path / "out", OPTIONS) if good else None
        if report is not None:
            assert (report.rows["interactions"].read, report.interactions) == (count, len(good))
            rejects = pl.read_parquet(tmp_path / "out" / "rejects.parquet")
            assert rejects.height == report.rejects == count - len(good)
