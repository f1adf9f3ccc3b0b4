"""The learning curve of an adapter: loss and share ranked first against packs, from its training.json."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

FILE = "training.json"
TASK = "choose"
"""Task of ranking a pack; the curve of other tasks has no share ranked first."""
MAX_POINTS = 60
"""Points of a curve; neighbouring steps are averaged down to them."""


class LearningPoint(NamedTuple):
    """The mean of neighbouring steps.

    Attributes:
        packs: Packs trained on up to their middle, each as often as it was read.
        loss: Loss of a pack.
        first: Share of the packs whose positive ranks first.
    """

    packs: float
    loss: float
    first: float


def learning_curve(curve: Sequence[Mapping[str, Any]], n_packs: int) -> list[LearningPoint]:
    """Smooth the curve of a training.

    Args:
        curve: The steps in order, with "task", "loss" and, for the task of ranking, "first".
        n_packs: Packs of the whole training, each as often as it was read.

    Returns:
        At most `MAX_POINTS` points; empty where no step ranked packs.
    """
    steps = [(float(step["loss"]), float(step["first"])) for step in curve if step.get("task") == TASK]
    if not steps:
        return []
    packs = (np.arange(len(steps)) + 0.5) * n_packs / len(steps)
    parts = np.array_split(np.column_stack([packs, np.array(steps)]), min(len(steps), MAX_POINTS))
    return [LearningPoint(*map(float, part.mean(axis=0))) for part in parts]


def read_learning_curve(folder: Path, n_packs: int) -> list[LearningPoint]:
    """The smoothed curve of the adapter in a folder; empty where none was recorded.

    Args:
        folder: The part of the adapter inside a run.
        n_packs: As in `learning_curve`.
    """
    file = folder / FILE
    record: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return learning_curve(record.get("curve", ()), n_packs)
