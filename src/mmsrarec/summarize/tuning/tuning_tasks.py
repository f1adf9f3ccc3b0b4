"""What the policy is asked in tuning: one item's text or one item's picture, and the answers to it."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from mmsrarec.data.dataset import Dataset
from mmsrarec.models.backbone.image_token_ids import ImageTokenVocabulary
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.summarize.keywords import stop_after
from mmsrarec.summarize.language.detection import lexicons, united
from mmsrarec.summarize.prompts import image_prompt, item_text, text_prompt
from mmsrarec.summarize.settings import SummarizeSettings


@dataclass(frozen=True)
class SummaryTask:
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


def columns(summary_tasks: Iterable[SummaryTask]) -> dict[str, list]:
    """The columns that rewards receive."""
    rows = list(summary_tasks)
    return {field.name: [getattr(row, field.name) for row in rows] for field in fields(SummaryTask)}


def split_summary_tasks(
    dataset: Dataset, features: Mapping[int, Tensor], settings: SummarizeSettings, seed: int
) -> tuple[list[SummaryTask], list[SummaryTask]]:
    """(tuned on, held out). Whole items are held out, by their ids, so that new items move no other."""
    tune = settings.tune
    assert tune is not None
    rng = np.random.default_rng(seed)
    parts: tuple[list[SummaryTask], list[SummaryTask]] = ([], [])
    for modality in ("text", "picture"):
        found: tuple[list[SummaryTask], list[SummaryTask]] = ([], [])
        for code, item in enumerate(dataset.items):
            written = item_text(item)
            asked = settings.texts and bool(written) if modality == "text" else settings.pictures and code in features
            if asked:
                title, description = (" ".join(part.split()) for part in (item.title, item.text))
                part = found[_held(item.item_id, tune.held_out)]
                part.append(SummaryTask(code, modality, title, written, description, ", ".join(item.categories)))
        for part, have, most in zip(parts, found, (tune.items, tune.held_out_items), strict=True):
            part += [have[place] for place in sorted(rng.permutation(len(have))[:most])]
    return parts


def _held(item_id: str, share: float) -> bool:
    return int(hashlib.sha256(item_id.encode()).hexdigest()[:8], 16) < share * 2**32


class PolicySummarizer:
    """Asks a model about subjects, as summarizing does."""

    def __init__(self, mllm: Mllm, dataset: Dataset, features: Mapping[int, Tensor], settings: SummarizeSettings):
        self.mllm, self.dataset, self.settings = mllm, dataset, settings
        self.words = ImageTokenVocabulary(mllm, features)
        self.lexicons = lexicons(dataset.items, settings.language)
        self.lexicon = united(self.lexicons)
        self.limits = {"text": settings.max_keywords_text, "picture": settings.max_keywords_image}
        self.tokens = {"text": settings.max_new_tokens_text, "picture": settings.max_new_tokens_image}

    def prompt(self, summary_task: SummaryTask, shots: bool) -> list[int]:
        if summary_task.modality == "text":
            return text_prompt(self.mllm, self.dataset.items[summary_task.code], self.settings.text_budget, shots)
        return self.about_picture(summary_task.code)

    def about_picture(self, code: int) -> list[int]:
        return self.words.fill(image_prompt(self.mllm, len(self.words.ids[code])), code)

    def answers(
        self,
        summary_tasks: Sequence[SummaryTask],
        shots: bool,
        samples: int = 1,
        temperature: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> list[list[int]]:
        """`samples` answers to each, side by side, as token ids; texts and pictures may be mixed."""
        found: list[list[int]] = [[]] * (samples * len(summary_tasks))
        for modality in ("text", "picture"):
            places = [place for place, summary_task in enumerate(summary_tasks) if summary_task.modality == modality]
            if not places:
                continue
            prompts = [self.prompt(summary_tasks[place], shots) for place in places]
            stop, most = stop_after(self.limits[modality]), self.tokens[modality]
            nothing = [None] * len(prompts)
            with self.words.installed():
                said = self.mllm.generate_ids(prompts, nothing, most, stop, samples, temperature, generator)
            for number, place in enumerate(places):
                found[place * samples : (place + 1) * samples] = said[number * samples : (number + 1) * samples]
        return found

    def greedy(
        self,
        summary_tasks: Sequence[SummaryTask],
        shots: bool,
        batch: int,
        progress: Callable[[int], None] = lambda done: None,
    ) -> list[str]:
        """The likeliest answer to each."""
        order = sorted(range(len(summary_tasks)), key=lambda place: len(self.prompt(summary_tasks[place], shots)))
        said = [""] * len(summary_tasks)
        for start in range(0, len(order), batch):
            places = order[start : start + batch]
            answers = self.answers([summary_tasks[place] for place in places], shots)
            for place, answer in zip(places, self.decode(answers), strict=True):
                said[place] = answer
            progress(start + len(places))
        return said

    def decode(self, answers: Sequence[Sequence[int]]) -> list[str]:
        return self.mllm.tokenizer.batch_decode(answers, skip_special_tokens=True)
