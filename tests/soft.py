"""Soft tokens without any training: sequence models as they are drawn, and prompts that read their vectors."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from bodies import tiny_body
from numpy.typing import NDArray
from rounds import SMALL
from world import make_evidence, make_prompts, make_retrieval

from mmsrarec.data.dataset import Dataset, Interactions
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.sequence.content_sasrec import ContentSASRec
from mmsrarec.models.sequence.item_tokens import ItemTokens
from mmsrarec.recommend.prompt.prompt_context import PromptContext, Retrieval
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.soft.soft_sources import SoftSource, SoftSources
from mmsrarec.recommend.soft.soft_token_map import SoftTokenMap
from mmsrarec.retrieve.encoder import Encoder, new_model
from mmsrarec.retrieve.settings import ITEM_TOKENS, EncoderName

SOFT = {"sources": ("sasrec",), "hidden": 32}
"""Settings of soft tokens, small."""


def drawn_encoder(
    n_items: int, name: EncoderName = "sasrec", seed: int = 0, known: NDArray[np.bool_] | None = None
) -> Encoder:
    """A sequence model as it is drawn, with vectors large enough to tell items apart."""
    draw = torch.Generator().manual_seed(seed)
    body = tiny_body() if name in ITEM_TOKENS else None
    model = new_model(n_items, SMALL.model_copy(update={"encoder": name}), body).reset(draw)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.2 * torch.randn(weight.shape, generator=draw))
    if isinstance(model, ContentSASRec | ItemTokens):
        content = torch.randn(n_items, SMALL.content_size, generator=draw)
        model.set_content(content, torch.ones(n_items) if known is None else torch.as_tensor(known))
    return Encoder(model, SMALL.model_copy(update={"encoder": name}), known=known)


def drawn_sources(n_items: int, *names: EncoderName, seed: int = 0) -> SoftSources:
    """Sources of soft tokens, one for each name; of "sasrec" alone where none is given."""
    encoders = [drawn_encoder(n_items, name, seed + number) for number, name in enumerate(names or ("sasrec",))]
    return SoftSources(tuple(map(SoftSource.of, encoders)), n_items)


def soft_map(sources: SoftSources, mllm: Mllm, seed: int = 0, spread: float = 0.5) -> SoftTokenMap:
    """A map that is not trained, given to the model; `spread` is large enough that scores depend on soft tokens."""
    mllm.soft_tokens = SoftTokenMap(sources, mllm.hidden_size, 32, spread, seed).requires_grad_(False)
    return mllm.soft_tokens


def soft_prompts(mllm: Mllm, dataset: Dataset, sources: SoftSources, **settings: Any) -> Prompts:
    """Prompts with soft tokens, of a model that has a map for them."""
    soft_map(sources, mllm)
    prompts = make_prompts(mllm, dataset, **{"soft": SOFT, "visual_tokens": 2, **settings})
    prompts.soft = sources
    return prompts


def soft_retrieval(train: Interactions, sources: SoftSources, **settings: Any) -> Retrieval:
    """Stage 2 that gives prompts what soft tokens are made from."""
    return replace(make_retrieval(train, **settings), soft=sources)


def soft_context(
    rng: np.random.Generator, sources: SoftSources, candidates: int, history: int = 3, n_items: int = 30
) -> PromptContext:
    """Somebody with anything behind them, and the state that the sources see there."""
    context = make_evidence(rng, n_items, candidates, history)
    longer = (*rng.choice(n_items, 2).tolist(), *context.history)
    (state,) = sources.states([np.array(longer)])
    people = {"similar_people": (9, 9), "vote_people": (9,) * candidates}
    return replace(context, soft_history=longer, state=state, **people)
