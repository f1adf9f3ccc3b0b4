"""The rows of the comparison by name, and what each is made from."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from mmsrarec.data.dataset import Events
from mmsrarec.errors import MmsrarecError
from mmsrarec.evaluate.protocols import Scorer
from mmsrarec.rankers import ease
from mmsrarec.rankers.als import Als
from mmsrarec.rankers.item_knn import ItemKnn
from mmsrarec.rankers.neighbours_only import NeighboursOnly
from mmsrarec.rankers.popularity import Popularity, PopularityAsOf, RecentPopularity
from mmsrarec.rankers.random_scores import Random
from mmsrarec.rankers.sequence_model import SequenceRow
from mmsrarec.rankers.sequential_rules import SequentialRules
from mmsrarec.rankers.settings import BaselineSettings
from mmsrarec.rankers.user_knn import UserKnn
from mmsrarec.recommend.ablations import VARIANTS, sweep_of
from mmsrarec.recommend.prompt.prompt_context import Retrieval
from mmsrarec.recommend.ranking.context_only import ContextOnly
from mmsrarec.recommend.settings import RecommendSettings
from mmsrarec.retrieve.encoder import Encoder
from mmsrarec.retrieve.settings import ENCODERS, EncoderName


@dataclass(frozen=True)
class Source:
    """What a row may be made from. encoder, retrieval: a sequence model, and stage 2, on the split, loaded only for
    rows that ask. shown: what a prompt shows of it. baselines: settings of the rows made from the log."""

    train: Events
    seed: int
    encoder: Callable[[EncoderName], Encoder]
    retrieval: Callable[[], Retrieval]
    shown: RecommendSettings
    baselines: BaselineSettings = field(default_factory=BaselineSettings)


def _neighbours_only(source: Source) -> Scorer:
    stage_2 = source.retrieval()
    crowd = stage_2.settings.crowd_of(stage_2.train.n_users)
    return NeighboursOnly(stage_2.train, stage_2.neighbours, stage_2.settings.crowd_next, crowd)


CONTEXT = "context-only"
"""A row of every report with stage 2, asked for or not; published protocol only, for its scores are 0 or 1."""
CLASSIC: dict[str, Callable[[Source], Scorer]] = {
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
STAGE_2: dict[str, Callable[[Source], Scorer]] = {
    **{name: lambda source, name=name: SequenceRow(source.encoder(name), source.train) for name in ENCODERS},
    "neighbours-only": _neighbours_only,
    CONTEXT: lambda source: ContextOnly(source.retrieval(), source.shown),
}
"""Rows that need stage 2."""
TRAINED = {
    "plain-fine-tuning": "titles",
    "plain-fine-tuning-with-pictures": "titles and pictures",
    "mmsrarec": "whole",
}
"""Rows of the language model, and the variant of stage 3 that each is."""
MSR = "mllm-msr"
"""A row that takes hours where others take minutes, so only who names it gets it; published protocol only."""
GENERATORS = ("sequential-rules", "als", "ease", *ENCODERS)
"""Who may propose to the language model: whoever proposes the targets of most validation users does."""
CLOCKED = ("popularity-as-of", "recent-popularity", "neighbours-only", CONTEXT, *TRAINED, MSR)
"""Rows that know at a moment only what happened strictly before it."""


def make_row(name: str, source: Source) -> Scorer:
    """A row without a language model."""
    return (CLASSIC | STAGE_2)[name](source)


def is_ablation(variant: str) -> bool:
    """Whether a row's variant is one that is trained for itself, beside the rows of the table."""
    return variant not in TRAINED.values() and (variant in VARIANTS or sweep_of(variant) is not None)


def check_rows(names: Iterable[str], n_items: int) -> None:
    """Raise MmsrarecError for a row that does not exist or cannot be made for so many items."""
    known = (*CLASSIC, *STAGE_2, *TRAINED, MSR)
    for name in names:
        if name not in known:
            raise MmsrarecError(f'unknown row "{name}": choose from {", ".join(known)}')
        if name == "ease":
            ease.check_size(n_items)


def check_proposers(names: Collection[str]) -> None:
    """Raise MmsrarecError where nobody proposes what the language model is to re-rank."""
    if "mmsrarec" in names and not {*GENERATORS} & {*names}:
        raise MmsrarecError(f"full ranking needs a generator among evaluate.rows: {', '.join(GENERATORS)}")


def notes(names: Collection[str], fitted_on: str) -> list[str]:
    """What a reader must know of the rows that are there."""
    clocked = [name for name in names if name in CLOCKED]
    others = [name for name in names if name not in (*CLOCKED, "random")]
    said = []
    if clocked:
        said.append(
            "Rows that obey the clock, which at a moment are shown only what others did strictly before it: "
            f"{', '.join(clocked)}. Weights that were trained, such as those of the encoder that looks for neighbours, "
            "come from all training events."
        )
    if others:
        said.append(
            f"Rows trained on all training events, later ones of other users included, as is usual, which favours "
            f"them: {', '.join(others)}."
        )
    if fitted_on != "train":
        fitted = [name for name in names if name in (*CLASSIC, *ENCODERS)]
        said.append(f"Rows fitted on the validation events as well: {', '.join(fitted)}.")
    if CONTEXT in names:
        said.append(
            f"{CONTEXT} scores 1 for an item among the collaborative items that a prompt shows, 0 for others: what "
            "copying the context is worth. What a language model with stage 2 adds is above it."
        )
    if MSR in names:
        said.append(
            f"{MSR} writes a preference from the history in several calls, then asks one prompt per candidate; it is "
            "tuned on as many moments and candidates as MMSRARec, on yes or no."
        )
    if "mmsrarec" in names:
        said.append(
            "Full ranking by the language model is re-ranking of what a cheap generator, or several together, "
            "proposed. It was chosen on validation users, by how often the target is among its proposals, and stands "
            "in the table by itself. Fused rows weigh the language model's log-odds against what the generators say, "
            "by weights learned on validation users; where those say that it adds nothing, it is left out, and the row "
            "costs no tokens."
        )
    return said
