"""The surer of classifier and model answers about a picture, or nobody."""

import pytest
import torch
from tiny import tiny_mllm

from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.summarize.classifier_answers import (
    COUNTED,
    LEAST_COUNTED,
    FirstToken,
    classifier_answer,
    classifier_answers,
    first_tokens,
)
from mmsrarec.summarize.prompts import image_prompt


@pytest.fixture(scope="module")
def mllm() -> Mllm:
    return tiny_mllm()


def test_the_surer_one_answers() -> None:
    assert classifier_answer({"lemon": 0.4, "fruit": 0.9}, FirstToken(0.5, 0.9)) == "lemon, fruit"
    assert classifier_answer({"lemon": 0.4, "fruit": 0.9}, FirstToken(0.95, 0.99)) is None


def test_nobody_answers_where_neither_is_sure() -> None:
    assert classifier_answer({}, FirstToken(0.2, LEAST_COUNTED - 0.01)) == ""
    assert classifier_answer({"lemon": 0.1}, FirstToken(0.2, LEAST_COUNTED - 0.01)) == ""
    assert classifier_answer({}, FirstToken(0.2, LEAST_COUNTED)) is None  # it hesitates between a few words


def test_the_probabilities_are_those_of_the_greedy_first_tokens(mllm: Mllm) -> None:
    features = torch.randn(3, 2, mllm.hidden_size, generator=torch.Generator().manual_seed(0))
    prompt = image_prompt(mllm, 2)
    for feature, own in zip(features, first_tokens(mllm, [prompt] * 3, features), strict=True):
        embeddings = mllm.embed(torch.tensor([prompt]), feature[None])
        logits = mllm.model(inputs_embeds=embeddings, use_cache=False).logits[0, -1]
        likeliest = logits.float().softmax(-1).sort(descending=True).values
        assert own.likeliest == pytest.approx(float(likeliest[0]), abs=1e-5)
        assert own.counted == pytest.approx(float(likeliest[:COUNTED].sum()), abs=1e-5)


def test_without_a_classifier_the_model_answers_unasked(mllm: Mllm, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def first(model: Mllm, prompts: list[list[int]], features: torch.Tensor) -> list[FirstToken]:
        asked.append(len(prompts))
        return [FirstToken(0.5, 0.8)] * len(prompts)

    monkeypatch.setattr("mmsrarec.summarize.classifier_answers.first_tokens", first)
    feature = torch.zeros(2, mllm.hidden_size)
    prompts = [[1, 2], [1, 2], [1, 2, 3], [1, 2]]
    class_words = [{"lemon": 0.9}, None, {"dog": 0.4}, {"cup": 0.8}]
    assert classifier_answers(mllm, prompts, [feature] * 4, class_words) == ["lemon", None, None, "cup"]
    assert sorted(asked) == [1, 2]
    assert classifier_answers(mllm, [[1]], [None], [{"lemon": 0.9}]) == [None]
