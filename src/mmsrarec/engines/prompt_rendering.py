"""Renders a prompt as the token ids that a model of this process reads.

Template and data are tokenised apart and joined as ids, so no untrusted text can yield a special token.
"""

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from mmsrarec.engines.protocol import Prompt

if TYPE_CHECKING:
    from mmsrarec.models.backbone.mllm import Mllm

ENCODED_EXAMPLES: "WeakKeyDictionary[Mllm, tuple[tuple[object, ...], list[int]]]" = WeakKeyDictionary()
"""The token ids of each model's latest examples. They are most of a prompt, and the same for all items."""


def prompt_ids(mllm: "Mllm", prompt: Prompt, text_tokens: int = 0, visual_tokens: int = 0) -> list[int]:
    """Render a prompt in the model's chat template. Its instruction is left out: small models do not follow one.

    Args:
        mllm: The model.
        prompt: The prompt.
        text_tokens: Tokens of its text that are read, from the start.
        visual_tokens: Placeholder tokens that stand for its picture.

    Returns:
        Token ids.
    """
    before, after = mllm.frame
    picture = [mllm.image_token] * visual_tokens if prompt.picture else []
    text = mllm.encode(prompt.text)[:text_tokens] if prompt.text else []
    return [*example_ids(mllm, prompt), *before, *picture, *mllm.encode(prompt.question), *text, *after]


def example_ids(mllm: "Mllm", prompt: Prompt) -> list[int]:
    """The token ids of a prompt's examples, encoded once for a model."""
    if not prompt.examples:
        return []
    texts = (prompt.question, prompt.examples)
    entry = ENCODED_EXAMPLES.get(mllm)
    if entry is None or entry[0] != texts:
        before, after = mllm.frame
        ids: list[int] = []
        for text, answer in prompt.examples:
            question = [*before, *mllm.encode(prompt.question), *mllm.encode(text), *after]
            ids += [*question, *mllm.encode(answer), mllm.turn_end, *mllm.encode("\n")]
        entry = ENCODED_EXAMPLES[mllm] = (texts, ids)
    return entry[1]
