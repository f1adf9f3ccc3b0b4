"""The reward of answers about pictures [extension]; see `rewards` for how rewards are called."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from mmsrarec.summarize.language.lexicon import ENGLISH, Lexicon
from mmsrarec.summarize.tuning.reward_parts import Column, Conditioning, PictureModel, Rewards, new_to, usable

UNLIKELY_TOKEN_PROB = 0.02
"""Probability of a token that a model is unlikely to say."""


class ImageInformation:
    """The image reward [extension]: how well W distinguishes its picture from others.

    It is P(W | picture) / (sum_j P(W | picture_j) + u^N), in (0, 1), with the frozen model P, N tokens of W and
    u = UNLIKELY_TOKEN_PROB. The sum runs over the item's picture and `others` of the catalogue, always the same for an
    item. The last term is for words that are unlikely for every picture: without it, a policy learns made-up words that
    begin like right ones. Conditioned on the title, words of the title do not count. It is 0 without keywords, and None
    for texts.

    Attributes:
        model: The model P.
        pool: Item codes of the pictures that serve as others.
        limits: Keywords of an answer, at most, by modality.
        conditioning: What a reader has without the keywords.
        others: Other pictures of an item.
        seed: Seed of their choice.
        lexicon: The lexicon of the catalogue.
    """

    __name__ = "image"

    def __init__(
        self,
        model: PictureModel,
        pool: Sequence[int],
        limits: Mapping[str, int],
        conditioning: Conditioning = "title",
        others: int = 15,
        seed: int = 0,
        lexicon: Lexicon = ENGLISH,
    ):
        self.model, self.pool, self.limits, self.lexicon = model, list(pool), limits, lexicon
        self.conditioning: Conditioning = conditioning
        self.others, self.seed = others, seed
        self._cache: dict[tuple[int, str], float] = {}

    def __call__(
        self, completions: Column, modality: Column, title: Column, code: Sequence[int], **unused: Any
    ) -> Rewards:
        """Score n answers; see `Reward`."""
        pairs: list[tuple[int, str] | None] = []
        for answer, kind, name, item in zip(completions, modality, title, code, strict=True):
            keywords = usable(answer, kind, "", self.limits[kind], self.lexicon) if kind == "picture" else ()
            keywords = new_to(name, keywords, self.lexicon) if self.conditioning == "title" else keywords
            pairs.append((int(item), ", ".join(keywords)) if kind == "picture" else None)
        missing = [pair for pair in dict.fromkeys(pairs) if pair and pair[1] and pair not in self._cache]
        comparisons = [(pair, other) for pair in missing for other in (pair[0], *self.contrast(pair[0]))]
        if comparisons:
            log_probs = self.model([other for _, other in comparisons], [answer for (_, answer), _ in comparisons])
            sums: dict[tuple[int, str], list[float]] = {}
            unlikely: dict[tuple[int, str], float] = {}
            for (pair, _), values in zip(comparisons, log_probs, strict=True):
                sums.setdefault(pair, []).append(float(values.sum()))
                unlikely[pair] = math.log(UNLIKELY_TOKEN_PROB) * len(values)
            for pair, values in sums.items():
                self._cache[pair] = float(torch.tensor([*values, unlikely[pair]]).double().softmax(0)[0])
        return [None if pair is None else self._cache[pair] if pair[1] else 0.0 for pair in pairs]

    def contrast(self, code: int) -> list[int]:
        """The item codes of the other pictures that an item's picture is compared with."""
        rest = [other for other in self.pool if other != code]
        rng = np.random.default_rng([self.seed, code])
        return rng.choice(rest, min(self.others, len(rest)), replace=False).tolist()

    def forget(self) -> None:
        """Drop the values computed so far."""
        self._cache.clear()
