"""What the policy is asked in tuning: one item's text or one item's picture, and the answers to it."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from mmsrarec.data.dataset import Dataset
from mmsrarec.models.backbone.image_token_ids import PictureWords
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.summarize.keywords import stop_after
from mmsrarec.summarize.language.detection import lexicons, united
from mmsrarec.summarize.prompts import image_prompt, item_text, text_prompt
from mmsrarec.summarize.settings import SummarizeSettings


@dataclass(frozen=True)
class Subject:
    """modality: which of an item's two questions this is. text: all that is written of it; description: of that, what
    is neither title nor category; categories: joined by commas."""

    code: int
    modality: str
    title: str
    text: str
    description: str = ""
    categories: str = ""

    @property
    def name(self) -> str:
        return f"{self.modality}:{self.code}"


def columns(subjects: Iterable[Subject]) -> dict[str, list]:
    """The columns that rewards receive."""
    rows = list(subjects)
    return {field.name: [getattr(row, field.name) for row in rows] for field in fields(Subject)}


def split_subjects(
    dataset: Dataset, features: Mapping[int, Tensor], settings: SummarizeSettings, seed: int
) -> tuple[list[Subject], list[Subject]]:
    """(tuned on, held out). Whole items are held out, by their ids, so that new items move no other."""
    tune = settings.tune
    assert tune is not None
    rng = np.random.default_rng(seed)
    parts: tuple[list[Subject], list[Subject]] = ([], [])
    for modality in ("text", "picture"):
        found: tuple[list[Subject], list[Subject]] = ([], [])
        for code, item in enumerate(dataset.items):
            written = item_text(item)
            asked = settings.texts and bool(written) if modality == "text" else settings.pictures and code in features
            if asked:
                title, description = (" ".join(part.split()) for part in (item.title, item.text))
                part = found[_held(item.item_id, tune.heldout)]
                part.append(Subject(code, modality, title, written, description, ", ".join(item.categories)))
        for part, have, most in zip(parts, found, (tune.items, tune.heldout_items), strict=True):
            part += [have[place] for place in sorted(rng.permutation(len(have))[:most])]
    return parts


def _held(item_id: str, share: float) -> bool:
    return int(hashlib.sha256(item_id.encode()).hexdigest()[:8], 16) < share * 2**32


class Asker:
    """Asks a model about subjects, as summarizing does."""

    def __init__(self, mllm: Mllm, dataset: Dataset, features: Mapping[int, Tensor], settings: SummarizeSettings):
        self.mllm, self.dataset, self.settings = mllm, dataset, settings
        self.words = PictureWords(mllm, features)
        self.lexicons = lexicons(dataset.items, settings.language)
        self.lexicon = united(self.lexicons)
        self.limits = {"text": settings.max_keywords_text, "picture": settings.max_keywords_image}
        self.tokens = {"text": settings.max_new_tokens_text, "picture": settings.max_new_tokens_image}

    def prompt(self, subject: Subject, shots: bool) -> list[int]:
        if subject.modality == "text":
            return text_prompt(self.mllm, self.dataset.items[subject.code], self.settings.text_budget, shots)
        return self.about_picture(subject.code)

    def about_picture(self, code: int) -> list[int]:
        return self.words.fill(image_prompt(self.mllm, len(self.words.ids[code])), code)

    def answers(
        self,
        subjects: Sequence[Subject],
        shots: bool,
        samples: int = 1,
        temperature: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> list[list[int]]:
        """`samples` answers to each, side by side, as token ids; texts and pictures may be mixed."""
        found: list[list[int]] = [[]] * (samples * len(subjects))
        for modality in ("text", "picture"):
            places = [place for place, subject in enumerate(subjects) if subject.modality == modality]
            if not places:
                continue
            prompts = [self.prompt(subjects[place], shots) for place in places]
            stop, most = stop_after(self.limits[modality]), self.tokens[modality]
            nothing = [None] * len(prompts)
            with self.words.spoken():
                said = self.mllm.generate_ids(prompts, nothing, most, stop, samples, temperature, generator)
            for number, place in enumerate(places):
                found[place * samples : (place + 1) * samples] = said[number * samples : (number + 1) * samples]
        return found

    def greedy(
        self,
        subjects: Sequence[Subject],
        shots: bool,
        batch: int,
        progress: Callable[[int], None] = lambda done: None,
    ) -> list[str]:
        """The likeliest answer to each."""
        order = sorted(range(len(subjects)), key=lambda place: len(self.prompt(subjects[place], shots)))
        said = [""] * len(subjects)
        for start in range(0, len(order), batch):
            places = order[start : start + batch]
            answers = self.answers([subjects[place] for place in places], shots)
            for place, answer in zip(places, self.decode(answers), strict=True):
                said[place] = answer
            progress(start + len(places))
        return said

    def decode(self, answers: Sequence[Sequence[int]]) -> list[str]:
        return self.mllm.tokenizer.batch_decode(answers, skip_special_tokens=True)
