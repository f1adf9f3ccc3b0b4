"""What MLLM-MSR writes before it ranks: a sentence for each picture, and a paragraph on what somebody prefers.

Ye et al., Harnessing Multimodal Large Language Models for Multimodal Sequential Recommendation (arXiv 2408.09698). The
untuned model writes with all its layers. A preference is recurrent: it is written from the oldest `chunk` items of a
history and written anew with each next `chunk`, so a longer history takes more calls, one after the other.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from mmsrarec.core.artefacts import key
from mmsrarec.core.progress import Count
from mmsrarec.data.dataset import Dataset
from mmsrarec.evaluate.settings import MsrSettings
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.summarize.answer_store import Job, Store
from mmsrarec.summarize.prompts import IMAGE_QUESTION, image_prompt, item_text
from mmsrarec.summarize.summarizer import Question, ask

# after stage 1's question, which the embedded projector was trained on: asked to describe, a small model sees less
IMAGE_OPENING = "The picture shows"
HISTORY = "Below is what somebody took, oldest first:\n"
BEFORE = "Before that, this was known:"
QUESTION = (
    "Sum up what they prefer, in content and in visual style, in one short paragraph. Do not repeat the list. "
    'Start with "They prefer".'
)
OPENING = "They prefer"
WRITTEN = (IMAGE_QUESTION, IMAGE_OPENING, HISTORY, BEFORE, QUESTION, OPENING)
"""All the words of the prompts: part of the key of whatever is made from the answers."""


@dataclass(frozen=True)
class Preference:
    """What was written of a history; calls of the model, and tokens read and written, that it took."""

    text: str
    calls: int
    tokens: int


def one_line(text: str) -> bool:
    """Whether an answer has gone beyond its paragraph."""
    return "\n" in text


@dataclass(eq=False)
class Writer:
    """Writes descriptions and preferences. The same question to the same model has the same answer.

    store: a file that keeps answers, so that stopped work goes on; ":memory:" keeps none beyond a call. descriptions:
    item code -> what its picture shows. preferences: of the histories that were written about.
    """

    mllm: Mllm
    dataset: Dataset
    settings: MsrSettings
    descriptions: Mapping[int, str]
    store: str | Path = ":memory:"
    batch: int = 32
    progress: Count = lambda done, total, label: None
    preferences: dict[tuple[int, ...], Preference] = field(default_factory=dict, init=False)

    def describe(self, features: Mapping[int, Tensor]) -> None:
        """Write what the pictures show. features: item code -> (v, d)."""
        opening = self.mllm.encode(IMAGE_OPENING)
        prompts = [[*image_prompt(self.mllm, len(seen)), *opening] for seen in features.values()]
        answers = self._answers("description", prompts, list(features.values()), self.settings.description_tokens)
        self.descriptions = {code: _said(IMAGE_OPENING, text) for code, text in zip(features, answers, strict=True)}

    def write(self, histories: Sequence[tuple[int, ...]]) -> None:
        """Write the preferences behind histories, item codes oldest first, where they are not known yet."""
        new = [history for history in dict.fromkeys(histories) if history not in self.preferences]
        found = {history: Preference("", 0, 0) for history in new}
        for start in range(0, max(map(len, new), default=0), self.settings.chunk):
            going = [history for history in new if start < len(history)]
            prompts = [self.prompt(h[start : start + self.settings.chunk], found[h].text) for h in going]
            answers = self._answers("preference", prompts, [None] * len(going), self.settings.preference_tokens)
            for history, prompt, answer in zip(going, prompts, answers, strict=True):
                before, tokens = found[history], len(prompt) + len(self.mllm.encode(answer))
                text = _said(OPENING, answer)
                found[history] = Preference(text, before.calls + 1, before.tokens + tokens)
        self.preferences |= found

    def prompt(self, codes: Sequence[int], before: str) -> list[int]:
        """Asks for the preference behind items, oldest first, given what was written of those before; "" at first."""
        encode, (start, end) = self.mllm.encode, self.mllm.frame
        lines = [token for code in codes for token in (*encode("- "), *self._item(code), *encode("\n"))]
        known = encode(f"{BEFORE} {before}\n") if before else []
        return [*start, *encode(HISTORY), *lines, *known, *encode(QUESTION), *end, *encode(OPENING)]

    def _item(self, code: int) -> list[int]:
        """Title and text, cut to `text_tokens`, and what the picture shows."""
        about = self.mllm.encode(item_text(self.dataset.items[code]))[: self.settings.text_tokens]
        shown = self.descriptions.get(code)
        return [*about, *self.mllm.encode(f" {shown}")] if shown else about or self.mllm.encode("something")

    def _answers(
        self, what: str, prompts: Sequence[Sequence[int]], features: Sequence[Tensor | None], tokens: int
    ) -> list[str]:
        """Greedy answers of one line; "" where the model fails."""
        asked = [
            Question(key(prompt=list(prompt), picture=_digest(feature)), prompt, feature)
            for prompt, feature in zip(prompts, features, strict=True)
        ]
        job = Job(what, self.mllm.fingerprint, "", key(tokens=tokens)[:16])
        with Store(self.store) as store:
            found = ask(store, job, self.mllm, asked, one_line, tokens, self.batch, self._progress(what))
        return [found.get(question.content, "") for question in asked]

    def _progress(self, what: str) -> Count:
        return lambda done, total, label: self.progress(done, total, f"{what}s")


def _said(opening: str, answer: str) -> str:
    """The line that an answer continues."""
    return " ".join(f"{opening} {answer.partition(chr(10))[0]}".split())


def _digest(feature: Tensor | None) -> str:
    return "" if feature is None else hashlib.sha256(feature.float().cpu().numpy().tobytes()).hexdigest()
