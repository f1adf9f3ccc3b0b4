"""The rows of the comparison by name, and what each is made from."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mmsrarec.data.dataset import Events
from mmsrarec.errors import MmsrarecError
from mmsrarec.evaluate.baselines import ease
from mmsrarec.evaluate.baselines.als import Als
from mmsrarec.evaluate.baselines.item_knn import ItemKnn
from mmsrarec.evaluate.baselines.neighbours import NeighboursOnly
from mmsrarec.evaluate.baselines.popularity import Popularity, PopularityAsOf, RecentPopularity
from mmsrarec.evaluate.baselines.random_ import Random
from mmsrarec.evaluate.baselines.rules import SequentialRules
from mmsrarec.evaluate.baselines.sequence import SequenceRow
from mmsrarec.evaluate.baselines.user_knn import UserKnn
from mmsrarec.evaluate.protocol import Scorer
from mmsrarec.recommend.evidence import Retrieval
from mmsrarec.retrieve.encode import Encoder
from mmsrarec.retrieve.settings import ENCODERS, EncoderName


@dataclass(frozen=True)
class Source:
    """What a row may be made from. encoder, retrieval: a sequence model, and stage 2, on the split, loaded only for
    rows that ask."""

    train: Events
    seed: int
    encoder: Callable[[EncoderName], Encoder]
    retrieval: Callable[[], Retrieval]


def _neighbours_only(source: Source) -> Scorer:
    stage_2 = source.retrieval()
    return NeighboursOnly(stage_2.train, stage_2.neighbours, stage_2.settings.crowd_next, stage_2.settings.crowd)


CLASSIC: dict[str, Callable[[Source], Scorer]] = {
    "random": lambda source: Random(source.train.n_items, source.seed),
    "popularity": lambda source: Popularity(source.train),
    "popularity-as-of": lambda source: PopularityAsOf(source.train),
    "recent-popularity": lambda source: RecentPopularity(source.train),
    "sequential-rules": lambda source: SequentialRules(source.train),
    "item-knn": lambda source: ItemKnn(source.train),
    "user-knn": lambda source: UserKnn(source.train),
    "als": lambda source: Als(source.train, source.seed),
    "ease": lambda source: ease.Ease(source.train),
}
"""Rows made from the log alone."""
STAGE_2: dict[str, Callable[[Source], Scorer]] = {
    **{name: lambda source, name=name: SequenceRow(source.encoder(name)) for name in ENCODERS},
    "neighbours-only": _neighbours_only,
}
"""Rows that need stage 2."""
TRAINED = {"plain-fine-tuning": "titles", "mmsrarec": "whole"}
"""Rows of the language model, and the variant of stage 3 that each is."""
GENERATORS = ("sequential-rules", "als", *ENCODERS)
"""Who may propose to the language model; the best on validation does."""
CLOCKED = ("popularity-as-of", "recent-popularity", "neighbours-only", *TRAINED)
"""Rows that know at a moment only what happened strictly before it."""


def check_rows(names: Iterable[str], n_items: int) -> None:
    """Raise MmsrarecError for a row that does not exist or cannot be made for so many items."""
    known = (*CLASSIC, *STAGE_2, *TRAINED)
    for name in names:
        if name not in known:
            raise MmsrarecError(f'unknown row "{name}": choose from {", ".join(known)}')
        if name == "ease":
            ease.check_size(n_items)
