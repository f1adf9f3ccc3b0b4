"""The layers of the tiny language model, as the body of a sequence model."""

from functools import cache

from tiny import tiny_mllm

from mmsrarec.models.sequence.language_body import LanguageBody


@cache
def tiny_body(layers: int = 1) -> LanguageBody:
    """Layers of random weights with hidden size 64, which stand for pretrained ones."""
    return LanguageBody.of(tiny_mllm(), layers)
