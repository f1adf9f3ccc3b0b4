"""VBPR: matrix factorisation with mapped item content beside the learned factors (He and McAuley, arXiv 1510.01784)."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from mmsrarec.data.dataset import Interactions
from mmsrarec.rankers.two_tower.two_tower_ranker import ContentTowerSettings, TwoTowerRanker

if TYPE_CHECKING:
    from mmsrarec.models.two_tower.towers import Towers


class VbprSettings(ContentTowerSettings):
    """Matrix factorisation with content."""

    content_factors: int = Field(
        default=64, ge=1, le=1024, description="size of an item's mapped content and of a user's taste for it"
    )


class Vbpr(TwoTowerRanker):
    """Scores by learned vectors, mapped content and their biases. The content is a frozen model's, text and picture."""

    name = "vbpr"
    Settings = VbprSettings
    proposes = True
    reads_content = True
    ranks_new_items = True
    search_space: ClassVar = {**TwoTowerRanker.search_space, "content_size": (32, 64, 128)}

    def _towers(self, interactions: Interactions) -> "Towers":
        from mmsrarec.models.two_tower.towers import FactorTowers

        known, settings = interactions.counts > 0, self.settings
        return FactorTowers(interactions.n_users, known, settings.factors, self._features(), settings.content_factors)
