"""Operations are counted by one rule, and the rule gives what torch counts."""

import pytest
import torch
from architectures import tiny_of
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from mmsrarec.models.backbone.adapter import add_adapter
from mmsrarec.models.sizes.model_size import count
from mmsrarec.pipeline.cost_plan.work import Work, forward, pack_pairs, training, writing

TINY = count(tiny_of("llama").model, "llama")


def tiny_counts(trained_from: int | None, tokens: int) -> tuple[float, float]:
    """Operations of a prompt of a tiny Llama's linear maps: what the rule says, and what torch counts."""
    mllm = tiny_of("llama")
    size = count(mllm.model, "llama")
    if trained_from is not None:
        add_adapter(mllm, 4, trained_from, seed=0)
    embedded = mllm.embed(torch.zeros(1, tokens, dtype=torch.long), None)
    with FlopCounterMode(display=False) as counter:
        states = mllm.decoder(inputs_embeds=embedded, use_cache=False).last_hidden_state
        if trained_from is not None:
            states.sum().backward()
    products = ("mm", "addmm", "bmm")
    by_kind = counter.get_flop_counts()["Global"]
    counted = sum(value for kind, value in by_kind.items() if str(kind).split(".")[-1] in products)
    rule = forward(size, tokens) if trained_from is None else training(size, 4, trained_from, tokens)
    return rule.flops, counted


def test_a_forward_pass_is_two_operations_a_weight_and_token() -> None:
    rule, counted = tiny_counts(None, 40)
    assert counted == pytest.approx(rule, rel=0.05)  # the rotation of positions is a small product


@pytest.mark.parametrize("first", [0, 1])
def test_training_adds_two_a_frozen_weight_in_the_layers_with_lora_and_six_a_trained_one(first: int) -> None:
    rule, counted = tiny_counts(first, 40)
    assert counted == pytest.approx(rule, rel=0.12)  # the gradient for the lowest layer's input is never asked for


@given(st.integers(1, 50), st.integers(1, 9), st.integers(0, 9))
def test_pairs_of_a_pack_are_those_of_its_prompts_without_what_they_share(shared: int, own: int, n: int) -> None:
    whole = sum(range(1, shared + own + 1))
    start = sum(range(1, shared + 1))
    assert pack_pairs(shared, own, n) == start + n * (whole - start)


@given(st.integers(1, 300), st.integers(1, 40), st.integers(1, 64))
def test_writing_is_reading_the_same_tokens_and_the_head(prompt: int, new: int, batch: int) -> None:
    written, read = writing(TINY, prompt, new, batch), forward(TINY, prompt + new)
    head = 2.0 * TINY.head_weights * new
    assert written.flops + forward(TINY, prompt).flops == pytest.approx(read.flops + head)
    assert written.attention_flops + forward(TINY, prompt).attention_flops == pytest.approx(read.attention_flops)
    assert written.reads * batch == pytest.approx(written.flops / 2)


def test_work_is_multiplied() -> None:
    assert Work(1, 2, 3, 4, trains=True).times(2.5) == Work(2.5, 5, 7.5, 10, trains=True)
