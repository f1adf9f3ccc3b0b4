"""Answers about pictures by the vision encoder's classifier (`summarize.eye_words`), where it is surer than the model.

Classifier and model both look at the picture, and the surer one answers. Where the classifier says nothing and the
model is unsure too, nobody does: a picture of nothing known gives no words rather than wrong ones.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.untyped import to_list
from mmsrarec.models.vision.class_words import WordProbabilities

COUNTED = 10
"""How many of the model's likeliest first tokens are counted together."""
LEAST_COUNTED = 0.5
"""Their least probability at which the model's answer counts, where there is a classifier: a model that knows films
hesitates between some genres, and one that knows nothing between a thousand words. Chosen on development photographs
and on film posters of the training (`docs/log`)."""


class FirstToken(NamedTuple):
    """How sure a model is of the first token of its answer.

    Attributes:
        likeliest: The probability of the likeliest one.
        counted: The probability of the `COUNTED` likeliest ones together.
    """

    likeliest: float
    counted: float


def classifier_answer(class_words: WordProbabilities, first_token: FirstToken) -> str | None:
    """Decide who answers.

    Args:
        class_words: The words that the classifier would say, with their probabilities (`class_words.likely_words`).
        first_token: How sure the model is.

    Returns:
        The classifier's words; "" where neither is sure; None where the model is to answer.
    """
    if max(class_words.values(), default=0.0) > first_token.likeliest:
        return ", ".join(class_words)
    return "" if first_token.counted < LEAST_COUNTED else None


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
        own = first_tokens(mllm, [prompts[place] for place in places], torch.stack(pictures))
        for place, first_token in zip(places, own, strict=True):
            answers[place] = classifier_answer(class_words[place] or {}, first_token)
    return answers


@torch.inference_mode()
def first_tokens(mllm: Mllm, prompts: Sequence[Sequence[int]], features: Tensor) -> list[FirstToken]:
    """Compute how sure the model is of the first tokens of its answers.

    Args:
        mllm: The model.
        prompts: b prompts of the same length, as token ids.
        features: (b, v, d) features of their pictures.

    Returns:
        b rows.
    """
    ids = torch.tensor([list(prompt) for prompt in prompts], device=mllm.device)
    embeddings = mllm.embed(ids, features.to(mllm.device))
    states: Tensor = mllm.decoder(inputs_embeds=embeddings, use_cache=False).last_hidden_state[:, -1]
    logits = states @ mllm.model.get_output_embeddings().weight.T
    likeliest = logits.float().softmax(-1).topk(COUNTED).values
    rows: list[list[float]] = to_list(torch.stack([likeliest[:, 0], likeliest.sum(1)], dim=1))
    return [FirstToken(*row) for row in rows]
