"""Validation keeps the best weights, stops a training that gets no better, and outlives a restart."""

from pathlib import Path

import numpy as np
import pytest
import torch
from soft import SOFT, drawn_sources, soft_retrieval
from tiny import tiny_mllm
from torch import nn
from world import make_dataset, make_log, make_prompts

from mmsrarec.models.backbone.adapter import Trainer
from mmsrarec.recommend.training.early_stopping import EarlyStopping, ValidationSet
from mmsrarec.recommend.training.fine_tuning import tune
from mmsrarec.recommend.training.training_samples import sample_training

LOG = make_log(np.random.default_rng(0))
RETRIEVAL = soft_retrieval(LOG, drawn_sources(LOG.n_items))


def moved(trainer: Trainer, model: nn.Linear) -> bytes:
    """One step of training; the weights behind it."""
    trainer.step(model(torch.ones(1, 3)).sum())
    return model.weight.detach().numpy().tobytes()


def test_the_best_weights_come_back_after_a_restart(tmp_path: Path) -> None:
    model = nn.Linear(3, 1)
    trainer, stopping = Trainer(model, 1e-2, 8), EarlyStopping(tmp_path, 8, 4, 2)
    weights = [moved(trainer, model) for _ in range(2)]
    assert [step for step in range(1, 9) if stopping.is_due(step)] == [2, 4, 6, 8]
    stopping.record(2, 0.4, trainer, True)
    weights += [moved(trainer, model), moved(trainer, model)]
    stopping.record(4, 0.4, trainer, True)
    stopping = EarlyStopping(tmp_path, 8, 4, 2)
    assert (stopping.best, stopping.is_due(4), stopping.is_due(6), stopping.is_over) == ((2, 0.4), False, True, False)
    stopping.record(6, 0.1, trainer, True)
    assert stopping.is_over
    stopping.restore(trainer)
    assert model.weight.detach().numpy().tobytes() == weights[1] != weights[3]


@pytest.mark.parametrize(("patience", "steps"), [(1, (4, 6)), (9, (6, 6))])
def test_a_training_is_validated_with_the_vectors_of_answers(tmp_path: Path, patience: int, steps: tuple) -> None:
    settings = {"n_examples": 12, "batch_size": 2, "negatives": 3, "rank": 2, "history": 2, "first_layer": 1}
    settings |= {"tasks": {"foresee": 0, "recognise": 0, "profile": 0}, "validations": 3, "patience": patience}
    prompts = make_prompts(tiny_mllm(), make_dataset(LOG), soft=SOFT, **settings)
    queries, candidates, place = sample_training(LOG, 9, 4, np.random.default_rng(3))
    answering = soft_retrieval(LOG, drawn_sources(LOG.n_items, seed=5))
    validation = ValidationSet(answering, queries, candidates, place)
    work = tmp_path / "work"
    facts = tune(prompts, RETRIEVAL, prompts.settings, 7, tmp_path / "adapter", work, validation=validation)
    points = facts["validation"]
    assert [point["step"] for point in points] == list(range(2, facts["steps"] + 1, 2))
    assert facts["steps"] in range(steps[0], steps[1] + 1)
    assert validation.ndcg(prompts) == pytest.approx(max(point["ndcg"] for point in points), abs=1e-3)
    token_map = prompts.mllm.soft_tokens
    assert torch.equal(token_map.vectors[0], torch.as_tensor(RETRIEVAL.soft.vectors))  # as before the validation
