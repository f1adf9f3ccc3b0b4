"""Importing logs without times."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from importing import LOG, TITLED, import_sequences, rejects_of, source_of
from paths import SHARED_DATA

from mmsrarec.cli import commands
from mmsrarec.data.folder import load
from mmsrarec.data.splits import leave_one_out
from mmsrarec.errors import MmsrarecError


def test_users_items_and_titles_are_kept(tmp_path: Path) -> None:
    report = import_sequences(*source_of(tmp_path), max_rejects=0)
    dataset = load(tmp_path / "out")
    assert (report.items, report.users, report.interactions, report.rejects) == (5, 3, 10, 0)
    assert [(item.item_id, item.title) for item in dataset.items] == [
        ("10", "Nobody's, yet"),
        ("007", "Bond"),
        ("7", ""),
        ("8", ""),
        ("9", ""),
    ]
    taken = [
        [dataset.items[i].item_id for i in dataset.interactions.items_of(dataset.user_code[u])] for u in ("u1", "u3")
    ]
    assert taken == [["7", "007", "8"], ["9", "9", "7", "8", "007"]]
    assert dataset.interactions.counts[0] == 0  # a title alone makes an item
    assert json.loads((tmp_path / "out" / "import.json").read_text())["times"].startswith("steps, aligned at each user")
    assert report.tie_share == 0


def test_times_are_steps_that_end_together(tmp_path: Path) -> None:
    import_sequences(*source_of(tmp_path))
    dataset = load(tmp_path / "out")
    times = {
        user: dataset.interactions.time[dataset.interactions.rows(code)].tolist()
        for user, code in dataset.user_code.items()
    }
    assert times == {"u1": [3, 4, 5], "u2": [4, 5], "u3": [1, 2, 3, 4, 5]}


@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=8))
@settings(max_examples=30, deadline=None)  # each writes a data folder
def test_the_clock_shows_a_test_moment_all_training_and_nobodys_held_out_event(tmp_path_factory, lengths) -> None:
    log = "".join(f"u{user} {' '.join('abcdefghi'[:n])}\n" for user, n in enumerate(lengths))
    folder = tmp_path_factory.mktemp("log")
    import_sequences(*source_of(folder, log, None))
    interactions = load(folder / "out").interactions
    split = leave_one_out(interactions)
    assert interactions.time.min() == 1
    last = interactions.time[interactions.offsets[1:] - 1]
    assert set(last) == {max(lengths)}
    assert (split.test.time == max(lengths)).all()  # strictly before it lies no last interaction of anybody
    kept = split.train.time[np.isin(split.train.user, split.test.user)]
    assert (kept < max(lengths) - 1).all()  # and all training interactions, which validation sees too


def test_faulty_lines_are_set_aside_with_file_line_and_reason(tmp_path: Path) -> None:
    log = LOG.encode() + b"u4\n\nu1 7 7\nu\xff 7\nu5 \x00\nu6 7"
    source = source_of(tmp_path, log, TITLED + '8\n11,"open\n007,James\n007,Bond\n"1 2",Two\n')
    report = import_sequences(*source, max_rejects=0.7)
    assert rejects_of(tmp_path / "out") == [
        ("titles.csv", "5", "1 fields where the header has 2"),
        ("titles.csv", "6", "not CSV (unexpected end of data)"),
        ("titles.csv", "7", "item '007' again, described otherwise than on line 3"),
        ("log.txt", "4", "user 'u4' has no items"),
        ("log.txt", "5", "user '' has no items"),
        ("log.txt", "6", "user 'u1' again, first on line 1"),
        ("log.txt", "7", "not UTF-8"),
        ("log.txt", "8", "holds a zero byte"),
    ]
    assert (report.rejects, report.duplicates, report.users) == (8, 1, 4)


def test_above_the_stated_share_the_import_fails_and_leaves_nothing(tmp_path: Path) -> None:
    source = source_of(tmp_path, LOG + "u4\n")
    with pytest.raises(MmsrarecError, match=r"log\.txt: 1 of 4 lines are faulty.*line 4: user 'u4' has no items"):
        import_sequences(*source, max_rejects=0.2)
    assert not (tmp_path / "out").exists()


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    log, out, titles = source_of(tmp_path)
    with pytest.raises(MmsrarecError, match="not a file"):
        import_sequences(tmp_path, out)
    with pytest.raises(MmsrarecError, match=r"items \(titles\.csv\): no column for item_id .*it has 7, Seven"):
        import_sequences(*source_of(tmp_path, LOG, "7,Seven\n"))
    with pytest.raises(MmsrarecError, match="holds no interactions"):
        import_sequences(*source_of(tmp_path, "", TITLED))
    assert commands.call(["import", "tables", str(tmp_path), "--out", str(out), "--titles", str(titles)]) == 2
    assert commands.call(["import", "else", str(log), "--out", str(out)]) == 2


def test_the_command_line_imports_sequences(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, out, titles = map(str, source_of(tmp_path))
    assert commands.call(["import", "sequences", log, "--out", out, "--titles", titles, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["users"] == 3


@pytest.mark.parametrize(
    ("log", "titles", "counts"),
    [
        ("microlens-50k-text/MicroLens-50k_pairs.tsv", "MicroLens-50k_titles.csv", (50_000, 19_220, 359_708)),
        ("amazon-seq-text/beauty/sequences.txt", None, (22_363, 12_101, 198_502)),
        ("amazon-seq-text/sports/sequences.txt", None, (35_598, 18_357, 296_337)),
        ("amazon-seq-text/toys/sequences.txt", None, (19_412, 11_924, 167_597)),
    ],
)
def test_published_logs_have_their_published_counts(
    tmp_path: Path, log: str, titles: str | None, counts: tuple[int, int, int]
) -> None:
    source = SHARED_DATA / log
    if not source.is_file():
        pytest.skip("the log is not beside this checkout")
    report = import_sequences(source, tmp_path / "out", source.parent / titles if titles else None, max_rejects=0)
    assert (report.users, report.items, report.interactions) == counts
    assert len(load(tmp_path / "out").interactions) == counts[2]
