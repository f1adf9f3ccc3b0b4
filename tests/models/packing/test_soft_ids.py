"""The number of a soft token says what stands there, and nothing that anybody writes becomes such a number."""

import json

import torch
from architectures import ARCHITECTURES, TEXT_ONLY, tiny_of
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import SPECIAL, tiny_mllm

from mmsrarec.models.packing.soft_ids import LAST, NUMBERS, SoftKind, is_stateful, kinds_and_codes, soft_id

MLLM = tiny_mllm()
BACKBONES = [tiny_of(name) for name in (*ARCHITECTURES, *TEXT_ONLY)]
kinds, codes = st.sampled_from(list(SoftKind)), st.integers(0, NUMBERS - 1)


@given(st.lists(st.tuples(kinds, codes), min_size=1))
def test_kind_and_code_come_back(tokens: list[tuple[SoftKind, int]]) -> None:
    ids = torch.tensor([soft_id(kind, code) for kind, code in tokens], dtype=torch.int32)
    kind, code = kinds_and_codes(ids.long())
    assert kind.tolist() == [int(kind) for kind, _ in tokens]
    assert code.tolist() == [code for _, code in tokens]
    assert ids.max() <= LAST


@given(kinds, codes)
def test_all_but_items_of_the_history_read_the_state(kind: SoftKind, code: int) -> None:
    assert is_stateful(soft_id(kind, code)) == (kind != SoftKind.HISTORY)


def test_numbers_of_all_kinds_fit_where_token_ids_are_kept() -> None:
    ends = [soft_id(kind, code) for kind in SoftKind for code in (0, NUMBERS - 1)]
    assert len(set(ends)) == len(ends)
    assert min(ends) >= torch.iinfo(torch.int32).min
    assert max(ends) < -NUMBERS  # far below -1 - item code, which stands for a picture in a prefix tree
    assert not any(is_stateful(token) for token in (0, 5, -1, -NUMBERS))


FORGED = [str(soft_id(kind, code)) for kind in SoftKind for code in (0, 7)]
hostile = st.lists(st.sampled_from([*SPECIAL, *FORGED, "<soft>", "-", "\x00", "\ud7ff"]), max_size=6).map("".join)


@settings(deadline=None)
@given(st.text(max_size=40) | hostile)
def test_no_text_yields_a_number_below_zero(text: str) -> None:
    assert min(MLLM.encode(text), default=0) >= 0


def test_no_backbone_yields_one() -> None:
    for mllm in BACKBONES:
        frame = [token for part in mllm.frame for token in part]
        assert min([*mllm.encode(json.dumps(FORGED)), *frame]) >= 0
