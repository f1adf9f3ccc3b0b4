"""A made-up catalogue with a log, and what stage 3 asks of the stages before it: no training, no files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tiny import CHATML, tiny_mllm
from transformers import LlavaProcessor

from mmsrarec.data.dataset import Dataset, IntArray, Interactions, Item, make_interactions
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.recommend.prompt.prompt_context import PromptContext, Retrieval
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.settings import PromptFields, RecommendSettings
from mmsrarec.retrieve.neighbours import Neighbours
from mmsrarec.retrieve.settings import RetrieveSettings
from mmsrarec.summarize.keyword_parsing import fallback
from mmsrarec.summarize.keywords import Keywords

THINGS = ("mug", "plate", "bag", "shirt", "bottle")
STUFF = ("clay", "oak", "wool", "glass", "steel", "linen", "red clay of the north")


class Bag:
    """An encoder without training: a history is the sum of its items' random vectors, newer ones weighing more."""

    def __init__(self, n_items: int, seed: int = 0):
        self.vectors = np.random.default_rng(seed).normal(size=(n_items, 16)).astype(np.float32)

    def encode(self, histories: Sequence[IntArray]) -> NDArray[np.float32]:
        rows = [(0.8 ** np.arange(len(h))[::-1]) @ self.vectors[h] if len(h) else np.zeros(16) for h in histories]
        return np.array(rows, dtype=np.float32).reshape(len(histories), 16)

    def scores(self, histories: Sequence[IntArray]) -> NDArray[np.float32]:
        return self.encode(histories) @ self.vectors.T


def make_items(n: int) -> tuple[Item, ...]:
    """Items whose titles and texts have different lengths; every third is without a picture."""
    return tuple(
        Item(
            item_id=f"i{code}",
            title=f"{STUFF[code % len(STUFF)]} {THINGS[code % len(THINGS)]} {code}",
            text=" ".join(STUFF[: code % 4]),
            categories=("Kitchen",) if code % 2 else (),
            image=None if code % 3 == 0 else f"{code}.png",
        )
        for code in range(n)
    )


def make_log(rng: np.random.Generator, n_users: int = 40, n_items: int = 30, length: int = 6) -> Interactions:
    """Everybody takes `length` different items at times that interleave; some fall into one second."""
    users = np.repeat(np.arange(n_users), length)
    items = np.concatenate([rng.choice(n_items, length, replace=False) for _ in range(n_users)])
    return make_interactions(users, items, rng.integers(1, 200, len(users)), n_users, n_items)


def make_dataset(interactions: Interactions, items: tuple[Item, ...] | None = None) -> Dataset:
    users = tuple(f"u{user}" for user in range(interactions.n_users))
    return Dataset("made up", items or make_items(interactions.n_items), users, interactions)


def make_keywords(dataset: Dataset) -> Keywords:
    """The words of texts are the items' own; a picture, where there is one, says "red" and "star"."""
    pictured = [item.image is not None for item in dataset.items]
    return Keywords(
        image=tuple(("red", "star") if has else () for has in pictured),
        text=tuple(fallback(item, 6) for item in dataset.items),
        source=tuple(("model" if has else "none", "fallback") for has in pictured),
        answers=tuple(("red, star" if has else None, "") for has in pictured),
    )


def make_retrieval(train: Interactions, **settings) -> Retrieval:
    return Retrieval(train, Neighbours(train, Bag(train.n_items)), RetrieveSettings(**settings))


def make_prompts(mllm: Mllm, dataset: Dataset, **settings) -> Prompts:
    """Pictures are noise, of the size that the model gives to words."""
    chosen = RecommendSettings(**{"first_layer": 0, "title_tokens": 24, **settings})
    noise = torch.Generator().manual_seed(1)
    size = (chosen.visual_tokens, mllm.hidden_size)
    pictured = [code for code, item in enumerate(dataset.items) if item.image is not None]
    features = {code: 0.3 * torch.randn(size, generator=noise) for code in pictured}
    return Prompts(mllm, dataset, make_keywords(dataset), features if chosen.prompt_fields.pictures else {}, chosen)


def make_evidence(rng: np.random.Generator, n_items: int, candidates: int, history: int = 3) -> PromptContext:
    """Somebody with anything behind them."""
    return PromptContext(
        history=tuple(rng.choice(n_items, history, replace=False).tolist()),
        similar=tuple(rng.choice(n_items, 2, replace=False).tolist()),
        candidates=tuple(rng.choice(n_items, candidates, replace=candidates > n_items).tolist()),
        popularity=tuple(rng.integers(0, 8, candidates).tolist()),
        neighbour_votes=tuple(rng.integers(0, 6, candidates).tolist()),
    )


def only(**shown: bool) -> PromptFields:
    """Everything hidden but what is named."""
    return PromptFields(**(dict.fromkeys(PromptFields.model_fields, False) | shown))


def save_tiny(folder: Path) -> Path:
    """The tiny model as a folder that loads like any other image-text-to-text model."""
    mllm = tiny_mllm()
    mllm.model.save_pretrained(folder)
    processor = LlavaProcessor(
        mllm.image_processor,
        mllm.tokenizer,
        patch_size=8,
        vision_feature_select_strategy="full",
        chat_template=CHATML,
    )
    processor.save_pretrained(folder)
    return folder
