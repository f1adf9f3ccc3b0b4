"""The surer of classifier and model starts the answer about a picture."""

import pytest
import torch
from tiny import tiny_mllm

from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.summarize.answer_opening import first_token_probabilities, opening, openings, whole_answer
from mmsrarec.summarize.prompts import image_prompt


@pytest.fixture(scope="module")
def mllm() -> Mllm:
    return tiny_mllm()


def test_the_surer_one_speaks_first() -> None:
    said = {"lemon": 0.4, "fruit": 0.9}
    assert opening(said, 0.5) == "lemon, fruit"
    assert opening(said, 0.95) == ""
    assert opening({}, 0.0) == ""


def test_the_words_of_the_start_stay_whole() -> None:
    assert whole_answer("lemon, fruit", ", yellow") == "lemon, fruit, yellow"
    assert whole_answer("lemon, fruit", "s of summer") == "lemon, fruit, s of summer"
    assert whole_answer("lemon", "") == "lemon"
    assert whole_answer("", "yellow") == "yellow"


def test_the_probability_is_that_of_the_greedy_first_token(mllm: Mllm) -> None:
    features = torch.randn(3, 2, mllm.hidden_size, generator=torch.Generator().manual_seed(0))
    prompt = image_prompt(mllm, 2)
    found = first_token_probabilities(mllm, [prompt] * 3, features)
    for feature, probability in zip(features, found, strict=True):
        logits = mllm.model(inputs_embeds=mllm.embed(torch.tensor([prompt]), feature[None]), use_cache=False).logits[
            0, -1
        ]
        assert probability == pytest.approx(float(logits.float().softmax(-1).max()), abs=1e-5)


def test_only_pictures_of_which_the_classifier_speaks_are_asked_about(
    mllm: Mllm, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def first(model: Mllm, prompts: list[list[int]], features: torch.Tensor) -> list[float]:
        asked.append(len(prompts))
        return [0.5] * len(prompts)

    monkeypatch.setattr("mmsrarec.summarize.answer_opening.first_token_probabilities", first)
    feature = torch.zeros(2, mllm.hidden_size)
    prompts = [[1, 2], [1, 2], [1, 2, 3], [1, 2]]
    said = [{"lemon": 0.9}, {}, {"dog": 0.4}, {"cup": 0.8}]
    assert openings(mllm, prompts, [feature] * 4, said) == ["lemon", "", "", "cup"]
    assert sorted(asked) == [1, 2]
    assert openings(mllm, [[1]], [None], [{"lemon": 0.9}]) == [""]
