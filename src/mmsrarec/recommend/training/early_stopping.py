"""Validation while the language model is trained: the best weights are kept, and training stops once it gets no better.

What is validated is what is served: prompts of validation users, with the vectors that answers read.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmsrarec.data.dataset import IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.models.backbone.adapter import Trainer
from mmsrarec.recommend.prompt.prompt_context import Retrieval
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.ranking.scorer import score_packs
from mmsrarec.recommend.soft.soft_token_map import SoftTokenMap

DEPTH = 5
"""Places that count: the validation figure is NDCG@5."""


class ValidationPoint(NamedTuple):
    """One validation.

    Attributes:
        step: Steps of training before it.
        ndcg: NDCG@5 of the validation users.
    """

    step: int
    ndcg: float


@dataclass(frozen=True, eq=False)
class ValidationSet:
    """Validation users with their candidates.

    Attributes:
        retrieval: Gathers the prompt contexts as an answer does.
        queries: m queries.
        candidates: (m, c) item codes.
        place: (m,) columns of the targets.
    """

    retrieval: Retrieval
    queries: Queries
    candidates: IntArray
    place: IntArray

    def ndcg(self, prompts: Prompts) -> float:
        """NDCG@5 of the model in training.

        Args:
            prompts: Renders the prompts; holds the model.
        """
        contexts = self.retrieval.gather(self.queries, self.candidates, prompts.settings)
        token_map = prompts.mllm.soft_tokens
        training_vectors = None
        if isinstance(token_map, SoftTokenMap) and self.retrieval.soft is not None:
            training_vectors = token_map.vectors, token_map.scales
            token_map.read_from(self.retrieval.soft)
        try:
            scores = np.stack(score_packs(prompts, [prompts.render(context) for context in contexts]))
        finally:
            if isinstance(token_map, SoftTokenMap) and training_vectors is not None:
                token_map.vectors, token_map.scales = training_vectors
        own = np.take_along_axis(scores, self.place[:, None], axis=1)
        places = (scores > own).sum(1) + ((scores == own).sum(1) - 1) / 2
        return float(np.where(places < DEPTH, 1 / np.log2(places + 2), 0).mean())


class EarlyStopping:
    """Keeps the best weights of a training.

    Attributes:
        every: Steps between two validations.
        patience: Validations without a better figure after which training stops.
        file: Keeps the best weights.
        curve: All validations so far.
    """

    def __init__(self, folder: Path, steps: int, validations: int, patience: int) -> None:
        """Go on where a stopped training was.

        Args:
            folder: Keeps the best weights and the curve.
            steps: Steps of the whole training.
            validations: Number of validations, evenly spread over the steps.
            patience: Validations without a better figure after which training stops.
        """
        self.every, self.patience = max(1, steps // validations), patience
        self.file, self._curve_file = folder / "best.safetensors", folder / "validation.jsonl"
        lines = self._curve_file.read_text().splitlines() if self._curve_file.exists() else []
        self.curve = [ValidationPoint(*json.loads(line)) for line in lines if line.endswith("]")]

    @property
    def best(self) -> ValidationPoint | None:
        """The best validation so far, the earliest of equals; None before the first."""
        return max(self.curve, key=lambda point: point.ndcg, default=None)

    @property
    def is_over(self) -> bool:
        """Whether the last validations were no better."""
        best = self.best
        return best is not None and len(self.curve) - 1 - self.curve.index(best) >= self.patience

    def is_due(self, step: int) -> bool:
        """Whether a validation belongs behind so many steps, and was not done before a restart."""
        return step % self.every == 0 and all(point.step != step for point in self.curve)

    def record(self, step: int, ndcg: float, trainer: Trainer, writes: bool) -> None:
        """Note a validation, and keep the weights if they are the best.

        Args:
            step: Steps of training before it.
            ndcg: The figure.
            trainer: Holds the weights.
            writes: Whether this process writes the files.
        """
        self.curve.append(ValidationPoint(step, ndcg))
        if writes and self.best == self.curve[-1]:
            trainer.save(self.file)
        if writes:
            with self._curve_file.open("a") as file:
                file.write(json.dumps([step, ndcg]) + "\n")

    def restore(self, trainer: Trainer) -> None:
        """Give the model the best weights."""
        if self.file.exists():
            trainer.load_weights(self.file)
