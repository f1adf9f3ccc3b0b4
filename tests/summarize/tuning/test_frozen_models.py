"""The language models behind the rewards: the untuned model itself, whatever adapter it wears, or another by name."""

from pathlib import Path

import pytest
import torch
from tiny import tiny_mllm, tiny_tokenizer
from transformers import LlamaConfig, LlamaForCausalLM

from mmsrarec.errors import MmsrarecError
from mmsrarec.models.backbone.adapter import add_adapter, trainable
from mmsrarec.models.packing.answer_likelihood import token_log_probs
from mmsrarec.summarize.tuning.frozen_models import FrozenLanguageModel, load_language_model


def test_an_adapter_has_no_part_in_the_judgement() -> None:
    mllm = tiny_mllm()
    frozen = FrozenLanguageModel(mllm, 8)
    asked = (["Keywords: steel\nText: ", "Keywords: \nText: "], ["A mug of steel", "A mug of steel"])
    before = frozen(*asked)
    peft = add_adapter(mllm, 2, 0, 0, float32=True)
    with torch.no_grad():
        for weight in trainable(peft).values():
            weight.add_(0.1)
    after = frozen(*asked)
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    (worn,) = token_log_probs(mllm, [mllm.encode(asked[0][0])], [mllm.encode(asked[1][0])[:8]])
    assert not torch.allclose(worn, after[0])
    assert trainable(peft)  # and it can still be trained


def test_only_the_budget_of_a_text_counts() -> None:
    short, long = FrozenLanguageModel(tiny_mllm(), 3)(["Text: "] * 2, ["steel", "steel mug of clay, for the kitchen"])
    assert len(long) == 3
    assert len(short) <= 3


def test_another_language_model_by_folder(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=1, num_attention_heads=2
    )
    LlamaForCausalLM(config).save_pretrained(tmp_path / "p")
    tokenizer.save_pretrained(tmp_path / "p")
    other = load_language_model(str(tmp_path / "p"), tiny_mllm())
    (found,) = FrozenLanguageModel(other, 8)(["Text: "], ["steel mug"])
    assert torch.isfinite(found).all()
    assert (found < 0).all()


def test_a_language_model_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(MmsrarecError, match="cannot load the language model"):
        load_language_model(str(tmp_path / "nowhere"), tiny_mllm())
