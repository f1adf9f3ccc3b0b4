"""Rankers by name, and what each is made from."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from mmsrarec.data.dataset import Interactions
from mmsrarec.rankers import ease
from mmsrarec.rankers.als import Als
from mmsrarec.rankers.base import Ranker
from mmsrarec.rankers.item_knn import ItemKnn
from mmsrarec.rankers.neighbours_only import NeighboursOnly
from mmsrarec.rankers.popularity import Popularity, PopularityAsOf, RecentPopularity
from mmsrarec.rankers.random_scores import Random
from mmsrarec.rankers.sequence_model import SequenceModelRanker
from mmsrarec.rankers.sequential_rules import SequentialRules
from mmsrarec.rankers.settings import BaselineSettings
from mmsrarec.rankers.user_knn import UserKnn
from mmsrarec.retrieve.encoder import Encoder
from mmsrarec.retrieve.neighbours import Neighbours
from mmsrarec.retrieve.settings import ENCODERS, EncoderName, RetrieveSettings


class NeighbourIndex(Protocol):
    """Stage 2 ready for use: the training log, its index of queries, and how much is asked of it."""

    @property
    def train(self) -> Interactions: ...
    @property
    def neighbours(self) -> Neighbours: ...
    @property
    def settings(self) -> RetrieveSettings: ...


@dataclass(frozen=True)
class Source:
    """What a row may be made from. encoder, retrieval: a sequence model, and stage 2, on the split, loaded only for
    rows that ask. baselines: settings of the rows made from the log."""

    train: Interactions
    seed: int
    encoder: Callable[[EncoderName], Encoder]
    retrieval: Callable[[], NeighbourIndex]
    baselines: BaselineSettings = field(default_factory=BaselineSettings)


def _neighbours_only(source: Source) -> Ranker:
    stage_2 = source.retrieval()
    n_vote_neighbours = stage_2.settings.n_vote_neighbours_of(stage_2.train.n_users)
    return NeighboursOnly(stage_2.train, stage_2.neighbours, stage_2.settings.n_vote_items, n_vote_neighbours)


CLASSIC: dict[str, Callable[[Source], Ranker]] = {
    "random": lambda source: Random(source.train.n_items, source.seed),
    "popularity": lambda source: Popularity(source.train),
    "popularity-as-of": lambda source: PopularityAsOf(source.train),
    "recent-popularity": lambda source: RecentPopularity(source.train, **source.baselines.of("recent-popularity")),
    "sequential-rules": lambda source: SequentialRules(source.train, **source.baselines.of("sequential-rules")),
    "item-knn": lambda source: ItemKnn(source.train, **source.baselines.of("item-knn")),
    "user-knn": lambda source: UserKnn(source.train, **source.baselines.of("user-knn")),
    "als": lambda source: Als(source.train, source.seed, **source.baselines.of("als")),
    "ease": lambda source: ease.Ease(source.train, **source.baselines.of("ease")),
}
"""Rows made from the log alone."""
STAGE_2: dict[str, Callable[[Source], Ranker]] = {
    **{name: lambda source, name=name: SequenceModelRanker(source.encoder(name), source.train) for name in ENCODERS},
    "neighbours-only": _neighbours_only,
}
"""Rows that need stage 2."""
GENERATORS = ("sequential-rules", "als", "ease", *ENCODERS)
"""Who may propose to the language model: whoever proposes the targets of most validation users does."""


def make_row(name: str, source: Source) -> Ranker:
    """A row without a language model."""
    return (CLASSIC | STAGE_2)[name](source)
