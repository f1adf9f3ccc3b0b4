"""The device against the CPU: the same model, prompts and steps in float32, and how far bfloat16 lies from them."""

from collections.abc import Iterator

import numpy as np
import torch

from gpu_checks.results import Result
from gpu_checks.workload import Workload
from mmsrarec.models.backbone.adapter import Trainer, add_adapter
from mmsrarec.models.packing.forward import batch_of
from mmsrarec.models.vision.image_features import encode_catalogue_images
from mmsrarec.recommend.ranking.scorer import score_packs, yes_minus_no_of
from mmsrarec.recommend.training.ranking_loss import choose_loss
from mmsrarec.retrieve.encoder import Encoder, new_model
from mmsrarec.retrieve.search.nearest_search import NumpySearch, make_search
from mmsrarec.retrieve.settings import ENCODERS, ITEM_TOKENS, RetrieveSettings
from mmsrarec.summarize.summarizer import summarize

CLOSE = 1e-3
"""How far a probability, a loss or a score in float32 may lie from that of the CPU."""
LOW_PRECISION = 0.05
"""The same in bfloat16."""


def comparison(work: Workload, rates: dict[torch.dtype, float]) -> Iterator[Result]:
    """Each computation there and here."""
    yield from _ranking(work)
    yield from _keywords(work)
    yield from _sequence_models(work)


def _ranking(work: Workload) -> Iterator[Result]:
    settings, contexts = work.recipe.recommend, work.contexts[: work.size.compared]
    scores, losses, weights = {}, {}, {}
    places = {"cpu": ("cpu", "float32"), "there": (work.device, "float32"), "bfloat16": (work.device, "bfloat16")}
    for name, (device, dtype) in places.items():
        prompts = work.prompts(work.mllm(device, dtype, ranks=True))
        packs = [prompts.render(context) for context in contexts]
        scores[name] = np.concatenate(score_packs(prompts, packs))
        peft = add_adapter(prompts.mllm, settings.rank, settings.first_layer, 0)
        trainer = Trainer(peft, 1e-3, 3)
        place = torch.zeros(len(packs), dtype=torch.long, device=prompts.mllm.device)
        for _ in range(2):  # the second sees what the first one changed
            loss = choose_loss(
                yes_minus_no_of(prompts, batch_of(prompts.mllm, packs)).view(len(packs), -1), place, "both"
            )
            trainer.step(loss)
        losses[name] = float(loss.detach())
        weights[name] = {key: weight.detach().float().cpu() for key, weight in trainer.weights.items()}
    far, low = (float(np.abs(scores[name] - scores["cpu"]).max()) for name in ("there", "bfloat16"))
    yield Result("comparison", "scores in float32, largest difference", far, ok=far <= CLOSE)
    yield Result("comparison", "scores in bfloat16, largest difference", low, ok=low <= LOW_PRECISION)
    far, low = (abs(losses[name] - losses["cpu"]) for name in ("there", "bfloat16"))
    yield Result("comparison", "loss of the second step in float32, difference", far, ok=far <= CLOSE)
    yield Result("comparison", "loss of the second step in bfloat16, difference", low, ok=low <= LOW_PRECISION)
    far = max(float((weights["there"][key] - weight).abs().max()) for key, weight in weights["cpu"].items())
    yield Result("comparison", "weights after two steps in float32, largest difference", far, ok=far <= 2e-3)


def _keywords(work: Workload) -> Iterator[Result]:
    settings, keywords = work.recipe.summarize, {}
    few = work.dataset.items[: work.size.compared * 2]
    dataset = type(work.dataset)(
        work.dataset.name, few, work.dataset.user_ids, work.dataset.interactions, work.dataset.folder
    )
    for device in ("cpu", work.device):
        mllm = work.mllm(device, "float32")
        features = encode_catalogue_images(mllm, dataset, settings.visual_tokens).features
        store = work.folder / f"compared-{len(keywords)}.sqlite"
        found = summarize(dataset, mllm, settings, store, features)
        keywords[len(keywords)] = [*found.text, *found.image]
    same = [ours == theirs for ours, theirs in zip(keywords[0], keywords[1], strict=True)]
    share = sum(same) / len(same)
    yield Result("comparison", f"equal keywords of {len(same)} texts and pictures", share, ok=share >= 0.9)


def _sequence_models(work: Workload) -> Iterator[Result]:
    rng, n_items = np.random.default_rng(0), 500
    histories = [rng.integers(0, n_items, rng.integers(1, 20)) for _ in range(64)]
    for name in (name for name in ENCODERS if name not in ITEM_TOKENS):
        settings = RetrieveSettings(encoder=name)
        torch.manual_seed(0)
        model = new_model(n_items, settings).reset(torch.Generator().manual_seed(0))
        near = Encoder(model, settings).scores(histories)
        far = Encoder(model.to(work.device), settings).scores(histories)
        worst = float(np.abs(near - far).max() / np.abs(near).max())
        yield Result("comparison", f"{name}, scores, largest relative difference", worst, ok=worst <= CLOSE)
    vectors = rng.normal(size=(20_000, 64)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    until, width = np.full(32, len(vectors)), np.full(32, 50)
    near = NumpySearch(vectors).propose(vectors[:32], until, width)
    far = make_search("exact", vectors, work.device).propose(vectors[:32], until, width)
    shares = [
        len(set(a.numbers[np.argsort(-a.products)][:50].tolist()) & set(b.numbers.tolist())) / 50
        for a, b in zip(near, far, strict=True)
    ]
    least = min(shares)
    yield Result("comparison", "nearest 50 of 20,000 vectors found, least share", least, ok=least >= 0.98)
