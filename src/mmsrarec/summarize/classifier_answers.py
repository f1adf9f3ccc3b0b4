"""Answers about pictures by the vision encoder's classifier (`summarize.eye_words`), where it is surer than the model.

Classifier and model both look at the picture, and the surer one answers. Where the classifier says nothing and the
model is unsure too, nobody does: a picture of nothing known gives no words rather than wrong ones.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.untyped import to_list
from mmsrarec.models.vision.class_words import WordProbabilities

LEAST_FIRST_TOKEN = 0.15
"""The least probability of the model's first token at which its answer counts, where there is a classifier. Chosen on
development photographs and on film posters of the training (`docs/log`)."""


def classifier_answer(class_words: WordProbabilities, first_token: float) -> str | None:
    """Decide who answers.

    Args:
        class_words: The words that the classifier would say, with their probabilities (`class_words.likely_words`).
        first_token: The probability of the model's own first token.

    Returns:
        The classifier's words; "" where neither is sure; None where the model is to answer.
    """
    if max(class_words.values(), default=0.0) > first_token:
        return ", ".join(class_words)
    return "" if first_token < LEAST_FIRST_TOKEN else None


def classifier_answers(
    mllm: Mllm,
    prompts: Sequence[Sequence[int]],
    features: Sequence[Tensor | None],
    class_words: Sequence[WordProbabilities | None],
) -> list[str | None]:
    """Decide who answers some questions.

    Args:
        mllm: The model.
        prompts: b prompts as token ids.
        features: For each prompt the (v, d) features of its picture, or None.
        class_words: For each prompt the words that the classifier would say; None where there is no classifier.

    Returns:
        For each prompt what `classifier_answer` returns; None without a classifier.
    """
    answers: list[str | None] = [None] * len(prompts)
    by_length: dict[int, list[int]] = {}
    for place, words in enumerate(class_words):
        if words is not None and features[place] is not None:
            by_length.setdefault(len(prompts[place]), []).append(place)
    for places in by_length.values():
        pictures = [feature for place in places if (feature := features[place]) is not None]
        own = first_token_probabilities(mllm, [prompts[place] for place in places], torch.stack(pictures))
        for place, probability in zip(places, own, strict=True):
            answers[place] = classifier_answer(class_words[place] or {}, probability)
    return answers


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
