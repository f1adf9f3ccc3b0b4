"""Pictures as words: a prompt of ids alone says the same as one with features, to every part of the model."""

import torch
from tiny import tiny_mllm

from mmsrarec.models.packing.answer_likelihood import token_log_probs
from mmsrarec.models.vision.image_token_ids import ImageTokenVocabulary

MLLM = tiny_mllm()
NOISE = torch.Generator().manual_seed(0)
FEATURES = {3: torch.randn(4, 64, generator=NOISE), 8: torch.randn(2, 64, generator=NOISE)}
WORDS = ImageTokenVocabulary(MLLM, FEATURES)
PROMPTS = {code: [5, 6, *[MLLM.image_token] * len(feature), 7] for code, feature in FEATURES.items()}


def test_every_visual_token_has_an_id_of_its_own_beyond_the_vocabulary() -> None:
    ids = [token for code in FEATURES for token in WORDS.fill(PROMPTS[code], code)[2:-1]]
    assert len(set(ids)) == len(ids) == 6
    assert min(ids) >= MLLM.model.get_input_embeddings().weight.shape[0]
    assert WORDS.fill(PROMPTS[3], 3)[:2] == [5, 6]


def test_the_model_says_the_same_either_way() -> None:
    for code, feature in FEATURES.items():
        prompt, filled = PROMPTS[code], WORDS.fill(PROMPTS[code], code)
        (want,) = token_log_probs(MLLM, [prompt], [[9, 10]], [feature])
        said = MLLM.generate_ids([prompt], [feature], 5)
        with WORDS.installed():
            (found,) = token_log_probs(MLLM, [filled], [[9, 10]])
            assert MLLM.generate_ids([filled], [None], 5) == said
            logits = MLLM.model(input_ids=torch.tensor([[*filled, 9, 10]])).logits.log_softmax(-1)[0]
        torch.testing.assert_close(found, want, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(logits[len(prompt) - 1, 9].detach(), want[0], atol=1e-4, rtol=1e-4)


def test_afterwards_the_model_is_as_before() -> None:
    embedding = MLLM.model.get_input_embeddings()
    before = embedding(torch.tensor([5]))
    with WORDS.installed():
        assert torch.equal(embedding(torch.tensor([5])), before)
    assert torch.equal(embedding(torch.tensor([5])), before)


def test_a_catalogue_without_pictures_has_no_ids() -> None:
    words = ImageTokenVocabulary(MLLM, {})
    with words.installed():
        assert MLLM.generate_ids([[5, 6]], [None], 2)
