"""The lowest layers of a language model by themselves."""

from dataclasses import replace

import pytest
import torch
from bodies import tiny_body
from tiny import tiny_mllm

from mmsrarec.errors import MmsrarecError
from mmsrarec.models.sequence.language_body import LanguageBody


@pytest.mark.parametrize("layers", [1, 2, 9])
def test_they_compute_what_the_shortened_model_computes(layers: int) -> None:
    mllm = tiny_mllm()
    body = LanguageBody.of(mllm, layers)
    assert body.config["num_hidden_layers"] == min(layers, 2)
    module, inputs = (
        body.module().eval(),
        torch.randn(3, 7, body.hidden_size, generator=torch.Generator().manual_seed(0)),
    )
    module.load_state_dict(dict(body.weights or {}))
    mllm.shorten(layers)
    with torch.no_grad():
        found = module(inputs_embeds=inputs, use_cache=False).last_hidden_state
        expected = mllm.decoder(inputs_embeds=inputs, use_cache=False, attention_mask=None).last_hidden_state
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_the_model_that_they_are_of_stays_as_it_is() -> None:
    mllm = tiny_mllm()
    before = {name: weight.clone() for name, weight in mllm.model.state_dict().items()}
    body = LanguageBody.of(mllm, 1)
    for weight in (body.weights or {}).values():
        weight.fill_(7.0)
    body.opening.fill_(7.0)
    assert len(mllm.decoder.layers) == 2
    for name, weight in mllm.model.state_dict().items():
        assert torch.equal(weight, before[name])


def test_it_knows_how_wide_words_are_and_with_which_a_prompt_opens() -> None:
    mllm, body = tiny_mllm(), tiny_body()
    words = mllm.model.get_input_embeddings().weight
    torch.testing.assert_close(body.opening, words[mllm.frame[0]])
    assert body.word_scale == pytest.approx(words.std().item(), rel=0.1)


def test_a_record_builds_the_same_layers() -> None:
    body = tiny_body()
    again = LanguageBody(**body.record(), opening=body.opening)
    shapes = [{name: weight.shape for name, weight in each.module().state_dict().items()} for each in (body, again)]
    assert shapes[0] == shapes[1]
    assert {*shapes[0]} == {*(body.weights or {})}


@pytest.mark.parametrize(
    "change", [{"model_type": "no such model"}, {"num_attention_heads": 7}, {"num_attention_heads": 0}]
)
def test_layers_that_cannot_be_built_are_named(change: dict[str, object]) -> None:
    body = tiny_body()
    with pytest.raises(MmsrarecError, match=r"layers of a language model of type .* cannot be built"):
        replace(body, config={**body.config, **change}).module()
