"""The core of a log."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from importing import import_sequences, import_tables, source_of

from mmsrarec.cli import commands
from mmsrarec.data.dataset import Dataset, Item, make_interactions
from mmsrarec.data.folder import load
from mmsrarec.data.kcore import drop_unused, in_core
from mmsrarec.errors import MmsrarecError

LOG = "u1 a b c\nu2 a b\nu3 a b d\nu4 d\n"


def test_what_falls_pulls_others_along() -> None:
    user, item = np.array([0, 0, 1, 1, 2, 2, 3]), np.array([0, 1, 0, 1, 0, 2, 2])
    # user 3 is thin, then item 2 is, then user 2
    assert in_core(user, item, (2, 2)).tolist() == [True] * 4 + [False] * 3
    assert in_core(user, item, (1, 1)).all()


@given(
    rows=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=40),
    core=st.tuples(st.integers(0, 4), st.integers(0, 4)),
    order=st.randoms(),
)
@settings(max_examples=60, deadline=None)
def test_dropping_one_thin_event_at_a_time_in_any_order_ends_at_the_same_core(rows, core, order) -> None:
    user, item = np.array(rows).T
    left = list(range(len(rows)))

    def thin(row: int) -> bool:
        return any(np.count_nonzero(codes[left] == codes[row]) < n for codes, n in zip((user, item), core, strict=True))

    while found := [row for row in left if thin(row)]:
        left.remove(order.choice(found))
    try:
        kept = np.flatnonzero(in_core(user, item, core)).tolist()
    except MmsrarecError:
        kept = []
    assert kept == left


def test_an_empty_core_is_an_error() -> None:
    with pytest.raises(MmsrarecError, match="core of this log is empty"):
        in_core(np.array([0, 1]), np.array([0, 0]), (2, 1))


def test_users_and_items_without_events_go() -> None:
    interactions = make_interactions(np.array([2, 0]), np.array([3, 1]), np.array([5, 6]), 3, 4)
    dataset = Dataset("d", tuple(Item(name) for name in "abcd"), ("x", "y", "z"), interactions)
    left = drop_unused(dataset)
    assert ([item.item_id for item in left.items], left.user_ids) == (["b", "d"], ("x", "z"))
    assert [left.interactions.items_of(user).tolist() for user in (0, 1)] == [[0], [1]]
    assert left.interactions.time.tolist() == [6, 5]


def test_sequences_are_cut_to_the_core_before_their_steps_are_counted(tmp_path: Path) -> None:
    report = import_sequences(*source_of(tmp_path, LOG, None), core=(2, 3))
    dataset = load(tmp_path / "out")
    assert (report.users, report.items, report.interactions) == (3, 2, 6)
    assert [item.item_id for item in dataset.items] == ["a", "b"]
    assert dataset.interactions.time.tolist() == [1, 2] * 3


def test_tables_are_cut_to_the_core(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "items.jsonl").write_text("".join(f'{{"item_id": "{name}", "title": "{name}"}}\n' for name in "abcd"))
    lines = [f"{user},{item},{1_500_000_000 + n}" for n, (user, item) in enumerate(["xa", "xb", "ya", "yb", "zd"])]
    (source / "interactions.csv").write_text("\n".join(["user_id,item_id,timestamp", *lines]) + "\n")
    report = import_tables(source, tmp_path / "out", core=(2, 2))
    assert (report.users, report.items, report.interactions) == (2, 2, 4)
    assert load(tmp_path / "out").user_ids == ("x", "y")


def test_the_command_line_names_the_core(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, out, _ = source_of(tmp_path, LOG, None)
    assert commands.call(["import", "sequences", str(log), "--out", str(out), "--core", "2,3"]) == 0
    assert len(load(out).items) == 2
    assert commands.call(["import", "sequences", str(log), "--out", str(out), "--core", "two"]) == 2
    assert "--core two: expected U,I" in capsys.readouterr().err
