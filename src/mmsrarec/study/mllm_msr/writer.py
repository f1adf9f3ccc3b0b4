"""The texts of MLLM-MSR before it ranks: a sentence for each picture, and a paragraph on each user's preference.

Ye et al., Harnessing Multimodal Large Language Models for Multimodal Sequential Recommendation (arXiv 2408.09698). The
untuned model writes with all its layers. A preference is recurrent: it is written from the oldest `chunk` items of a
history and rewritten with each next `chunk`, so a longer history takes more calls in sequence.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from torch import Tensor

from mmsrarec.core.artefacts import key
from mmsrarec.core.progress import Count
from mmsrarec.data.dataset import Dataset
from mmsrarec.engines.local_engine import Question, answer_batches
from mmsrarec.evaluate.settings import MsrSettings
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.summarize.answer_store import Job, Store
from mmsrarec.summarize.prompts import IMAGE_QUESTION, image_prompt, item_text
from mmsrarec.summarize.summarizer import ask

# after stage 1's question, which the embedded projector was trained on: asked to describe, a small model sees less
IMAGE_OPENING = "The picture shows"
HISTORY = "Below is what somebody took, oldest first:\n"
BEFORE = "Before that, this was known:"
QUESTION = (
    "Sum up what they prefer, in content and in visual style, in one short paragraph. Do not repeat the list. "
    'Start with "They prefer".'
)
OPENING = "They prefer"
WRITER_WORDS = (IMAGE_QUESTION, IMAGE_OPENING, HISTORY, BEFORE, QUESTION, OPENING)
"""All words of the prompts, which are part of the key of everything built from the answers."""


@dataclass(frozen=True)
class Preference:
    """The written preference behind a history.

    Attributes:
        text: The paragraph.
        calls: Calls of the model that it took.
        tokens: Tokens that were read and written for it.
    """

    text: str
    calls: int
    tokens: int


def one_line(text: str) -> bool:
    """Whether an answer has left its first line, where generation stops."""
    return "\n" in text


@dataclass(eq=False)
class Writer:
    """Writes descriptions and preferences. The same question to the same model has the same answer.

    Attributes:
        mllm: The untuned model.
        dataset: The catalogue.
        settings: Lengths of the texts.
        descriptions: Item code to what its picture shows.
        store: A file that stores answers, so that interrupted work continues; ":memory:" stores none beyond a call.
        batch: Prompts of a batch.
        progress: Counts the answers.
        preferences: History, item codes oldest first, to its preference.
    """

    mllm: Mllm
    dataset: Dataset
    settings: MsrSettings
    descriptions: Mapping[int, str]
    store: str | Path = ":memory:"
    batch: int = 32
    progress: Count = lambda done, total, label: None
    preferences: dict[tuple[int, ...], Preference] = field(
        default_factory=dict[tuple[int, ...], Preference], init=False
    )

    def describe(self, features: Mapping[int, Tensor]) -> None:
        """Write what the pictures show.

        Args:
            features: Item code to the (v, d) visual tokens of its picture.
        """
        opening = self.mllm.encode(IMAGE_OPENING)
        prompts = [[*image_prompt(self.mllm, len(feature)), *opening] for feature in features.values()]
        answers = self._answers("description", prompts, list(features.values()), self.settings.description_tokens)
        self.descriptions = {
            code: _continued(IMAGE_OPENING, text) for code, text in zip(features, answers, strict=True)
        }

    def write(self, histories: Sequence[tuple[int, ...]]) -> None:
        """Write the missing preferences behind histories.

        Args:
            histories: Item codes, oldest first.
        """
        new_histories = [history for history in dict.fromkeys(histories) if history not in self.preferences]
        preferences = {history: Preference("", 0, 0) for history in new_histories}
        for start in range(0, max(map(len, new_histories), default=0), self.settings.chunk):
            unfinished = [history for history in new_histories if start < len(history)]
            prompts = [self.prompt(h[start : start + self.settings.chunk], preferences[h].text) for h in unfinished]
            answers = self._answers("preference", prompts, [None] * len(unfinished), self.settings.preference_tokens)
            for history, prompt, answer in zip(unfinished, prompts, answers, strict=True):
                previous, tokens = preferences[history], len(prompt) + len(self.mllm.encode(answer))
                text = _continued(OPENING, answer)
                preferences[history] = Preference(text, previous.calls + 1, previous.tokens + tokens)
        self.preferences |= preferences

    def prompt(self, codes: Sequence[int], before: str) -> list[int]:
        """The prompt that asks for a preference.

        Args:
            codes: Codes of the next items, oldest first.
            before: The preference written from the items before them; "" at first.

        Returns:
            Token ids.
        """
        encode, (start, end) = self.mllm.encode, self.mllm.frame
        lines = [token for code in codes for token in (*encode("- "), *self._item(code), *encode("\n"))]
        before_ids = encode(f"{BEFORE} {before}\n") if before else []
        return [*start, *encode(HISTORY), *lines, *before_ids, *encode(QUESTION), *end, *encode(OPENING)]

    def _item(self, code: int) -> list[int]:
        """The token ids of an item's title and text, at most `text_tokens`, and of what its picture shows."""
        about = self.mllm.encode(item_text(self.dataset.items[code]))[: self.settings.text_tokens]
        description = self.descriptions.get(code)
        return [*about, *self.mllm.encode(f" {description}")] if description else about or self.mllm.encode("something")

    def _answers(
        self, kind: str, prompts: Sequence[Sequence[int]], features: Sequence[Tensor | None], tokens: int
    ) -> list[str]:
        """Greedy answers of one line each; "" where the model fails."""
        questions = [
            Question(key(prompt=list(prompt), picture=_digest(feature)), prompt, feature)
            for prompt, feature in zip(prompts, features, strict=True)
        ]
        job = Job(kind, self.mllm.fingerprint, "", key(tokens=tokens)[:16])
        with Store(self.store) as store:
            distinct = {question.content: question for question in questions}
            generate = partial(answer_batches, self.mllm, list(distinct.values()), tokens, one_line, self.batch)
            answers = ask(store, job, generate, distinct, self._progress(kind))
        return [answers.get(question.content, "") for question in questions]

    def _progress(self, kind: str) -> Count:
        return lambda done, total, label: self.progress(done, total, f"{kind}s")


def _continued(opening: str, answer: str) -> str:
    """The line that an answer continues."""
    return " ".join(f"{opening} {answer.partition(chr(10))[0]}".split())


def _digest(feature: Tensor | None) -> str:
    """The sha256 of a picture's visual tokens; "" without a picture."""
    return "" if feature is None else hashlib.sha256(feature.float().cpu().numpy().tobytes()).hexdigest()
