"""Stage 2: the users who are most like a query's user, and what they consumed next.

A query is a user's history at a point in time. Only interactions strictly before that time count (the temporal leakage
rule), so that no answer comes from the future.

Reading order: `settings` (no torch), `encoder` and `training` (a sequence model turns a history into an embedding),
`search` and `neighbours` (the most similar earlier histories), `collaborative_context` (what those neighbours
consumed next, as weighted votes and keywords), `item_time_index` and `signals` (facts about candidates in words).
"""

from typing import TYPE_CHECKING, Any

from mmsrarec.core.lazy_imports import public_attribute

if TYPE_CHECKING:
    from mmsrarec.retrieve.collaborative_context import Votes, voting_neighbours
    from mmsrarec.retrieve.encoder import Encoder
    from mmsrarec.retrieve.item_time_index import ItemTimeIndex
    from mmsrarec.retrieve.neighbours import NeighbourLists, Neighbours, query_times
    from mmsrarec.retrieve.settings import EncoderSettings, RetrieveSettings
    from mmsrarec.retrieve.training import refit, train_encoder

__all__ = [
    "Encoder",
    "EncoderSettings",
    "ItemTimeIndex",
    "NeighbourLists",
    "Neighbours",
    "RetrieveSettings",
    "Votes",
    "query_times",
    "refit",
    "train_encoder",
    "voting_neighbours",
]

_MODULES = {
    "Encoder": "encoder",
    "EncoderSettings": "settings",
    "ItemTimeIndex": "item_time_index",
    "NeighbourLists": "neighbours",
    "Neighbours": "neighbours",
    "RetrieveSettings": "settings",
    "Votes": "collaborative_context",
    "query_times": "neighbours",
    "refit": "training",
    "train_encoder": "training",
    "voting_neighbours": "collaborative_context",
}


def __getattr__(name: str) -> Any:
    """Import a public name at its first use, so that settings are read without torch."""
    return public_attribute(__name__, _MODULES, name)
