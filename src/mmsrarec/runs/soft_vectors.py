"""The vectors of a run's sequence models that enter the prompts of stage 3 as soft tokens.

Training reads vectors of models that never saw its users (`cross_fitting`): a state that was trained on its own target
would know it, and the language model would learn to trust what no test user has.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mmsrarec.recommend.soft.cross_fitting import held_out_users
from mmsrarec.recommend.soft.soft_sources import SoftSource, SoftSources
from mmsrarec.retrieve.encoder import Encoder
from mmsrarec.retrieve.settings import EncoderName

if TYPE_CHECKING:
    from mmsrarec.runs.run_folder import Part, RunFolder


def held_out_part(split: "Part", name: EncoderName) -> str:
    """The folder of a sequence model that never saw the users of the training prompts, inside a run."""
    return f"sequence/{split}/{name}-held-out"


def soft_sources(run_folder: "RunFolder", split: "Part", variant: str) -> SoftSources | None:
    """What soft tokens are made from in an answer; None for a variant without soft tokens."""
    soft = run_folder.recommend_settings(variant).soft
    if not soft.sources:
        return None
    sources = _sources(run_folder, [run_folder.encoder(split, name) for name in soft.sources])
    return sources.shuffled(run_folder.recipe.seed) if soft.shuffled else sources


def training_sources(run_folder: "RunFolder", split: "Part", variant: str) -> SoftSources | None:
    """What soft tokens are made from in training: models that never saw the users of the prompts."""
    soft, device = run_folder.recommend_settings(variant).soft, run_folder.recipe.runtime.device
    if not soft.sources:
        return None
    names = [held_out_part(split, name) for name in soft.sources]
    encoders = [Encoder.load(run_folder.finished(name), device) for name in names]
    answering = _sources(run_folder, [run_folder.encoder(split, name) for name in soft.sources])
    sources = _sources(run_folder, encoders).aligned_to(answering)
    return sources.shuffled(run_folder.recipe.seed) if soft.shuffled else sources


def _sources(run_folder: "RunFolder", encoders: Sequence[Encoder]) -> SoftSources:
    return SoftSources(tuple(map(SoftSource.of, encoders)), len(run_folder.dataset.items))


def unused_users(run_folder: "RunFolder", split: "Part", variant: str) -> NDArray[np.bool_] | None:
    """(n_users,) mask of the users whose prompts are not trained on; None where all are."""
    soft = run_folder.recommend_settings(variant).soft
    if not soft.sources:
        return None
    return ~held_out_users(run_folder.split(split).train.n_users, soft.folds, run_folder.recipe.seed)
