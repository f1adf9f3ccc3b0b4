"""Whole stages on an accelerator, for which a device stands in: they give what a CPU gives."""

import copy
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from standin import REAL, standin
from tiny import tiny_mllm
from torch.optim import optimizer
from world import make_log

from mmsrarec.data.dataset import Dataset
from mmsrarec.data.splits import leave_one_out
from mmsrarec.models.vision.image_features import encode_catalogue_images
from mmsrarec.retrieve.encoder import Encoder
from mmsrarec.retrieve.neighbours import Neighbours
from mmsrarec.retrieve.settings import RetrieveSettings
from mmsrarec.retrieve.training import train_encoder
from mmsrarec.runs.recommender import Recommender
from mmsrarec.summarize.settings import SummarizeSettings
from mmsrarec.summarize.summarizer import summarize

SHORT = SummarizeSettings(visual_tokens=4, text_budget=16, max_new_tokens_text=4, max_new_tokens_image=3)
CLOSE = 1e-3 if REAL else 1e-5
LOG = make_log(np.random.default_rng(0))


@pytest.fixture
def device() -> Iterator[str]:
    with standin() as name:
        yield name


def test_stage_1_writes_the_keywords_of_a_cpu(drawn: Dataset, tmp_path: Path, device: str) -> None:
    written = []
    for where in ("cpu", device):
        mllm = tiny_mllm()
        mllm.model.to(where)
        features = encode_catalogue_images(mllm, drawn, 4).features
        written.append(summarize(drawn, mllm, SHORT, tmp_path / f"{len(written)}.sqlite", features, 16))
    same = [one == other for one, other in zip(written[0].answers, written[1].answers, strict=True)]
    assert np.mean(same) >= (0.9 if REAL else 1.0)
    assert any(written[0].answers)


# the stand-in cannot train a GRU, whose backward pass torch takes apart by the strides of real tensors
@pytest.mark.parametrize("name", ["sasrec", "bert4rec", "content-sasrec", *(["gru4rec"] if REAL else [])])
def test_a_sequence_model_is_trained_there(name, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fused = optimizer._get_fused_kernels_supported_devices()  # torch knows the stand-in by no name of its own
    monkeypatch.setattr(optimizer, "_get_fused_kernels_supported_devices", lambda: [*fused, torch.device(device).type])
    settings = RetrieveSettings(encoder=name, embedding_size=8, n_layers=1, n_heads=2, content_size=4, epochs=1,
                                max_length=8, dropout=0.0, id_dropout=0.0)  # fmt: skip
    split = leave_one_out(LOG)
    content = torch.randn(LOG.n_items, 4, generator=torch.Generator().manual_seed(0))
    content = content if name == "content-sasrec" else None
    models = [
        train_encoder(split.train, split.valid, settings, 0, device=where, content=content) for where in ("cpu", device)
    ]
    histories = [np.array([1, 2, 3]), np.array([4])]
    near, far = (model.scores(histories) for model in models)
    np.testing.assert_allclose(far, near, atol=1e-2 if REAL else 1e-4)
    assert models[1].curve[0] == pytest.approx(models[0].curve[0], abs=1e-2 if REAL else 1e-4)


def test_similar_users_are_those_of_a_cpu(device: str) -> None:
    settings = RetrieveSettings(embedding_size=8, n_layers=1, n_heads=2, epochs=1, max_length=8)
    encoder = train_encoder(LOG, leave_one_out(LOG).valid, settings, 0)
    moved = Encoder(copy.deepcopy(encoder.model).to(device), settings, encoder.curve, encoder.known)
    queries = leave_one_out(LOG).test.pick(np.arange(8))
    near, far = (
        Neighbours(LOG, each, device=where).find(queries, 5) for each, where in ((encoder, "cpu"), (moved, device))
    )
    np.testing.assert_allclose(far.similarity, near.similarity, atol=CLOSE)
    assert (far.user == near.user).mean() >= (0.9 if REAL else 1.0)


def test_a_finished_run_answers_there(finished: Path, device: str) -> None:
    near, far = (Recommender.load(finished / "run", device="cpu") for _ in range(2))
    far.prompts.mllm.model.to(device)
    users = near.dataset.user_ids[:3]
    for user in users:
        one, other = (recommender.recommend(user=user, k=5) for recommender in (near, far))
        assert [item.item_id for item in one] == [item.item_id for item in other]
        np.testing.assert_allclose([item.score for item in one], [item.score for item in other], atol=CLOSE)
        assert [item.because for item in one] == [item.because for item in other]
