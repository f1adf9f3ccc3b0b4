"""Matrix factorisation trained by Bayesian personalised ranking (Rendle et al., UAI 2009)."""

from typing import TYPE_CHECKING

from mmsrarec.data.dataset import Interactions
from mmsrarec.rankers.two_tower.two_tower_ranker import TwoTowerRanker, TwoTowerSettings

if TYPE_CHECKING:
    from mmsrarec.models.two_tower.towers import Towers


class BprSettings(TwoTowerSettings):
    """Matrix factorisation trained by BPR."""


class Bpr(TwoTowerRanker):
    """Learned vectors of users and items; a user is also the mean of what they consumed, so anybody is served.

    `implicit` and `cornac` have BPR for the users of the training alone.
    """

    name = "bpr"
    Settings = BprSettings
    proposes = True

    def _towers(self, interactions: Interactions) -> "Towers":
        from mmsrarec.models.two_tower.towers import FactorTowers

        return FactorTowers(interactions.n_users, interactions.counts > 0, self.settings.factors, None, 0)
