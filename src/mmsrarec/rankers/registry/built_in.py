"""The rankers of this library by name, in the order in which candidate generators are tried."""

from collections.abc import Mapping

from mmsrarec.rankers.als import Als
from mmsrarec.rankers.ease import Ease
from mmsrarec.rankers.graph_paths.mgrasrec_style import MgrasrecStyle
from mmsrarec.rankers.item_knn import ItemKnn
from mmsrarec.rankers.neighbours_only import NeighboursOnly
from mmsrarec.rankers.popularity import Popularity, PopularityAsOf, RecentPopularity
from mmsrarec.rankers.random_scores import Random
from mmsrarec.rankers.ranker_base import RankerBase
from mmsrarec.rankers.sequence_model import (
    Bert4rec,
    ContentSasrec,
    Gru4rec,
    ItemTokens,
    ItemTokensRandom,
    Sasrec,
    SpeederStyle,
)
from mmsrarec.rankers.sequential_rules import SequentialRules
from mmsrarec.rankers.two_tower.bpr import Bpr
from mmsrarec.rankers.two_tower.freedom_style import FreedomStyle
from mmsrarec.rankers.two_tower.mllmrec_style import MllmrecLeaky, MllmrecStyle
from mmsrarec.rankers.two_tower.vbpr import Vbpr
from mmsrarec.rankers.user_knn import UserKnn

_CLASSES: tuple[type[RankerBase], ...] = (
    *(Random, Popularity, PopularityAsOf, RecentPopularity, SequentialRules, ItemKnn, UserKnn, Als, Ease, Bpr),
    *(Vbpr, FreedomStyle, MllmrecStyle, MllmrecLeaky, MgrasrecStyle),
    *(Sasrec, Gru4rec, Bert4rec, ContentSasrec, ItemTokens, ItemTokensRandom, SpeederStyle, NeighboursOnly),
)
BUILT_IN: Mapping[str, type[RankerBase]] = {ranker.name: ranker for ranker in _CLASSES}
