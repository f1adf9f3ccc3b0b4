"""What the parts of a run cost here and with these data: a short measurement that `fit` plans by."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from PIL.Image import Image

from mmsrarec.data.dataset import Dataset
from mmsrarec.data.images import BadPicture, open_picture
from mmsrarec.data.splits import make_split
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.backbone.settings import ModelSettings
from mmsrarec.models.vision.native_pictures import native_answers
from mmsrarec.recommend.ablations import WORDS_ALONE
from mmsrarec.recommend.training.fine_tuning import tune
from mmsrarec.recommend.training.training_plan import draw_training_plan
from mmsrarec.retrieve.settings import RetrieveSettings
from mmsrarec.retrieve.training import train_encoder
from mmsrarec.runs.run_folder import RunFolder
from mmsrarec.summarize.keyword_parsing import stop_after
from mmsrarec.summarize.prompts import IMAGE_QUESTION, image_prompt, item_text, text_prompt
from mmsrarec.summarize.settings import SummarizeSettings
from mmsrarec.summarize.summarizer import shows_native

T = TypeVar("T")
SAMPLE = 16
"""Items and pictures that are read to measure what reading costs."""
TIMED_TOKENS = 512
TIMED_EXAMPLES, DRAWN_EXAMPLES = 16, 160
"""Training examples whose steps are timed, and that tell how many steps there are an example."""
SLOW_LOAD = 5.0
"""Seconds beyond which loading the model is timed once more."""
TIMED_INTERACTIONS = 50_000
"""Interactions of the users whose histories one pass is timed on, about; a pass costs in proportion."""


@dataclass(frozen=True)
class Facts:
    """What a plan needs to know of a data set.

    Attributes:
        items: In the catalogue.
        texts: Items of which anything is written.
        pictures: Items with a picture.
        users: With an interaction.
        validated: Users with at least three interactions, of whom choices are made.
        interactions: In the log.
        has_clock: Whether times are times, and no steps.
    """

    items: int
    texts: int
    pictures: int
    users: int
    validated: int
    interactions: int
    has_clock: bool

    @classmethod
    def of(cls, dataset: Dataset) -> "Facts":
        """Count a data set."""
        lengths = np.diff(dataset.interactions.offsets)
        return cls(
            items=len(dataset.items),
            texts=sum(bool(item_text(item)) for item in dataset.items),
            pictures=sum(dataset.image_path(code) is not None for code in range(len(dataset.items))),
            users=int((lengths > 0).sum()),
            validated=int((lengths >= 3).sum()),
            interactions=len(dataset.interactions),
            has_clock=dataset.has_clock,
        )


@dataclass(frozen=True)
class Costs:
    """Seconds that pieces of work take on this machine.

    Attributes:
        load: Loading the language model.
        picture: Encoding one picture.
        text_answer: Reading one item's text and writing its keywords.
        image_answer: The same of its picture.
        token_layer: A forward pass of one token through one layer.
        layers: Layers of the language model.
        sequence_pass: One pass of SASRec over the training interactions.
    """

    load: float
    picture: float
    text_answer: float
    image_answer: float
    token_layer: float
    layers: int
    sequence_pass: float


def measure(dataset: Dataset, model: ModelSettings, device: str, seed: int = 0) -> Costs:
    """Time each piece of work on a sample of the data.

    Raises:
        MmsrarecError: The model cannot be loaded.
    """
    mllm, load = _timed(lambda: Mllm.load(model, device))
    if load > SLOW_LOAD:  # the first one may convert the model, and reads it from the disk
        mllm, load = _timed(lambda: Mllm.load(model, device))
    settings, rng = SummarizeSettings(), np.random.default_rng(seed)
    order: list[int] = rng.permutation(len(dataset.items)).tolist()
    written = [code for code in order if item_text(dataset.items[code])][:SAMPLE]
    pictures = _pictures(dataset, order) if mllm.sees else []
    picture = text_answer = image_answer = 0.0
    stop = stop_after(settings.max_keywords_text)
    if written:
        prompts = [text_prompt(mllm, dataset.items[code], settings.text_budget) for code in written]
        blind = [None] * len(prompts)
        _, seconds = _timed(lambda: mllm.generate(prompts, blind, settings.max_new_tokens_text, stop))
        text_answer = seconds / len(written)
    if pictures:
        mllm.encode_images(pictures[:1], settings.visual_tokens)  # the first call sets things up
        features, seconds = _timed(lambda: mllm.encode_images(pictures, settings.visual_tokens))
        picture = seconds / len(pictures)
        tokens = settings.max_new_tokens_image
        if shows_native(mllm, settings):
            _, seconds = _timed(lambda: native_answers(mllm, pictures, IMAGE_QUESTION, tokens, stop))
        else:
            image_prompts = [image_prompt(mllm, settings.visual_tokens)] * len(pictures)
            _, seconds = _timed(lambda: mllm.generate(image_prompts, list(features), tokens, stop))
        image_answer = seconds / len(pictures)
    layers = len(mllm.decoder.layers)  # pyright: ignore
    return Costs(
        load, picture, text_answer, image_answer, _token_layer(mllm), layers, sequence_pass(dataset, device, seed)
    )


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    started = time.perf_counter()
    return work(), time.perf_counter() - started


def _pictures(dataset: Dataset, order: list[int]) -> list[Image]:
    """Some pictures that open."""
    root = dataset.image_folder
    pictures: list[Image] = []
    for code in order:
        if root is None or len(pictures) == SAMPLE:
            break
        if (path := dataset.image_path(code)) is not None:
            try:
                pictures.append(open_picture(path, root))
            except BadPicture:
                continue
    return pictures


@torch.inference_mode()
def _token_layer(mllm: Mllm) -> float:
    """Seconds of a token and a layer in a forward pass, the median of three."""
    ids = torch.full((1, TIMED_TOKENS), mllm.turn_end, device=mllm.device)
    embedded = mllm.embed(ids, None)
    times = [_timed(lambda: mllm.decoder(inputs_embeds=embedded, use_cache=False))[1] for _ in range(3)]
    return float(np.median(times)) / TIMED_TOKENS / len(mllm.decoder.layers)  # pyright: ignore


def sequence_pass(dataset: Dataset, device: str, seed: int) -> float:
    """Seconds of one pass of SASRec over the training interactions, validation included."""
    split = make_split("leave-one-out", dataset.interactions, seed)
    users = max(1, int(split.train.n_users * min(1.0, TIMED_INTERACTIONS / max(len(split.train), 1))))
    sample = split.train.where(split.train.user < users)
    if not len(sample):
        return 0.0
    settings = RetrieveSettings(epochs=2, patience=2)
    starts: list[float] = []
    train_encoder(
        sample, split.valid, settings, seed, lambda number, loss, ndcg: starts.append(time.perf_counter()), device
    )
    return (starts[-1] - starts[-2]) * len(split.train) / len(sample)  # the first pass sets things up


def training_seconds(run_folder: RunFolder, negatives: int) -> float:
    """Seconds of one training example of the ranker, measured by training on a few.

    Args:
        run_folder: A run whose stages 1 and 2 are finished.
        negatives: Items beside the positive.
    """
    split, seed = run_folder.chosen_on, run_folder.recipe.seed
    own = run_folder.recommend_settings("whole").model_copy(update={"negatives": negatives})
    settings, many = (own.model_copy(update={"n_examples": count}) for count in (TIMED_EXAMPLES, DRAWN_EXAMPLES))
    prompts, retrieval = (
        run_folder.prompts("whole", run_folder.ranker("whole")),
        run_folder.retrieval(split, WORDS_ALONE),
    )
    plan, drawing = _timed(lambda: draw_training_plan(prompts, retrieval, many, seed))
    steps: list[float] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        tune(
            prompts, retrieval, settings, seed, folder / "adapter", folder / "work",
            lambda done, total, label: steps.append(time.perf_counter()),
        )  # fmt: skip
    step = float(np.median(np.diff(steps)))  # the first ones set things up
    return (drawing + step * len(plan.steps)) / DRAWN_EXAMPLES
