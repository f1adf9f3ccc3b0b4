"""The start of an answer about a picture: what the vision encoder's classifier says (`summarize.eye_words`).

Classifier and model both look at the picture, and the surer one speaks first. The model goes on from the classifier's
words: it adds what else it sees, or ends the answer.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.untyped import to_list
from mmsrarec.models.vision.class_words import WordProbabilities


def opening(class_words: WordProbabilities, first_token: float) -> str:
    """The start of an answer.

    Args:
        class_words: The words that the classifier would say, with their probabilities (`class_words.likely_words`).
        first_token: The probability of the model's own first token.

    Returns:
        The words; "" where the model is surer.
    """
    return ", ".join(class_words) if max(class_words.values(), default=0.0) > first_token else ""


def openings(
    mllm: Mllm,
    prompts: Sequence[Sequence[int]],
    features: Sequence[Tensor | None],
    class_words: Sequence[WordProbabilities],
) -> list[str]:
    """The starts of the answers to some questions; the model is asked only where the classifier says something.

    Args:
        mllm: The model.
        prompts: b prompts as token ids.
        features: For each prompt the (v, d) features of its picture, or None.
        class_words: For each prompt the words that the classifier would say.
    """
    starts = [""] * len(prompts)
    by_length: dict[int, list[int]] = {}
    for place, words in enumerate(class_words):
        if words and features[place] is not None:
            by_length.setdefault(len(prompts[place]), []).append(place)
    for places in by_length.values():
        pictures = [feature for place in places if (feature := features[place]) is not None]
        own = first_token_probabilities(mllm, [prompts[place] for place in places], torch.stack(pictures))
        for place, probability in zip(places, own, strict=True):
            starts[place] = opening(class_words[place], probability)
    return starts


@torch.inference_mode()
def first_token_probabilities(mllm: Mllm, prompts: Sequence[Sequence[int]], features: Tensor) -> list[float]:
    """Compute how likely the model's likeliest first token is.

    Args:
        mllm: The model.
        prompts: b prompts of the same length, as token ids.
        features: (b, v, d) features of their pictures.

    Returns:
        b probabilities.
    """
    ids = torch.tensor([list(prompt) for prompt in prompts], device=mllm.device)
    embeddings = mllm.embed(ids, features.to(mllm.device))
    states: Tensor = mllm.decoder(inputs_embeds=embeddings, use_cache=False).last_hidden_state[:, -1]
    logits = states @ mllm.model.get_output_embeddings().weight.T
    probabilities: list[float] = to_list(logits.float().softmax(-1).amax(-1))
    return probabilities


def whole_answer(start: str, rest: str) -> str:
    """An answer of its start and what the model wrote after it; the words of the start stay whole."""
    separator = "" if not start or not rest.strip() or rest.lstrip().startswith(",") else ", "
    return f"{start}{separator}{rest}"
