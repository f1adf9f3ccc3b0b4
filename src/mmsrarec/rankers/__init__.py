"""Rankers without the language model: one file a ranker, with its settings, fit, score, save and load.

Read in this order: `base` (the interface), `ranker_base` (the base class), any ranker such as `popularity`, `registry`
(rankers by name), `ensemble` (several rankers as one).
"""

from typing import TYPE_CHECKING, Any

from mmsrarec.core.lazy_imports import public_attribute

if TYPE_CHECKING:
    from mmsrarec.rankers.als import Als
    from mmsrarec.rankers.base import CandidateGenerator
    from mmsrarec.rankers.ease import Ease
    from mmsrarec.rankers.graph_paths.mgrasrec_style import MgrasrecStyle
    from mmsrarec.rankers.item_knn import ItemKnn
    from mmsrarec.rankers.neighbours_only import NeighboursOnly
    from mmsrarec.rankers.popularity import Popularity, PopularityAsOf, RecentPopularity
    from mmsrarec.rankers.random_scores import Random
    from mmsrarec.rankers.ranker_base import RankerBase, RankerSettings
    from mmsrarec.rankers.registry.registry import ranker_class, ranker_names
    from mmsrarec.rankers.sequence_model import Bert4rec, ContentSasrec, Gru4rec, Sasrec
    from mmsrarec.rankers.sequential_rules import SequentialRules
    from mmsrarec.rankers.two_tower.bpr import Bpr
    from mmsrarec.rankers.two_tower.freedom_style import FreedomStyle
    from mmsrarec.rankers.two_tower.mllmrec_style import MllmrecLeaky, MllmrecStyle
    from mmsrarec.rankers.two_tower.vbpr import Vbpr
    from mmsrarec.rankers.user_knn import UserKnn

_HOME = {
    **dict.fromkeys(("RankerBase", "RankerSettings"), "ranker_base"),
    **dict.fromkeys(("ranker_class", "ranker_names"), "registry.registry"),
    **dict.fromkeys(("Popularity", "PopularityAsOf", "RecentPopularity"), "popularity"),
    **dict.fromkeys(("Bert4rec", "ContentSasrec", "Gru4rec", "Sasrec"), "sequence_model"),
    **dict.fromkeys(("MllmrecLeaky", "MllmrecStyle"), "two_tower.mllmrec_style"),
    "Als": "als",
    "Bpr": "two_tower.bpr",
    "CandidateGenerator": "base",
    "Ease": "ease",
    "FreedomStyle": "two_tower.freedom_style",
    "ItemKnn": "item_knn",
    "MgrasrecStyle": "graph_paths.mgrasrec_style",
    "NeighboursOnly": "neighbours_only",
    "Random": "random_scores",
    "SequentialRules": "sequential_rules",
    "UserKnn": "user_knn",
    "Vbpr": "two_tower.vbpr",
}
__all__ = [
    "Als",
    "Bert4rec",
    "Bpr",
    "CandidateGenerator",
    "ContentSasrec",
    "Ease",
    "FreedomStyle",
    "Gru4rec",
    "ItemKnn",
    "MgrasrecStyle",
    "MllmrecLeaky",
    "MllmrecStyle",
    "NeighboursOnly",
    "Popularity",
    "PopularityAsOf",
    "Random",
    "RankerBase",
    "RankerSettings",
    "RecentPopularity",
    "Sasrec",
    "SequentialRules",
    "UserKnn",
    "Vbpr",
    "ranker_class",
    "ranker_names",
]


def __getattr__(name: str) -> Any:
    """Import a public name at its first use."""
    return public_attribute(__name__, _HOME, name)
