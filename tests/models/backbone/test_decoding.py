"""Decoding: padding on the left, the choice of tokens, and answers that end where they should."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import tiny_mllm

from mmsrarec.models.backbone.decoding import choose_tokens, generate_ids, pad_left

MLLM = tiny_mllm()
prompts_of_ids = st.lists(st.lists(st.integers(3, 300), min_size=1, max_size=9), min_size=1, max_size=5)
logit_rows = st.lists(st.lists(st.integers(-40, 40), min_size=4, max_size=4), min_size=1, max_size=5)
quick = settings(deadline=None, max_examples=40)


def generated(prompts: list[list[int]], tokens: int, **changed) -> list[list[int]]:
    given = {"stop": lambda text: False, "samples": 1, "temperature": 0.0, "draws": None} | changed
    with torch.inference_mode():
        return generate_ids(MLLM, prompts, [None] * len(prompts), tokens, **given)


def draws(n: int, seed: int) -> torch.Tensor:
    return torch.rand(n, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("draw", "token"), [(0.0, 1), (0.24, 1), (0.26, 3), (0.9999999, 3)])
def test_a_draw_takes_the_token_where_the_summed_probabilities_pass_it(draw: float, token: int) -> None:
    logits = torch.tensor([[0.0, 0.25, 0.0, 0.75, 0.0]]).log()
    assert choose_tokens(logits, 1.0, torch.tensor([draw])).tolist() == [token]


@quick
@given(prompts_of_ids, st.integers(0, 100))
def test_an_answer_is_the_same_whatever_is_answered_beside_it(prompts: list[list[int]], seed: int) -> None:
    numbers = torch.rand(2 * len(prompts), 3, generator=torch.Generator().manual_seed(seed))
    together = generated(prompts, 3, samples=2, temperature=1.0, draws=numbers)
    alone = [
        answer
        for place, prompt in enumerate(prompts)
        for answer in generated([prompt], 3, samples=2, temperature=1.0, draws=numbers[2 * place : 2 * place + 2])
    ]
    assert together == alone


@quick
@given(prompts_of_ids, st.integers(0, 2))
def test_padded_prompts_end_together_and_the_mask_gives_them_back(prompts: list[list[int]], pad: int) -> None:
    ids, mask = pad_left(prompts, pad)
    assert ids.shape == mask.shape == (len(prompts), max(map(len, prompts)))
    assert [row[kept == 1].tolist() for row, kept in zip(ids, mask, strict=True)] == prompts
    assert set(ids[mask == 0].tolist()) <= {pad}
    assert (mask.diff(dim=1) >= 0).all()  # padding, if any, comes first
    assert (mask[:, -1] == 1).all()


@quick
@given(logit_rows)
def test_without_temperature_a_likeliest_token_is_taken_of_each_row(rows: list[list[int]]) -> None:
    logits = torch.tensor(rows, dtype=torch.float32)
    for temperature in (0.0, -1.0):
        tokens = choose_tokens(logits, temperature)
        assert tokens.shape == (len(rows),)
        assert all(row[token] == max(row) for row, token in zip(rows, tokens.tolist(), strict=True))


@quick
@given(logit_rows, st.integers(0, 1000))
def test_a_draw_is_repeated_by_its_number_and_takes_no_impossible_token(rows: list[list[int]], seed: int) -> None:
    logits = torch.tensor(rows, dtype=torch.float32)
    logits[:, 1:3] = -torch.inf
    once, again = (choose_tokens(logits, 0.7, draws(len(rows), seed)) for _ in range(2))
    assert torch.equal(once, again)
    assert set(once.tolist()) <= {0, 3}


@quick
@given(logit_rows, st.integers(-20, 20), st.integers(0, 1000))
def test_draws_depend_on_differences_of_logits_only(rows: list[list[int]], shift: int, seed: int) -> None:
    logits = torch.tensor(rows, dtype=torch.float32)
    drawn = [choose_tokens(each, 1.0, draws(len(rows), seed)) for each in (logits, logits + shift)]
    assert torch.equal(*drawn)


def test_a_low_temperature_takes_the_likeliest_and_a_high_one_takes_all_alike() -> None:
    logits = torch.tensor([0.0, 1.0, 2.0, 3.0]).expand(4000, 4)
    assert set(choose_tokens(logits, 0.01, draws(4000, 0)).tolist()) == {3}
    shares = torch.bincount(choose_tokens(logits, 1e4, draws(4000, 0)), minlength=4) / len(logits)
    torch.testing.assert_close(shares, torch.full((4,), 0.25), atol=0.04, rtol=0)


def test_half_precision_logits_are_drawn_from_without_overflow() -> None:
    logits = torch.tensor([[6e4, -6e4, 5e4]], dtype=torch.float16)
    assert choose_tokens(logits, 0.01, draws(1, 0)).tolist() == [0]


@settings(deadline=None, max_examples=15)
@given(prompts_of_ids, st.integers(1, 5))
def test_a_shorter_limit_gives_the_start_of_the_same_answers(prompts: list[list[int]], tokens: int) -> None:
    long, short = generated(prompts, 6), generated(prompts, tokens)
    assert short == [answer[:tokens] for answer in long]


@settings(deadline=None, max_examples=10)
@given(prompts_of_ids, st.integers(2, 4))
def test_each_likeliest_sample_is_the_answer_itself(prompts: list[list[int]], samples: int) -> None:
    once = generated(prompts, 4)
    assert generated(prompts, 4, samples=samples) == [answer for answer in once for _ in range(samples)]


def test_an_answer_ends_with_the_end_token_and_the_others_go_on() -> None:
    prompts = [[5, 6, 7], [8, 9], [10, 11, 12, 13]]
    free = generated(prompts, 8)
    mllm = tiny_mllm()
    ending = next(token for token in free[0] if token not in free[1] and token not in free[2])
    mllm.__dict__["end_tokens"] = {ending}
    with torch.inference_mode():
        ended = generate_ids(mllm, prompts, [None] * 3, 8, lambda text: False, 1, 0.0, None)
    assert ended[0] == free[0][: free[0].index(ending) + 1]
    assert ended[1:] == free[1:]


@pytest.mark.parametrize("length", [1, 3])
def test_an_answer_leaves_the_batch_as_soon_as_its_text_is_complete(length: int) -> None:
    prompts = [[5, 6, 7], [8, 9]]
    free, seen = generated(prompts, 8), []
    wanted = MLLM.tokenizer.decode(free[0][:length])

    def stop(text: str) -> bool:
        seen.append(text)
        return text == wanted

    stopped = generated(prompts, 8, stop=stop)
    assert stopped[0] == free[0][:length]
    assert stopped[1] == free[1]
    assert seen.count(wanted) == 1  # it is asked no more once it said yes
