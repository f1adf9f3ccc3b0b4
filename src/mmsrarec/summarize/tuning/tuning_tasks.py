"""Tuning tasks: the questions of tuning, about one item's text or one item's picture, and the policy's answers."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmsrarec.data.dataset import Dataset
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.vision.image_token_ids import ImageTokenVocabulary
from mmsrarec.summarize.keyword_parsing import stop_after
from mmsrarec.summarize.language.detection import lexicons, merge_lexicons
from mmsrarec.summarize.prompts import image_prompt, item_text, text_prompt
from mmsrarec.summarize.settings import SummarizeSettings


@dataclass(frozen=True)
class SummaryTask:
    """One of an item's two questions.

    Attributes:
        code: The item code.
        modality: "text" or "picture".
        title: The item's title in one line.
        text: The item's title, text and categories in one line.
        description: The item's text in one line, without title and categories.
        categories: The item's categories, joined by commas.
    """

    code: int
    modality: str
    title: str
    text: str
    description: str = ""
    categories: str = ""

    @property
    def name(self) -> str:
        """The task's name, which is unique in a catalogue."""
        return f"{self.modality}:{self.code}"


def columns(summary_tasks: Iterable[SummaryTask]) -> dict[str, list[Any]]:
    """The columns that rewards receive: a list for each attribute of the tasks, by its name."""
    rows = list(summary_tasks)
    return {field.name: [getattr(row, field.name) for row in rows] for field in fields(SummaryTask)}


def split_summary_tasks(
    dataset: Dataset, features: Mapping[int, Tensor], settings: SummarizeSettings, seed: int
) -> tuple[list[SummaryTask], list[SummaryTask]]:
    """Choose the tasks to tune on and those held out.

    Whole items are held out, by a hash of their ids, so that new items move no other.

    Args:
        dataset: The catalogue.
        features: (v, d) picture features by item code.
        settings: The settings of stage 1, with those of tuning.
        seed: Seed of the choice.

    Returns:
        The tasks to tune on, and the held-out tasks.
    """
    tune = settings.tune
    assert tune is not None
    rng = np.random.default_rng(seed)
    parts: tuple[list[SummaryTask], list[SummaryTask]] = ([], [])
    for modality in ("text", "picture"):
        candidates: tuple[list[SummaryTask], list[SummaryTask]] = ([], [])
        for code, item in enumerate(dataset.items):
            text = item_text(item)
            has_task = settings.texts and bool(text) if modality == "text" else settings.pictures and code in features
            if has_task:
                title, description = (" ".join(part.split()) for part in (item.title, item.text))
                part = candidates[_is_held_out(item.item_id, tune.held_out)]
                part.append(SummaryTask(code, modality, title, text, description, ", ".join(item.categories)))
        for part, pool, limit in zip(parts, candidates, (tune.items, tune.held_out_items), strict=True):
            part += [pool[place] for place in sorted(rng.permutation(len(pool))[:limit])]
    return parts


def _is_held_out(item_id: str, share: float) -> bool:
    """Whether the hash of an item's id falls into the held-out share."""
    return int(hashlib.sha256(item_id.encode()).hexdigest()[:8], 16) < share * 2**32


def answer_draws(seed: int, names: Iterable[str], tokens: int) -> Tensor:
    """Numbers that choose the tokens of sampled answers; each answer has its own, whatever is sampled beside it.

    Args:
        seed: Seed of sampling.
        names: n names, each of one answer in one step.
        tokens: Tokens of an answer, at most.

    Returns:
        (n, tokens) numbers in [0, 1).
    """
    rows = [
        torch.rand(tokens, generator=torch.Generator().manual_seed(_hash_number(f"{seed}|{name}"))) for name in names
    ]
    return torch.stack(rows)


def _hash_number(text: str) -> int:
    """A number of 63 bits that stands for a text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> 1


class PolicySummarizer:
    """Asks a model the questions of tuning, in the way of summarizing.

    Attributes:
        mllm: The model.
        dataset: The catalogue.
        settings: The settings of stage 1.
        words: The token ids that stand for pictures.
        lexicons: The lexicon of each item.
        lexicon: The lexicon of the catalogue.
        limits: Keywords of an answer, at most, by modality.
        tokens: Tokens of an answer, at most, by modality.
    """

    def __init__(self, mllm: Mllm, dataset: Dataset, features: Mapping[int, Tensor], settings: SummarizeSettings):
        self.mllm, self.dataset, self.settings = mllm, dataset, settings
        self.words = ImageTokenVocabulary(mllm, features)
        self.lexicons = lexicons(dataset.items, settings.language)
        self.lexicon = merge_lexicons(self.lexicons)
        self.limits = {"text": settings.max_keywords_text, "picture": settings.max_keywords_image}
        self.tokens = {"text": settings.max_new_tokens_text, "picture": settings.max_new_tokens_image}

    def prompt(self, summary_task: SummaryTask, shots: bool) -> list[int]:
        """The token ids of a task's question; shots: whether examples come before a question about a text."""
        if summary_task.modality == "text":
            return text_prompt(self.mllm, self.dataset.items[summary_task.code], self.settings.text_budget, shots)
        return self.about_picture(summary_task.code)

    def about_picture(self, code: int) -> list[int]:
        """The token ids of the question about an item's picture."""
        return self.words.fill(image_prompt(self.mllm, len(self.words.ids[code])), code)

    def answers(
        self,
        summary_tasks: Sequence[SummaryTask],
        shots: bool,
        samples: int = 1,
        temperature: float = 0.0,
        draws: Tensor | None = None,
    ) -> list[list[int]]:
        """Sample answers of the model.

        Args:
            summary_tasks: m tasks; texts and pictures may be mixed.
            shots: Whether examples come before questions about texts.
            samples: Answers to a task.
            temperature: Temperature of sampling; 0: the likeliest tokens.
            draws: (m * samples, tokens of the longest answer) numbers in [0, 1) that choose the tokens.

        Returns:
            m * samples answers as token ids, those to a task side by side.
        """
        answers: list[list[int]] = [[]] * (samples * len(summary_tasks))
        for modality in ("text", "picture"):
            places = [place for place, summary_task in enumerate(summary_tasks) if summary_task.modality == modality]
            if not places:
                continue
            prompts = [self.prompt(summary_tasks[place], shots) for place in places]
            stop, max_tokens = stop_after(self.limits[modality]), self.tokens[modality]
            no_features, own_draws = [None] * len(prompts), None
            if draws is not None:
                own_draws = draws.view(len(summary_tasks), samples, -1)[places].flatten(0, 1)
            with self.words.installed():
                rows = self.mllm.generate_ids(prompts, no_features, max_tokens, stop, samples, temperature, own_draws)
            for number, place in enumerate(places):
                answers[place * samples : (place + 1) * samples] = rows[number * samples : (number + 1) * samples]
        return answers

    def greedy(
        self,
        summary_tasks: Sequence[SummaryTask],
        shots: bool,
        batch: int,
        progress: Callable[[int], None] | None = None,
    ) -> list[str]:
        """Decode the likeliest answer to each task.

        Args:
            summary_tasks: m tasks.
            shots: Whether examples come before questions about texts.
            batch: Tasks of a batch.
            progress: Called with the number of answered tasks.

        Returns:
            m answers.
        """
        order = sorted(range(len(summary_tasks)), key=lambda place: len(self.prompt(summary_tasks[place], shots)))
        answers = [""] * len(summary_tasks)
        for start in range(0, len(order), batch):
            places = order[start : start + batch]
            token_ids = self.answers([summary_tasks[place] for place in places], shots)
            for place, answer in zip(places, self.decode(token_ids), strict=True):
                answers[place] = answer
            if progress is not None:
                progress(start + len(places))
        return answers

    def decode(self, answers: Sequence[Sequence[int]]) -> list[str]:
        """The texts of answers, without special tokens."""
        mllm: Any = self.mllm  # transformers' class of the tokenizer is known at run time only
        return mllm.tokenizer.batch_decode(answers, skip_special_tokens=True)
