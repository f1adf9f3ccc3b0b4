"""A batch that is laid out by whole arrays equals one that is laid out token by token, for any packs and any model."""

from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsrarec.models.packing.pack_table import PackTable
from mmsrarec.models.packing.packed_batch import ALIGNED_TOKENS, collate, collate_rows
from mmsrarec.models.packing.packed_prompt import PackedPrompt, TokenSpan
from mmsrarec.models.packing.soft_ids import LAST, SoftKind, soft_id
from mmsrarec.models.vision.vision_layout import VisionLayout

PAD, IMAGE = 77, 9
LAYOUTS = [VisionLayout(), VisionLayout(IMAGE), VisionLayout(IMAGE, axes=3), VisionLayout(IMAGE, mutual=True)]


@dataclass
class Expected:
    """A batch as lists: a row for each pack, and for each token a place in it."""

    ids: list[list[int]] = field(default_factory=list)
    positions: list[list[list[int]]] = field(default_factory=list)
    masked: list[list[bool]] = field(default_factory=list)
    blocks: list[list[int]] = field(default_factory=list)
    answers: list[tuple[int, int]] = field(default_factory=list)
    pictures: list[int] = field(default_factory=list)
    states: list[list[float]] = field(default_factory=list)


def written_out(packs: list[PackedPrompt], vision: VisionLayout) -> tuple[Expected, int, int]:
    """The batch token by token; the length of its shared part, and of the slot of a candidate."""
    longest = max(len(pack.shared.ids) for pack in packs)
    shared = ALIGNED_TOKENS * ((longest + ALIGNED_TOKENS - 1) // ALIGNED_TOKENS)
    slot = max((len(part.ids) for pack in packs for part in pack.candidates), default=0)
    most = max(len(pack.candidates) for pack in packs)
    expected = Expected()
    for number, pack in enumerate(packs):
        ids, blocks = [PAD] * (shared + most * slot), [-1] * (shared + most * slot)
        axes = [[0] * len(ids) for _ in range(vision.axes)]
        follows = 0
        for part_number, part in enumerate([pack.shared, *pack.candidates]):
            at = shared + slot * (part_number - 1) if part_number else 0
            placed = vision.positions(part.ids, len(part.pictures), follows if part_number else 0).tolist()
            shown = vision.blocks(part.ids, len(part.pictures)).tolist()
            for step, token in enumerate(part.ids):
                ids[at + step], blocks[at + step] = token, shown[step]
                for axis, row in enumerate(axes):
                    row[at + step] = placed[axis][step]
            if part_number:
                expected.answers.append((number, at + len(part.ids) - 1))
            elif part.ids:
                follows = 1 + max(max(row) for row in placed)
            expected.pictures += part.pictures
        expected.ids.append(ids)
        expected.positions.append(axes)
        expected.blocks.append(blocks)
        expected.masked.append([place >= len(pack.shared.ids) for place in range(shared)])
        if pack.state is not None:
            expected.states += [pack.state.tolist() for token in ids if token <= LAST]
    return expected, shared, slot


@st.composite
def spans(draw: st.DrawFn, soft: bool, min_size: int) -> TokenSpan:
    """Words, soft tokens, and pictures of one size each."""
    word = st.integers(10, 40)
    kinds = st.builds(soft_id, st.sampled_from(list(SoftKind)), st.integers(0, 9))
    ids = draw(st.lists(word | kinds if soft else word, min_size=min_size, max_size=6))
    size, pictures = draw(st.sampled_from([1, 2, 4])), draw(st.lists(st.integers(0, 9), max_size=2))
    for _ in pictures:
        ids += [IMAGE] * size + draw(st.lists(word, max_size=2))
    return TokenSpan(ids, pictures)


@st.composite
def batches(draw: st.DrawFn) -> list[PackedPrompt]:
    soft = draw(st.booleans())
    parts = st.tuples(spans(soft, 0), st.lists(spans(soft, 1), max_size=4))
    drawn = draw(st.lists(parts, min_size=1, max_size=4))
    states = np.random.default_rng(len(drawn)).normal(size=(len(drawn), 3)).astype(np.float32)
    return [PackedPrompt(*pack, state if soft else None) for pack, state in zip(drawn, states, strict=True)]


@pytest.mark.parametrize("vision", LAYOUTS, ids=["words", "pictures", "three axes", "mutual"])
@settings(max_examples=150, deadline=None)
@given(packs=batches())
def test_a_batch_equals_one_written_out(vision: VisionLayout, packs: list[PackedPrompt]) -> None:
    expected, shared, slot = written_out(packs, vision)
    batch = collate(packs, PAD, torch.float32, vision)
    assert (batch.layout.shared, batch.layout.length) == (shared, slot)
    assert batch.layout.candidates == max(len(pack.candidates) for pack in packs)
    assert batch.ids.tolist() == expected.ids
    positions = batch.positions.transpose(0, 1) if vision.axes > 1 else batch.positions[:, None]
    assert positions.tolist() == expected.positions
    assert batch.mask.shape == (len(packs), 1, 1, shared)
    assert (batch.mask[:, 0, 0] < 0).tolist() == expected.masked
    assert set(batch.mask.flatten().tolist()) <= {0.0, torch.finfo(torch.float32).min}
    assert list(zip(*map(torch.Tensor.tolist, batch.answers), strict=True)) == expected.answers
    assert batch.pictures == expected.pictures
    assert (batch.layout.blocks is not None) == vision.mutual
    if batch.layout.blocks is not None:
        assert batch.layout.blocks.tolist() == expected.blocks
    assert (batch.states is None) == (packs[0].state is None)
    assert batch.states is None or batch.states.tolist() == expected.states


@settings(max_examples=50, deadline=None)
@given(packs=batches(), data=st.data())
def test_rows_of_a_table_are_laid_out_as_their_packs(packs: list[PackedPrompt], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.integers(0, len(packs) - 1), min_size=1, max_size=4))
    found = collate_rows(PackTable.of(packs), np.array(rows), PAD, torch.bfloat16, LAYOUTS[2])
    expected = collate([packs[row] for row in rows], PAD, torch.bfloat16, LAYOUTS[2])
    for name in ("ids", "positions", "mask"):
        assert torch.equal(getattr(found, name), getattr(expected, name))
    assert found.mask.dtype == torch.bfloat16
    assert found.pictures == expected.pictures
    assert (found.layout.shared, found.layout.length) == (expected.layout.shared, expected.layout.length)


def test_packs_without_candidates_have_no_answers() -> None:
    batch = collate([PackedPrompt(TokenSpan([5, 6]), []), PackedPrompt(TokenSpan([7]), [])], PAD, torch.float32)
    assert batch.ids.shape == (2, ALIGNED_TOKENS)
    assert (batch.layout.candidates, batch.layout.length) == (0, 0)
    assert [part.tolist() for part in batch.answers] == [[], []]


def test_each_soft_token_has_its_own_packs_state() -> None:
    user, item = soft_id(SoftKind.USER), soft_id(SoftKind.CANDIDATE, 3)
    first = PackedPrompt(TokenSpan([user, 1]), [TokenSpan([item]), TokenSpan([2])], np.ones(2, dtype=np.float32))
    second = PackedPrompt(TokenSpan([1]), [TokenSpan([item])], np.zeros(2, dtype=np.float32))
    batch = collate([second, first], PAD, torch.float32)
    assert batch.states is not None
    assert batch.states.tolist() == [[0, 0], [1, 1], [1, 1]]
    assert int((batch.ids < 0).sum()) == 3
