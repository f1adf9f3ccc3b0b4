"""Answers to a batch of prompts: the same as to each alone, whatever the prompts share."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import tiny_mllm

MLLM = tiny_mllm()
FEATURES = torch.randn(3, 4, MLLM.hidden_size, generator=torch.Generator().manual_seed(0))


def alone(prompts: list[list[int]], features: list, tokens: int) -> list[str]:
    return [MLLM.generate([p], [f], tokens)[0] for p, f in zip(prompts, features, strict=True)]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(3, 300), max_size=30),
    st.lists(st.lists(st.integers(3, 300), min_size=1, max_size=12), min_size=1, max_size=4),
)
def test_a_batch_answers_as_each_prompt_alone(shared: list[int], rests: list[list[int]]) -> None:
    prompts = [shared + rest for rest in rests]
    none = [None] * len(prompts)
    assert MLLM.generate(prompts, none, 5) == alone(prompts, none, 5)


@pytest.mark.parametrize("shared", [[], MLLM.encode("Keywords of this picture:")])
def test_pictures_find_their_prompts(shared: list[int]) -> None:
    place = [MLLM.image_token] * 4
    prompts = [[*shared, *place, 5, 6], [*shared, 7, 8, 9], [*shared, *place, 5, 6], [*shared, 7, *place, 4]]
    features = [FEATURES[0], None, FEATURES[1], FEATURES[2]]
    answers = MLLM.generate(prompts, features, 8)
    assert answers == alone(prompts, features, 8)
    assert answers[0] != answers[2]  # one prompt, two pictures


def test_equal_prompts_and_prompts_that_start_another_are_answered() -> None:
    prompts = [[5, 6, 7], [5, 6, 7], [5, 6, 7, 8, 9]]
    none = [None] * 3
    assert MLLM.generate(prompts, none, 6) == alone(prompts, none, 6)


def test_it_answers_as_transformers_own_search_does() -> None:
    prompts = [MLLM.encode("A mug of blue clay, a"), MLLM.encode("A mug of rain")]
    for prompt, answer in zip(prompts, MLLM.generate(prompts, [None] * 2, 10), strict=True):
        ids = torch.tensor([prompt])
        out = MLLM.model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=10, do_sample=False)
        assert MLLM.tokenizer.decode(out[0, len(prompt) :], skip_special_tokens=True) == answer


def test_stopped_rows_leave_the_others_alone() -> None:
    prompts = [MLLM.encode(text) for text in ("A mug", "A mug of blue clay", "Two detectives hunt", "yes")]
    none = [None] * 4
    whole = MLLM.generate(prompts, none, 10)
    stopped = MLLM.generate(prompts, none, 10, lambda text: text.startswith(whole[1][:3]))
    assert [stopped[row] for row in (0, 2, 3)] == [whole[row] for row in (0, 2, 3)]
    assert len(stopped[1]) < len(whole[1])
    assert whole[1].startswith(stopped[1])


def test_samples_of_a_prompt_stand_side_by_side_and_follow_their_draws() -> None:
    prompts = [[5, 6, 7], [5, 8, 9, 10]]
    drawn = [
        MLLM.generate_ids(
            prompts,
            [None, None],
            4,
            samples=3,
            temperature=1.0,
            draws=torch.rand(6, 4, generator=torch.Generator().manual_seed(s)),
        )
        for s in (0, 0, 1)
    ]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(drawn[0]) == 6
    likeliest = MLLM.generate_ids(prompts, [None, None], 4, samples=3)
    assert likeliest[:3] == [likeliest[0]] * 3
    assert [likeliest[0], likeliest[3]] == MLLM.generate_ids(prompts, [None, None], 4)


def test_draws_follow_the_probabilities() -> None:
    from mmsrarec.models.backbone.decoding import choose_tokens

    logits = torch.tensor([0.0, 1.0, 2.0]).expand(6000, 3)
    for temperature in (0.5, 1.0):
        tokens = choose_tokens(logits, temperature, torch.rand(6000, generator=torch.Generator().manual_seed(0)))
        shares = torch.bincount(tokens, minlength=3) / len(tokens)
        torch.testing.assert_close(shares, (logits[0] / temperature).softmax(0), atol=0.03, rtol=0)
    assert set(choose_tokens(logits, 0.0).tolist()) == {2}
