"""Tables as people have them: HTML, guests without an id, times that are none, steps, files of a Mac, packed files."""

import gzip
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from importing import import_amazon, import_sequences, import_tables, rejects_of
from paths import CASES, SHARED_DATA

from mmsrarec.cli import commands
from mmsrarec.data.checking.check_data import check
from mmsrarec.data.folder import load, save
from mmsrarec.data.splits import check_clock
from mmsrarec.errors import MmsrarecError
from mmsrarec.summarize.keyword_parsing import fallback

STEP_SETS = ("amazon-beauty-2014", "amazon-games-2018", "amazon-office-2018-recent", "amazon-toys-2014")


def source_of(folder: Path, rows: list[str], items: str = "abc", header: str = "user_id,item_id,timestamp") -> Path:
    folder.mkdir()
    lines = [json.dumps({"item_id": item, "title": f"Title {item}"}) for item in items]
    (folder / "items.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "interactions.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return folder


def rows_of(n: int, factor: int = 1) -> list[str]:
    return [f"u{i % 9},{'abc'[i % 3]},{(1_700_000_000 + i) * factor}" for i in range(n)]


def test_descriptions_in_html_become_words(tmp_path: Path) -> None:
    import_tables(CASES / "html-descriptions", tmp_path / "out", max_rejects=0)
    dataset = load(tmp_path / "out")
    words = set()
    for item in dataset.items:
        for text in (item.title, item.text):
            assert not re.search(r"[<>]|&\w+;|style|font|script|var a", text)
        words |= {word for phrase in fallback(item, 6) for word in phrase.split()}
    assert dataset.items[5].title == "Rug & mat"
    assert dataset.items[5].text == "Jute & wool"
    assert {"walnut", "linen", "merino", "indigo", "celadon"} <= words
    assert not words & {"div", "class", "span", "rte", "meta", "charset", "margin", "product-single", "description"}
    assert load(CASES / "html-descriptions").items == dataset.items  # without the import the texts are the same


def test_guests_are_set_aside_and_are_no_faults(tmp_path: Path) -> None:
    report = import_tables(CASES / "null-users", tmp_path / "out", max_rejects=0)
    assert (report.null_users, report.rejects, report.interactions) == (15, 15, 45)
    nobody = {"NULL", "nan", "None", r"\N", "undefined"}
    dataset = load(tmp_path / "out")
    assert not nobody & set(dataset.user_ids)
    assert {"0", "-1"} <= set(dataset.user_ids)
    assert report.placeholder_users == {}  # they have no more than others here
    assert all(
        file == "interactions.csv" and "names nothing" in reason for file, _, reason in rejects_of(tmp_path / "out")
    )
    with pytest.raises(MmsrarecError, match=r"line 2: user_id is 'NULL'.*mmsrarec import set it aside"):
        load(CASES / "null-users")


@pytest.mark.parametrize(
    "name", ["NULL", "null", r"\N", "nan", "NaN", "None", "undefined", "<NA>", "N/A", "", "  ", "\u200b"]
)
def test_nobody_is_written_in_many_ways(tmp_path: Path, name: str) -> None:
    items = ["a", "b", "c", name]
    rows = [f"{name},a,1700000000", *rows_of(20), f"u1,{name},1700000000"]
    source = source_of(tmp_path / "source", rows, items)  # type: ignore[arg-type]
    report = import_tables(source, tmp_path / "out", max_rejects=0)
    assert (report.null_users, report.null_items, report.rejects, report.interactions) == (1, 2, 3, 20)
    assert [row[:2] for row in rejects_of(tmp_path / "out")] == [
        ("items.jsonl", "4"),
        ("interactions.csv", "2"),
        ("interactions.csv", "23"),
    ]
    (tmp_path / "log").write_text("\n".join([f"u{i} a b {name or 'NULL'} c" for i in range(4)]) + "\nNaN a b\n")
    report = import_sequences(tmp_path / "log", tmp_path / "steps", max_rejects=0)
    if name.strip() and name != "\u200b":
        assert (report.null_users, report.null_items, report.interactions) == (1, 4, 12)
    reviews = [
        {"user_id": u, "asin": i, "timestamp": 1_700_000_000_000 + n} for n, (u, i) in enumerate(["ua", "vb"] * 3)
    ]
    reviews += [{"user_id": name, "asin": "a", "timestamp": 1_700_000_000_000}, {"user_id": None, "asin": "a"}]
    reviews += [{"user_id": "u", "asin": name, "timestamp": 1_700_000_000_000}]
    (tmp_path / "reviews.jsonl").write_text("".join(json.dumps(review) + "\n" for review in reviews), encoding="utf-8")
    report = import_amazon(tmp_path / "reviews.jsonl", tmp_path / "amazon", max_rejects=0)
    assert (report.null_users, report.null_items, report.interactions) == (2, 1, 6)


def test_only_nobody_is_said(tmp_path: Path) -> None:
    source = source_of(tmp_path / "source", ["NULL,a,1700000000"] * 3)
    with pytest.raises(
        MmsrarecError, match="holds no interactions: 3 lines were set aside, the first is line 2: user_id"
    ):
        import_tables(source, tmp_path / "out")


def test_zero_and_minus_one_are_kept_and_named_where_they_are_many(tmp_path: Path) -> None:
    rows = rows_of(90) + [f"0,{'abc'[i % 3]},{1_700_001_000 + i}" for i in range(60)] + ["-1,a,1700000000"]
    report = import_tables(source_of(tmp_path / "source", rows), tmp_path / "out", max_rejects=0)
    assert report.placeholder_users == {"0": 60}
    assert check(load(tmp_path / "out")).placeholder_users == {"0": 60}
    assert report.interactions == len(rows)


def test_times_before_1970_are_refused_with_their_dates_everywhere(tmp_path: Path) -> None:
    with pytest.raises(MmsrarecError, match="1960-06-30 to 1960-07-14"):
        import_tables(CASES / "negative-times", tmp_path / "out", max_rejects=1)
    with pytest.raises(MmsrarecError, match="1960-06-30 to 1960-07-14"):
        load(CASES / "negative-times")
    assert not (tmp_path / "out").exists()


def test_unknown_times_among_milliseconds_are_set_aside(tmp_path: Path) -> None:
    report = import_amazon(CASES / "negative-times" / "reviews.jsonl", tmp_path / "out", max_rejects=0)
    assert (report.unknown_times, report.rejects, report.interactions, report.unit) == (2, 2, 28, "milliseconds")
    assert [row[1] for row in rejects_of(tmp_path / "out")] == ["4", "8"]
    interactions = load(tmp_path / "out").interactions
    assert interactions.time.min() >= 1_600_000_000
    assert interactions.n_items == len(np.unique(interactions.item))  # who was in those lines alone is not there


@pytest.mark.parametrize("odd", ["0", "-1", "-62135596800", "", "NULL"])
def test_one_unknown_time_is_set_aside_at_import_and_named_by_load(tmp_path: Path, odd: str) -> None:
    source = source_of(tmp_path / "source", [*rows_of(20), f"alone,a,{odd}"])
    report = import_tables(source, tmp_path / "out", max_rejects=0)
    assert (report.unknown_times, report.rejects, report.users, report.interactions) == (1, 1, 9, 20)
    assert rejects_of(tmp_path / "out")[0][:2] == ("interactions.csv", "22")
    with pytest.raises(MmsrarecError, match=r"interactions\.csv, line 22: timestamp"):
        load(source)


def test_a_time_of_no_plausible_date_is_a_fault(tmp_path: Path) -> None:
    source = source_of(tmp_path / "source", [*rows_of(200), "u1,a,5", "u1,b,1700000000000"])
    with pytest.raises(MmsrarecError, match="1 look like milliseconds"):
        import_tables(source, tmp_path / "out", max_rejects=0.005)
    report = import_tables(source, tmp_path / "out", max_rejects=0.01)
    assert (report.rejects, report.unknown_times, report.interactions) == (2, 0, 200)
    assert [row[2][:16] for row in rejects_of(tmp_path / "out")] == ["timestamp 5 woul", "timestamp 170000"]


@pytest.mark.parametrize("name", ["interactions.csv", "interactions-gz.csv", "interactions-zip.csv"])
def test_a_mac_s_lines_and_packed_tables_are_read_alike(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    shutil.copyfile(CASES / "header-with-cr" / "items.jsonl", source / "items.jsonl")
    shutil.copyfile(CASES / "header-with-cr" / name, source / "interactions.csv")
    assert commands.call(["import", "tables", str(source), "--out", str(tmp_path / "out"), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["users"], report["interactions"], report["rejects"]) == (8, 40, 0)
    assert commands.call(["check", str(source), "--json"]) == 0
    by_hand = json.loads(capsys.readouterr().out)
    assert commands.call(["check", str(tmp_path / "out"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) | {"data": by_hand["data"]} == by_hand


def test_a_packed_file_by_its_ending_alone(tmp_path: Path) -> None:
    source = source_of(tmp_path / "source", rows_of(20))
    packed = gzip.compress((source / "interactions.csv").read_bytes())
    (source / "interactions.csv.gz").write_bytes(packed)
    (source / "interactions.csv").unlink()
    assert import_tables(source, tmp_path / "out").interactions == 20


@pytest.mark.parametrize("name", STEP_SETS)
def test_real_logs_of_steps_are_recognised(tmp_path: Path, name: str) -> None:
    if not (SHARED_DATA / name).is_dir():
        pytest.skip("the set is not beside this checkout")
    source = tmp_path / "source"
    source.mkdir()
    for table in ("items.jsonl", "interactions.csv"):  # without pictures, which would take a while
        shutil.copyfile(SHARED_DATA / name / table, source / table)
    report = import_tables(source, tmp_path / "out", max_rejects=0)
    assert report.times.startswith("steps")
    dataset = load(tmp_path / "out")
    assert (dataset.times, dataset.has_clock, load(source).times) == ("steps", False, "steps")
    assert len(dataset.interactions) == sum(1 for _ in (source / "interactions.csv").open()) - 1


def test_steps_are_declared_kept_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"u{i % 9},{'abc'[i % 3]},{20_000_000 + i}" for i in range(30)]
    source = source_of(tmp_path / "source", rows)
    arguments = ["import", "tables", str(source), "--out", str(tmp_path / "out"), "--json"]
    assert commands.call(arguments) == 2
    assert "--time steps" in capsys.readouterr().err
    assert commands.call([*arguments, "--time", "steps"]) == 0
    assert json.loads(capsys.readouterr().out)["times"].startswith("steps")
    dataset = load(tmp_path / "out")
    assert dataset.times == "steps"
    save(dataset, tmp_path / "again")
    assert load(tmp_path / "again").times == "steps"
    assert commands.call(["check", str(tmp_path / "out"), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["times"] == "steps"
    assert answer["cold_share"].keys() == {"leave-one-out", "user-8-1-1"}
    assert commands.call([*arguments, "--time", "fortnights"]) == 2
    assert (
        commands.call(["import", "sequences", str(source / "interactions.csv"), "--out", "x", "--time", "seconds"]) == 2
    )
    assert "--time seconds does not belong to this source: it has no times" in capsys.readouterr().err


def test_what_needs_a_clock_is_refused_for_steps(tmp_path: Path) -> None:
    import_tables(source_of(tmp_path / "a", ["u1,a,1", "u1,b,2", "u2,c,2"]), tmp_path / "steps")
    import_tables(source_of(tmp_path / "b", rows_of(20)), tmp_path / "seconds")
    steps, seconds = load(tmp_path / "steps"), load(tmp_path / "seconds")
    check_clock(seconds, ["leave-one-out", "time-cut"], ["recommend.prompt_fields.recency"])
    check_clock(steps, ["leave-one-out", "user-8-1-1"])
    for splits, shown in ((["time-cut"], []), (["leave-one-out"], ["recommend.prompt_fields.trend"])):
        with pytest.raises(MmsrarecError, match=r"are steps.*(time-cut|trend)"):
            check_clock(steps, splits, shown)


def test_sequences_declare_steps(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("u1 a b\nu2 b a c\n")
    (tmp_path / "titles.csv").write_text("item,title\na,<b>Rug</b> &amp; mat\nNaN,None\n")
    report = import_sequences(tmp_path / "log", tmp_path / "out", tmp_path / "titles.csv", max_rejects=0)
    assert load(tmp_path / "out").times == "steps"
    assert load(tmp_path / "out").items[0].title == "Rug & mat"
    assert report.null_items == 1
    assert rejects_of(tmp_path / "out")[0][:2] == ("titles.csv", "3")
