"""The shipped laws for rankers whose fit costs a second or more: what was fitted is kept for the other laws."""

from typing import ClassVar

from mmsrarec.data.dataset import Interactions
from mmsrarec.rankers.ranker_base import RankerBase
from mmsrarec.testing import RankerLaws


class KeptLaws(RankerLaws):
    """Fits with seed 0 are kept."""

    kept: ClassVar[dict[tuple[str, str], RankerBase]] = {}

    def fitted(self, interactions: Interactions, seed: int = 0) -> RankerBase:
        place = (self.ranker.name, interactions.digest)
        if seed or place not in self.kept:
            self.kept[place] = self.trained(interactions, seed)
        return self.kept[place]

    def trained(self, interactions: Interactions, seed: int) -> RankerBase:
        return super().fitted(interactions, seed)
