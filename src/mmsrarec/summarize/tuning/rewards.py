"""The rewards of the summarising policy, as callables that TRL's GRPOTrainer takes as they are (arXiv 2512.20916).

A reward is called as reward(completions=..., **columns) with lists of one length: completions (the policy's answers)
and the columns of the tuning data, which are the attributes of `SummaryTask`. It returns a list of floats, None where
it does not apply. W stands for the usable keywords of an answer.

The published forms are unbounded, and they reward guessing the text in answers about pictures too. The bounded forms
[extension] count what keywords add to the title, which every later prompt shows anyway. They score answers about
pictures by the picture alone. A token costs the same in every answer, so an item with more information gets more
keywords.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from mmsrarec.summarize.language.lexicon import ENGLISH, Lexicon
from mmsrarec.summarize.tuning.reward_parts import (
    Column,
    Conditioning,
    Embed,
    Form,
    LanguageModel,
    Rewards,
    SharedWords,
    usable,
)


class TextReward:
    """The base of the rewards of texts: which form they take, and which keywords count.

    Attributes:
        limits: Keywords of an answer, at most, by modality.
        form: The form of the reward.
        conditioning: What a reader has without the keywords.
        shared: The test of the keywords that count in the bounded form; None: all count.
        lexicon: The lexicon of the catalogue.
    """

    def __init__(
        self,
        limits: Mapping[str, int],
        form: Form = "bounded",
        conditioning: Conditioning = "title",
        shared: SharedWords | None = None,
        lexicon: Lexicon = ENGLISH,
    ):
        self.limits, self.form, self.shared, self.lexicon = limits, form, shared, lexicon
        self.conditioning: Conditioning = conditioning if form == "bounded" else "nothing"

    def counting(self, completion: str, modality: str, text: str) -> tuple[str, ...]:
        """The keywords of an answer that count."""
        keywords = usable(completion, modality, text, self.limits[modality], self.lexicon)
        if self.form == "bounded" and self.shared is not None:
            return tuple(filter(self.shared, keywords))
        return keywords


class Information(TextReward):
    """The information reward R_info = cos(phi(W), phi(text)) (published).

    Bounded [extension]: what W adds to the conditioning, cos(phi(title + W), phi(text)) - cos(phi(title), phi(text)).
    Conditioned on nothing, it is the published cosine. Where the title holds nearly all information, W can add little.
    It is 0 without keywords, and None for pictures when bounded.

    Attributes:
        embed: The sentence embedding phi.
        share: The share s of an item's information that its categories make, where it has any. Then
            (1 - s) phi(text) + s phi(categories) stands for phi(text): in a long text, categories have little weight,
            though they are what items have in common.
    """

    __name__ = "information"

    def __init__(
        self,
        embed: Embed,
        limits: Mapping[str, int],
        form: Form = "bounded",
        conditioning: Conditioning = "title",
        shared: SharedWords | None = None,
        lexicon: Lexicon = ENGLISH,
        share: float = 0.0,
    ):
        super().__init__(limits, form, conditioning, shared, lexicon)
        self.embed = embed
        self.share = share if self.form == "bounded" else 0.0
        self._cache: dict[str, Tensor] = {}

    def __call__(
        self,
        completions: Column,
        modality: Column,
        title: Column,
        text: Column,
        categories: Column | None = None,
        **unused: Any,
    ) -> Rewards:
        """Score n answers; see `Reward`."""
        rows = list(zip(completions, modality, title, text, strict=True))
        keywords = [self.counting(answer, kind, item) for answer, kind, _, item in rows]
        applies = [kind == "text" or self.form == "published" for _, kind, _, _ in rows]
        summaries = [self._summary(row[2], words) for row, words in zip(rows, keywords, strict=True)]
        groups = categories if categories and self.share else [""] * len(rows)
        vectors = self._vectors([part for row in zip(summaries, title, text, groups, strict=True) for part in row])
        rewards: Rewards = []
        for place, words in enumerate(keywords):
            if not applies[place] or not words:
                rewards.append(0.0 if applies[place] else None)
                continue
            item_vector = vectors[text[place]]
            if group := groups[place]:
                item_vector = (1 - self.share) * item_vector + self.share * vectors[group]
            cosine = float(vectors[summaries[place]] @ item_vector)
            has_title = self.conditioning == "title" and title[place]
            rewards.append(cosine - (float(vectors[title[place]] @ item_vector) if has_title else 0.0))
        return rewards

    def unsaid(self, modality: Column, title: Column, text: Column, **unused: Any) -> Rewards:
        """The information that each text adds to its title, 1 - cos(phi(title), phi(text)); None for pictures."""
        vectors = self._vectors([part for pair in zip(title, text, strict=True) for part in pair])
        rows = zip(modality, title, text, strict=True)
        return [
            None if kind != "text" or not item else 1 - float(vectors[name] @ vectors[item]) if name else 1.0
            for kind, name, item in rows
        ]

    def forget(self) -> None:
        """Drop the vectors computed so far."""
        self._cache.clear()

    def _summary(self, title: str, keywords: Sequence[str]) -> str:
        """The text that stands for title and keywords together."""
        joined = ", ".join(keywords)
        return f"{title}: {joined}" if self.conditioning == "title" and title else joined

    def _vectors(self, texts: Sequence[str]) -> Mapping[str, Tensor]:
        """The (d,) vectors of texts, by text."""
        missing = sorted({text for text in texts if text and text not in self._cache}, key=len)
        if missing:
            self._cache |= dict(zip(missing, self.embed(missing), strict=True))
        return self._cache


class Reconstruction(TextReward):
    """The reconstruction reward R_recon = -exp(-(1/N) sum_j log P(w_j | w_<j, W)) (published).

    It is minus the perplexity of the text's N tokens. Bounded [extension]: how much W raises the mean log-probability
    of a token of the description, in nats, over the conditioning alone; 0 without keywords. Categories are left out:
    they close every text, so repeating a genre would pay more than describing the item. None for pictures when bounded,
    and for items without a text.

    Attributes:
        model: The language model P.
    """

    __name__ = "reconstruction"

    def __init__(
        self,
        model: LanguageModel,
        limits: Mapping[str, int],
        form: Form = "bounded",
        conditioning: Conditioning = "title",
        shared: SharedWords | None = None,
        lexicon: Lexicon = ENGLISH,
    ):
        super().__init__(limits, form, conditioning, shared, lexicon)
        self.model = model
        self._cache: dict[tuple[str, str], float] = {}

    def __call__(
        self, completions: Column, modality: Column, title: Column, text: Column, description: Column, **unused: Any
    ) -> Rewards:
        """Score n answers; see `Reward`."""
        keywords = [self.counting(a, kind, item) for a, kind, item in zip(completions, modality, text, strict=True)]
        targets = text if self.form == "published" else [d or item for d, item in zip(description, text, strict=True)]
        rows = list(zip(modality, title, targets, strict=True))
        applies = [bool(target) and (kind == "text" or self.form == "published") for kind, _, target in rows]
        pairs: list[tuple[str, str]] = []
        for (_, name, target), words, is_scored in zip(rows, keywords, applies, strict=True):
            if is_scored:
                pairs.append((self._prefix(name, words), target))
        if self.form == "bounded":
            pairs += [(self._prefix(name, ()), target) for (_, name, target), a in zip(rows, applies, strict=True) if a]
        self._fill_cache(pairs)
        rewards: Rewards = []
        for (_, name, target), words, is_scored in zip(rows, keywords, applies, strict=True):
            mean = self._cache[self._prefix(name, words), target] if is_scored else 0.0
            if not is_scored:
                rewards.append(None)
            elif self.form == "published":
                rewards.append(-math.exp(-mean))
            else:
                rewards.append(mean - self._cache[self._prefix(name, ()), target] if words else 0.0)
        return rewards

    def forget(self) -> None:
        """Drop the log-probabilities computed so far."""
        self._cache.clear()

    def _prefix(self, title: str, keywords: Sequence[str]) -> str:
        """The text before the item's text."""
        head = f"Title: {title}\n" if self.conditioning == "title" and title else ""
        return f"{head}Keywords: {', '.join(keywords)}\nText: "

    def _fill_cache(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Compute the mean log-probability of a token of each (prefix, text) that is not in the cache."""
        missing = [pair for pair in dict.fromkeys(pairs) if pair not in self._cache]
        if missing:
            log_probs = self.model([prefix for prefix, _ in missing], [text for _, text in missing])
            self._cache |= {pair: float(values.mean()) for pair, values in zip(missing, log_probs, strict=True)}


class Length:
    """The length reward R_len = -|W| (published), where |W| is the number of keywords.

    Bounded [extension]: -(tokens of the answer / `tokens`), and -1 where there is no keyword at all, so that an empty
    answer never wins. Tokens are counted because later prompts pay for them; dropped words count too, and a token about
    a picture costs what a token about a text does. The cost does not depend on the answer's content: a cost that is a
    share of the information would have its optimum at one length for all items, with much information or little.

    Attributes:
        limits: Keywords of an answer, at most, by modality.
        tokens: Tokens of the longest possible answer.
        form: The form of the reward.
        lexicon: The lexicon of the catalogue.
    """

    __name__ = "length"

    def __init__(self, limits: Mapping[str, int], tokens: int, form: Form = "bounded", lexicon: Lexicon = ENGLISH):
        self.limits, self.tokens, self.form, self.lexicon = limits, tokens, form, lexicon

    def __call__(
        self,
        completions: Column,
        completion_ids: Sequence[Sequence[int]],
        modality: Column,
        text: Column,
        **unused: Any,
    ) -> Rewards:
        """Score n answers; see `Reward`."""
        rows = zip(completions, modality, text, strict=True)
        counts = [len(usable(answer, kind, item, self.limits[kind], self.lexicon)) for answer, kind, item in rows]
        if self.form == "published":
            return [-float(count) for count in counts]
        shares = [min(len(ids) / self.tokens, 1.0) for ids in completion_ids]
        return [-share if count else -1.0 for share, count in zip(shares, counts, strict=True)]

    def forget(self) -> None:
        """Nothing is kept."""
