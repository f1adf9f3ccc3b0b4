"""The rewards of the summarising policy, as callables that TRL's GRPOTrainer takes as they are (arXiv 2512.20916).

Each is called as reward(completions=..., **columns) with lists of one length: completions (the policy's answers) and
the columns of the tuning data: code (item code), modality ("text" or "picture"), title, text (all that is written of
the item), description (of it, what is neither title nor category), categories (of it, joined). Each gives a list of
floats, None where it does not apply. W: the usable keywords of an answer.

The published forms are unbounded and reward guessing the text whatever is asked. The bounded forms [extension] count
what keywords add to the title, which every later prompt shows anyway; they judge pictures by the picture alone; and a
token costs the same whatever is said, so an item with more to tell gets more keywords.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from mmsrarec.summarize.keywords import grounded, parse, split
from mmsrarec.summarize.language.lexicon import ENGLISH, Lexicon

Conditioning = Literal["title", "nothing"]
Form = Literal["bounded", "published"]
Column = Sequence[str]
Rewards = list[float | None]

UNLIKELY_TOKEN_PROB = 0.02
"""Probability of a token that a model would hardly say."""


class Embed(Protocol):
    """phi: texts to (n, d) unit vectors."""

    def __call__(self, texts: Sequence[str]) -> Tensor: ...


class LanguageModel(Protocol):
    """P: the log-probabilities of each continuation's tokens after its prefix."""

    def __call__(self, prefixes: Sequence[str], texts: Sequence[str]) -> list[Tensor]: ...


class PictureModel(Protocol):
    """P given a picture: the log-probabilities of each answer's tokens when asked about the picture of an item code."""

    def __call__(self, codes: Sequence[int], answers: Sequence[str]) -> list[Tensor]: ...


def usable(completion: str, modality: str, text: str, limit: int, lexicon: Lexicon = ENGLISH) -> tuple[str, ...]:
    """W: what is kept of an answer, as when a catalogue is summarized."""
    kept = parse(completion, limit, lexicon)
    return tuple(k for k in kept if grounded(k, text, lexicon)) if modality == "text" else kept


def new_to(title: str, keywords: Sequence[str], lexicon: Lexicon = ENGLISH) -> tuple[str, ...]:
    """The keywords that say something the title does not."""
    known = lexicon.forms(title)
    return tuple(k for k in keywords if not lexicon.forms(k) <= known)


@dataclass(frozen=True)
class SharedWords:
    """Which keywords other items could have too. counts: in how many items' texts a word stands; least: enough of them.

    The name of a single film's hero brings a keyword list close to its text, and tells a recommender nothing. Neither
    does a word that most items hold, which summarizing drops.
    """

    counts: Mapping[str, int]
    least: int
    lexicon: Lexicon = ENGLISH

    @classmethod
    def among(cls, texts: Iterable[str], least: int, lexicon: Lexicon = ENGLISH) -> "SharedWords":
        return cls(Counter(form for text in texts for form in lexicon.forms(text)), least, lexicon)

    def __call__(self, keyword: str) -> bool:
        known = all(self.counts.get(form, 0) >= self.least for form in self.lexicon.forms(keyword))
        return known and not self.lexicon.is_common(keyword)


class TextReward:
    """What rewards of texts have in common: which form they take, and which keywords count."""

    def __init__(
        self,
        limits: Mapping[str, int],
        form: Form = "bounded",
        given: Conditioning = "title",
        shared: SharedWords | None = None,
        lexicon: Lexicon = ENGLISH,
    ):
        """shared: keywords that count when bounded; None: all do. lexicon: of the catalogue."""
        self.limits, self.form, self.shared, self.lexicon = limits, form, shared, lexicon
        self.given: Conditioning = given if form == "bounded" else "nothing"

    def counting(self, completion: str, modality: str, text: str) -> tuple[str, ...]:
        """The keywords of an answer that count."""
        kept = usable(completion, modality, text, self.limits[modality], self.lexicon)
        choosy = self.form == "bounded" and self.shared is not None
        return tuple(filter(self.shared, kept)) if choosy else kept


class Information(TextReward):
    """R_info = cos(phi(W), phi(text)) (published).

    bounded [extension]: what W adds to `given`, cos(phi(given + W), phi(text)) - cos(phi(given), phi(text)); given
    "nothing" it is the published cosine. Where the title says nearly all, there is little to gain, whatever W. Without
    keywords it is 0. None for pictures when bounded. share: how much of what is to be told an item's categories make,
    where it has any: (1 - share) phi(text) + share phi(categories) then stands for phi(text). In a long text they
    drown, though they are what items have in common.
    """

    __name__ = "information"

    def __init__(self, embed: Embed, limits: Mapping[str, int], *args, share: float = 0.0, **kwargs):
        """The rest as `TextReward`."""
        super().__init__(limits, *args, **kwargs)
        self.embed = embed
        self.share = share if self.form == "bounded" else 0.0
        self._known: dict[str, Tensor] = {}

    def __call__(
        self,
        completions: Column,
        modality: Column,
        title: Column,
        text: Column,
        categories: Column | None = None,
        **_,
    ) -> Rewards:
        rows = list(zip(completions, modality, title, text, strict=True))
        kept = [self.counting(c, m, t) for c, m, _, t in rows]
        asked = [m == "text" or self.form == "published" for _, m, _, _ in rows]
        shown = [self._shown(row[2], keywords) for row, keywords in zip(rows, kept, strict=True)]
        grouped = categories if categories and self.share else [""] * len(rows)
        vectors = self._vectors([s for one in zip(shown, title, text, grouped, strict=True) for s in one])
        found: Rewards = []
        for place, keywords in enumerate(kept):
            if not asked[place] or not keywords:
                found.append(0.0 if asked[place] else None)
                continue
            whole = vectors[text[place]]
            if group := grouped[place]:
                whole = (1 - self.share) * whole + self.share * vectors[group]
            cosine = float(vectors[shown[place]] @ whole)
            before = float(vectors[title[place]] @ whole) if self.given == "title" and title[place] else 0.0
            found.append(cosine - before)
        return found

    def unsaid(self, modality: Column, title: Column, text: Column, **_) -> Rewards:
        """How much of each text its title leaves unsaid, 1 - cos(phi(title), phi(text)): how rich an item is."""
        vectors = self._vectors([part for pair in zip(title, text, strict=True) for part in pair])
        rows = zip(modality, title, text, strict=True)
        return [
            None if m != "text" or not whole else 1 - float(vectors[name] @ vectors[whole]) if name else 1.0
            for m, name, whole in rows
        ]

    def _shown(self, title: str, keywords: Sequence[str]) -> str:
        said = ", ".join(keywords)
        return f"{title}: {said}" if self.given == "title" and title else said

    def _vectors(self, texts: Sequence[str]) -> dict[str, Tensor]:
        missing = sorted({text for text in texts if text and text not in self._known}, key=len)
        if missing:
            self._known |= dict(zip(missing, self.embed(missing), strict=True))
        return self._known


class Reconstruction(TextReward):
    """R_recon = -exp(-(1/N) sum_j log P(w_j | w_<j, W)): minus the perplexity of the text's N tokens (published).

    bounded [extension]: how much W raises the mean log-probability of a token of the description, in nats, over having
    `given` alone; 0 without keywords. Categories are left out: they close every text, so repeating a genre would pay
    more than telling what the item is about. None for pictures when bounded, and for items without a text.
    """

    __name__ = "reconstruction"

    def __init__(self, model: LanguageModel, limits: Mapping[str, int], *args, **kwargs):
        """The rest as `TextReward`."""
        super().__init__(limits, *args, **kwargs)
        self.model = model
        self._known: dict[tuple[str, str], float] = {}

    def __call__(
        self, completions: Column, modality: Column, title: Column, text: Column, description: Column, **_
    ) -> Rewards:
        kept = [self.counting(c, m, t) for c, m, t in zip(completions, modality, text, strict=True)]
        told = text if self.form == "published" else [d or t for d, t in zip(description, text, strict=True)]
        rows = list(zip(completions, modality, title, told, strict=True))
        asked = [bool(t) and (m == "text" or self.form == "published") for _, m, _, t in rows]
        wanted = [(self._prefix(t, k), s) for (_, _, t, s), k, ask in zip(rows, kept, asked, strict=True) if ask]
        if self.form == "bounded":
            wanted += [(self._prefix(t, ()), s) for (_, _, t, s), ask in zip(rows, asked, strict=True) if ask]
        self._learn(wanted)
        found: Rewards = []
        for (_, _, name, whole), keywords, ask in zip(rows, kept, asked, strict=True):
            mean = self._known[self._prefix(name, keywords), whole] if ask else 0.0
            if not ask:
                found.append(None)
            elif self.form == "published":
                found.append(-math.exp(-mean))
            else:
                found.append(mean - self._known[self._prefix(name, ()), whole] if keywords else 0.0)
        return found

    def _prefix(self, title: str, keywords: Sequence[str]) -> str:
        head = f"Title: {title}\n" if self.given == "title" and title else ""
        return f"{head}Keywords: {', '.join(keywords)}\nText: "

    def _learn(self, wanted: Sequence[tuple[str, str]]) -> None:
        """Mean log-probability of a token of each (prefix, text) that is not known yet."""
        missing = [pair for pair in dict.fromkeys(wanted) if pair not in self._known]
        if missing:
            found = self.model([prefix for prefix, _ in missing], [text for _, text in missing])
            self._known |= {pair: float(values.mean()) for pair, values in zip(missing, found, strict=True)}


class ImageInformation:
    """[extension] How well W tells its picture from others: P(W | picture) / (sum_j P(W | picture_j) + UNLIKELY_TOKEN_PROB^N), in
    (0, 1).

    P is the frozen model; the sum runs over the item's picture and `others` of the catalogue, the same for an item
    every time; N: tokens of W. The last term is for words that the model would hardly say of any picture: without it,
    a policy learns to say made-up words that begin like right ones. `given` "title": words of the title tell nothing
    and do not count. 0 without keywords; None for texts.
    """

    __name__ = "image"

    def __init__(
        self,
        model: PictureModel,
        pool: Sequence[int],
        limits: Mapping[str, int],
        given: Conditioning = "title",
        others: int = 15,
        seed: int = 0,
        lexicon: Lexicon = ENGLISH,
    ):
        """pool: item codes whose pictures serve as the others. lexicon: of the catalogue."""
        self.model, self.pool, self.limits, self.given, self.lexicon = model, list(pool), limits, given, lexicon
        self.others, self.seed = others, seed
        self._known: dict[tuple[int, str], float] = {}

    def __call__(self, completions: Column, modality: Column, title: Column, code: Sequence[int], **_) -> Rewards:
        wanted: list[tuple[int, str] | None] = []
        for said, kind, name, item in zip(completions, modality, title, code, strict=True):
            kept = usable(said, kind, "", self.limits[kind], self.lexicon) if kind == "picture" else ()
            kept = new_to(name, kept, self.lexicon) if self.given == "title" else kept
            wanted.append((int(item), ", ".join(kept)) if kind == "picture" else None)
        missing = [pair for pair in dict.fromkeys(wanted) if pair and pair[1] and pair not in self._known]
        asked = [(pair, other) for pair in missing for other in (pair[0], *self.contrast(pair[0]))]
        if asked:
            values = self.model([other for _, other in asked], [answer for (_, answer), _ in asked])
            totals: dict[tuple[int, str], list[float]] = {}
            hardly = {
                pair: math.log(UNLIKELY_TOKEN_PROB) * len(value) for (pair, _), value in zip(asked, values, strict=True)
            }
            for (pair, _), value in zip(asked, values, strict=True):
                totals.setdefault(pair, []).append(float(value.sum()))
            self._known |= {p: float(torch.tensor([*t, hardly[p]]).double().softmax(0)[0]) for p, t in totals.items()}
        return [None if pair is None else self._known[pair] if pair[1] else 0.0 for pair in wanted]

    def contrast(self, code: int) -> list[int]:
        """The other pictures that an item's is told from."""
        rest = [other for other in self.pool if other != code]
        rng = np.random.default_rng([self.seed, code])
        return rng.choice(rest, min(self.others, len(rest)), replace=False).tolist()


class Length:
    """R_len = -|W| (published), |W| the number of keywords.

    bounded [extension]: -(tokens of the answer / `tokens`), and -1 where there is no keyword at all, so that saying
    nothing never wins. The cost is counted in tokens, for that is what later prompts pay, dropped words too, and a
    token about a picture costs what a token about a text does. It does not depend on what is said: a cost that is a
    share of the information found has its optimum at one length for all items, whether they have much to tell or
    little.
    """

    __name__ = "length"

    def __init__(self, limits: Mapping[str, int], tokens: int, form: Form = "bounded", lexicon: Lexicon = ENGLISH):
        """tokens: of the longest answer there is. lexicon: of the catalogue."""
        self.limits, self.tokens, self.form, self.lexicon = limits, tokens, form, lexicon

    def __call__(
        self, completions: Column, completion_ids: Sequence[Sequence[int]], modality: Column, text: Column, **_
    ) -> Rewards:
        rows = zip(completions, modality, text, strict=True)
        counts = [len(usable(said, kind, whole, self.limits[kind], self.lexicon)) for said, kind, whole in rows]
        if self.form == "published":
            return [-float(count) for count in counts]
        shares = [min(len(ids) / self.tokens, 1.0) for ids in completion_ids]
        return [-share if count else -1.0 for share, count in zip(shares, counts, strict=True)]


def shape(
    completions: Column,
    modality: Column,
    title: Column,
    text: Column,
    limits: Mapping[str, int],
    lexicon: Lexicon = ENGLISH,
) -> dict:
    """What answers look like, as means over them: keywords kept, and the shares that are malformed (nothing usable),
    empty, repeat a keyword, or say a word that is not borne out; copied: of the kept keywords, those of the title."""
    rows = list(zip(completions, modality, title, text, strict=True))
    kept = [usable(said, kind, whole, limits[kind], lexicon) for said, kind, _, whole in rows]
    raw = [[part.strip() for part in split(said) if part.strip()] for said in completions]
    repeats = [len(set(map(lexicon.same, parts))) < len(parts) for parts in raw]
    everything = sum(map(len, kept))
    fresh = sum(len(new_to(name, keywords, lexicon)) for (_, _, name, _), keywords in zip(rows, kept, strict=True))
    return {
        "keywords": everything / max(len(rows), 1),
        "malformed": sum(not keywords for keywords in kept) / max(len(rows), 1),
        "empty": sum(not said.strip() for said in completions) / max(len(rows), 1),
        "repeated": sum(repeats) / max(len(rows), 1),
        "copied": (everything - fresh) / max(everything, 1),
    }


def total(rewards: Mapping[str, Rewards], weights: Mapping[str, float]) -> list[float]:
    """R: the weighted sum of the rewards that apply, one an answer."""
    rows = zip(*rewards.values(), strict=True)
    return [sum(weights[name] * (value or 0.0) for name, value in zip(rewards, row, strict=True)) for row in rows]
