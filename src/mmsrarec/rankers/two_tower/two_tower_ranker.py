"""What rankers of two towers share: settings, the training, scores as products of vectors, and content they need."""

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mmsrarec.data.dataset import FloatArray, IntArray, Interactions
from mmsrarec.data.splits import Queries
from mmsrarec.errors import MissingDependencyError
from mmsrarec.rankers.interaction_matrix import of_candidates
from mmsrarec.rankers.ranker_base import ContentRanker, RankerSettings

if TYPE_CHECKING:
    from torch import Tensor

    from mmsrarec.models.two_tower.towers import Towers


class TwoTowerSettings(RankerSettings):
    """What all rankers of two towers are set by."""

    factors: int = Field(default=64, ge=1, le=1024, description="size of a user's and an item's learned vector")
    max_length: int = Field(default=20, ge=1, le=1000, description="items of a history that are read, the newest")
    epochs: int = Field(default=20, ge=1, le=1000, description="passes over the training interactions")
    batch_size: int = Field(default=512, ge=1, description="interactions of a training step")
    learning_rate: float = Field(default=0.005, gt=0, le=1, description="learning rate of Adam")
    l2: float = Field(default=0.001, ge=0, le=10, description="weight of the squared size of the vectors of a step")
    user_dropout: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="share of users of a step whose own vector is left out, so that the history learns to stand alone",
    )


class ContentTowerSettings(TwoTowerSettings):
    """Two towers over items known by their content."""

    content_size: int = Field(default=64, ge=1, le=1024, description="principal components of an item's content")


class TwoTowerRanker(ContentRanker):
    """Scores an item by the product of its vector with the user's, whose history makes it."""

    reads_content = False

    search_space: ClassVar = {
        "epochs": (10, 20, 40),
        "learning_rate": (0.002, 0.005, 0.01),
        "l2": (0.0, 0.0001, 0.001, 0.01),
        "max_length": (5, 20, 50),
    }

    def _fit(self, interactions: Interactions, seed: int) -> None:
        try:
            from mmsrarec.models.two_tower.bpr_training import BprTraining, new_towers, train_towers
        except ImportError as missing:
            hint = f"the row {self.name} needs more packages: pip install 'mmsrarec[mllm]'"
            raise MissingDependencyError(hint) from missing
        if self.reads_content:
            self.checked_content()
        towers = new_towers(lambda: self._towers(interactions), seed)
        shared = self.settings.model_dump(include=BprTraining.__dataclass_fields__.keys())
        train_towers(towers, interactions, BprTraining(**shared | self._training()), seed)
        self._arrays: dict[str, NDArray[Any]] = towers.arrays()

    def _towers(self, interactions: Interactions) -> "Towers":
        """The towers, not trained yet."""
        raise NotImplementedError

    def _training(self) -> dict[str, Any]:
        """What the training has beside the settings of the same names."""
        return {}

    def _features(self) -> "Tensor":
        """(n_items, content_size) the content's principal components."""
        import torch

        from mmsrarec.models.sequence.whitening import whitened

        return whitened(torch.as_tensor(np.array(self.content, dtype=np.float32)), self.settings.content_size)

    def _score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        scores = self._user_vectors(queries) @ self._arrays["items"].T
        if "bias" in self._arrays:
            scores = scores + self._arrays["bias"]
        return of_candidates(scores, candidates)

    def _user_vectors(self, queries: Queries) -> FloatArray:
        """(m, d) of users: their own vector, and the mean of their history's."""
        vectors = self._means(self._arrays["histories"], queries.history)
        own = self._arrays["users"]
        inside = (queries.user >= 0) & (queries.user < len(own))
        vectors[inside] += own[queries.user[inside]]
        return vectors

    def _means(self, table: NDArray[Any], histories: tuple[IntArray, ...]) -> FloatArray:
        """(m, d) mean rows of the newest items of histories; zeros for an empty one."""
        means = np.zeros((len(histories), table.shape[1]), dtype=table.dtype)
        for row, history in enumerate(histories):
            newest = history[history < self.n_items][-self.settings.max_length :]
            if len(newest):
                means[row] = table[newest].mean(axis=0)
        return means

    def _state(self) -> dict[str, NDArray[Any]]:
        return self._arrays

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        self._arrays = arrays
