"""A table gives back the packs that it was made of, whichever way it went: joined, written, read."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmsrarec.models.packing.pack_table import PackTable, before, ranges
from mmsrarec.models.packing.packed_prompt import PackedPrompt, TokenSpan
from mmsrarec.models.packing.soft_ids import SoftKind, soft_id

token = st.integers(0, 300) | st.builds(soft_id, st.sampled_from(list(SoftKind)), st.integers(0, 50))
span = st.builds(TokenSpan, st.lists(token, max_size=5), st.lists(st.integers(0, 9), max_size=2))


@st.composite
def lists_of_packs(draw: st.DrawFn, min_size: int = 0) -> list[PackedPrompt]:
    """Packs that all have a state, or that all have none."""
    packs = draw(st.lists(st.tuples(span, st.lists(span, max_size=4)), min_size=min_size, max_size=6))
    rng = np.random.default_rng(len(packs)) if draw(st.booleans()) else None
    states = [None if rng is None else rng.normal(size=3).astype(np.float32) for _ in packs]
    return [PackedPrompt(*parts, state) for parts, state in zip(packs, states, strict=True)]


def parts_of(pack: PackedPrompt) -> tuple:
    """What equal packs have equal."""
    return pack.shared, pack.candidates, None if pack.state is None else pack.state.tolist()


def same(table: PackTable, packs: list[PackedPrompt]) -> bool:
    return [parts_of(table[row]) for row in range(len(table))] == [parts_of(pack) for pack in packs]


@given(lists_of_packs())
def test_packs_come_back(packs: list[PackedPrompt]) -> None:
    table = PackTable.of(packs)
    assert len(table) == len(packs)
    assert same(table, packs)
    assert table.lengths.tolist() == [len(pack) for pack in packs]
    assert table.part_counts.sum() == len(table.part_lengths) == len(table.picture_counts)


@given(st.lists(lists_of_packs(min_size=1), min_size=1, max_size=4))
def test_joined_tables_are_the_table_of_all(groups: list[list[PackedPrompt]]) -> None:
    stateful = groups[0][0].state is not None
    groups = [group for group in groups if (group[0].state is not None) == stateful]
    joined = PackTable.joined([PackTable.of(group) for group in groups])
    assert same(joined, [pack for group in groups for pack in group])


@pytest.mark.parametrize("stateful", [True, False])
def test_what_is_written_is_read(stateful: bool, tmp_path: Path) -> None:
    state = np.array([0.5, -1.0], dtype=np.float32) if stateful else None
    packs = [
        PackedPrompt(TokenSpan([1, soft_id(SoftKind.USER)]), [TokenSpan([2, 2], [7]), TokenSpan([3])], state),
        PackedPrompt(TokenSpan([4]), [], state),
    ]
    PackTable.of(packs).save(tmp_path / "packs.safetensors")
    loaded = PackTable.load(tmp_path / "packs.safetensors")
    assert same(loaded, packs)
    assert (loaded.states is None) != stateful
    assert loaded.ids.dtype == np.int32


@given(lists_of_packs(min_size=1), st.data())
def test_parts_of_some_rows(packs: list[PackedPrompt], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.integers(0, len(packs) - 1), min_size=1, max_size=5))
    table = PackTable.of(packs)
    parts, place, number = table.parts_of(np.array(rows))
    expected = [
        (at, n, part.ids, part.pictures)
        for at, row in enumerate(rows)
        for n, part in enumerate([packs[row].shared, *packs[row].candidates])
    ]
    found = zip(place.tolist(), number.tolist(), map(table.part_ids, parts.tolist()), strict=True)
    assert [(at, n, ids.tolist()) for at, n, ids in found] == [(at, n, ids) for at, n, ids, _ in expected]
    assert table.pictures_of(parts) == [code for *_, pictures in expected for code in pictures]


@given(st.lists(st.integers(0, 4), max_size=6))
def test_sums_before_and_ranges(counts: list[int]) -> None:
    assert before(counts).tolist() == [sum(counts[:place]) for place in range(len(counts))]
    assert ranges(np.array(counts, dtype=np.int64)).tolist() == [place for count in counts for place in range(count)]
