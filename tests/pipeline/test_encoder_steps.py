"""Sequence models behind soft tokens are trained without the users whose prompts they go into."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from finished import SOFT, copy_run, done, go, recipe_in
from rounds import same

from mmsrarec.core.progress import Progress
from mmsrarec.data.dataset import Dataset, make_interactions
from mmsrarec.pipeline.encoder_steps import EncoderSteps
from mmsrarec.recommend.soft.cross_fitting import held_out_users
from mmsrarec.retrieve.encoder import Encoder
from mmsrarec.runs.run_folder import RunFolder
from mmsrarec.runs.soft_vectors import soft_sources

SPLIT = "leave-one-out"
HELD_OUT, WHOLE = f"sequence/{SPLIT}/sasrec-held-out", f"recommend/{SPLIT}/whole"


def encoders_of(folder: Path, out: Path, dataset: Dataset | None = None) -> Encoder:
    """The sequence model that does not see the training users, on the run's data or on others."""
    run_folder = RunFolder(recipe_in(folder, *SOFT, "retrieve.epochs=1"), out, dataset)
    steps = EncoderSteps(run_folder, Progress())
    steps.encoder(SPLIT, "sasrec")
    steps.held_out_encoder(SPLIT, "sasrec", "whole")
    return Encoder.load(out / HELD_OUT)


def test_whatever_these_users_do_leaves_the_model_as_it_is(soft_run: Path, tmp_path: Path) -> None:
    run_folder = RunFolder.open(soft_run / "run")
    dataset, log = run_folder.dataset, run_folder.dataset.interactions
    held_out = held_out_users(log.n_users, 4, run_folder.recipe.seed)
    found: list[Encoder] = [encoders_of(soft_run, tmp_path / "as-it-is")]
    for name, users in (("theirs", held_out), ("others", ~held_out)):
        items = np.where(users[log.user], (log.item + 1) % log.n_items, log.item)
        changed = make_interactions(log.user, items, log.time, log.n_users, log.n_items)
        found.append(encoders_of(soft_run, tmp_path / name, replace(dataset, interactions=changed)))
    assert same(found[0], found[1])
    assert not same(found[0], found[2])


def test_content_is_a_source_that_knows_new_items(soft_run: Path, tmp_path: Path) -> None:
    folder = copy_run(soft_run, tmp_path)
    both = (*SOFT, "recommend.soft.sources=['sasrec','content-sasrec']")
    _, said = go(folder, *both, stages=("retrieve", "recommend"))
    assert done(said) == {f"sequence/{SPLIT}/content-sasrec", f"sequence/{SPLIT}/content-sasrec-held-out", WHOLE}
    run_folder = RunFolder(recipe_in(folder, *both), folder / "run")
    sources = soft_sources(run_folder, SPLIT, "whole")
    assert sources is not None
    unknown = ~np.isin(np.arange(sources.vectors.shape[0]), run_folder.split(SPLIT).train.item)
    assert not sources.vectors[unknown][:, :16].any()
    assert sources.vectors[:, 16:].any(axis=1).all()
    prompts = run_folder.tuned(SPLIT, "whole")
    assert prompts.soft is not None
    assert isinstance(prompts.mllm.soft_tokens, torch.nn.Module)
