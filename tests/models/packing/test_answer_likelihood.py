"""Log-probabilities of answers: the same alone, side by side and with pictures, and what greedy answers maximise."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import tiny_mllm

from mmsrarec.models.packing.answer_likelihood import packed_log_probs, token_log_probs
from mmsrarec.models.packing.packed_prompt import PackedPrompt, TokenSpan

MLLM = tiny_mllm()
IDS = st.lists(st.integers(3, 300), min_size=1, max_size=9)


def plainly(prompt: list[int], answer: list[int]) -> torch.Tensor:
    """By the model's own forward, one row at a time."""
    with torch.inference_mode():
        logits = MLLM.model(input_ids=torch.tensor([[*prompt, *answer]])).logits[0].float()
    rows = logits.log_softmax(-1)[len(prompt) - 1 : -1]
    return rows.gather(1, torch.tensor(answer)[:, None])[:, 0]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(IDS, IDS), min_size=1, max_size=5), st.sampled_from([1, 30, 8192]))
def test_a_row_scores_as_it_does_alone(rows: list[tuple[list[int], list[int]]], batch_tokens: int) -> None:
    prompts, answers = [list(part) for part in zip(*rows, strict=True)]
    found = token_log_probs(MLLM, prompts, answers, batch_tokens=batch_tokens)
    for (prompt, answer), values in zip(rows, found, strict=True):
        torch.testing.assert_close(values, plainly(prompt, answer), atol=1e-4, rtol=1e-4)


def test_pictures_matter_and_stay_with_their_rows() -> None:
    seen = torch.randn(2, 4, MLLM.hidden_size, generator=torch.Generator().manual_seed(0))
    prompt, answer = [5, *[MLLM.image_token] * 4, 6], [7, 8]
    together = token_log_probs(MLLM, [prompt, [5, 6], prompt], [answer] * 3, [seen[0], None, seen[1]])
    for row, feature in ((0, seen[0]), (2, seen[1])):
        (alone,) = token_log_probs(MLLM, [prompt], [answer], [feature])
        torch.testing.assert_close(together[row], alone, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(together[0], together[2])


def test_an_empty_answer_has_no_tokens() -> None:
    empty, one = token_log_probs(MLLM, [[5], [5]], [[], [6]])
    assert (len(empty), len(one)) == (0, 1)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(IDS, st.lists(IDS, min_size=1, max_size=4)), min_size=1, max_size=4), st.sampled_from([1, 8192])
)
def test_packed_answers_score_as_they_do_alone(
    rows: list[tuple[list[int], list[list[int]]]], batch_tokens: int
) -> None:
    packs = [PackedPrompt(TokenSpan(prompt), [TokenSpan(answer) for answer in answers]) for prompt, answers in rows]
    for (prompt, answers), found in zip(rows, packed_log_probs(MLLM, packs, batch_tokens), strict=True):
        for answer, values in zip(answers, found, strict=True):
            torch.testing.assert_close(values, plainly(prompt, answer), atol=1e-4, rtol=1e-4)
