"""Items that join a loaded run, or change in it, while it answers: nothing is read from the disk, nothing is trained.

Everything that is costly to load is shared with the recommender of before: the model, the index of similar users, and
the candidate generators, to which a new item is as one of which training knew nothing.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache, partial

import numpy as np
from torch import Tensor

from mmsrarec.data.dataset import Dataset, Item
from mmsrarec.models.vision import image_features
from mmsrarec.rankers.ensemble.interleaved import PaddedCatalogue
from mmsrarec.rankers.popularity import PopularityAsOf
from mmsrarec.rankers.sequence_model import SequenceRanker
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.ranking.scorer import MllmScorer
from mmsrarec.recommend.soft.soft_sources import SoftSources
from mmsrarec.retrieve.encoder import Encoder
from mmsrarec.retrieve.later_items import reads_new_items
from mmsrarec.runs.answers.generators import catalogue_generator
from mmsrarec.runs.answers.questions import Questions
from mmsrarec.runs.answers.reasons import Reasons
from mmsrarec.runs.answers.without_model import NoPrompts, count_scorer
from mmsrarec.runs.changes.joined_states import for_catalogue
from mmsrarec.runs.recommender import Recommender
from mmsrarec.runs.run_folder import RunFolder
from mmsrarec.summarize.keywords import Keywords, Source


@dataclass(frozen=True, eq=False)
class JoinedItem:
    """An item as it is from now on.

    Attributes:
        item: What it is.
        image_keywords: Keywords of its picture.
        text_keywords: Keywords of its text.
        language: ISO 639.
        feature: (v, d) what the model sees of its picture; None without one.
        state: (d,) what the untuned model makes of it, by which sequence models know it
            (`recommend.ranking.item_states`); None where no sequence model of the run reads that.
    """

    item: Item
    image_keywords: tuple[str, ...] = ()
    text_keywords: tuple[str, ...] = ()
    language: str = "en"
    feature: Tensor | None = None
    state: Tensor | None = None


def with_items(
    recommender: Recommender, joined: Sequence[JoinedItem], available: Mapping[str, bool] | None = None
) -> Recommender:
    """A recommender that knows some items as they are now; the given one stays as it is.

    Args:
        recommender: A loaded run.
        joined: Items that are new, or other than before. They may be recommended, unless `available` says otherwise.
        available: Whether items may be recommended, by id; unknown ids are passed over.
    """
    codes = dict(recommender.dataset.item_code)
    for entry in joined:
        codes.setdefault(entry.item.item_id, len(codes))
    changed = {codes[entry.item.item_id]: entry for entry in joined}
    may = np.zeros(len(codes), dtype=bool)
    may[: len(recommender.available)] = recommender.available
    may[list(changed)] = True
    for item_id, is_available in (available or {}).items():
        if item_id in codes:
            may[codes[item_id]] = is_available
    if not joined:
        new = copy.copy(recommender)
        new.available = may
        return new
    dataset = _dataset(recommender.dataset, changed, len(codes))
    keywords = _keywords(recommender.run_folder.keywords, changed, len(codes))
    states = {entry.item.item_id: entry.state for entry in joined if entry.state is not None}
    ids = frozenset(entry.item.item_id for entry in joined)
    # one model serves in several places
    wider = cache(partial(for_catalogue, items=dataset.items, states=states, changed=ids))
    run_folder = recommender.run_folder.with_catalogue(dataset, keywords, recommender.retrieval, wider)
    soft = run_folder.retrieval(recommender.split).soft
    prompts = _prompts(recommender.prompts, dataset, keywords, changed, soft)
    return _rebuilt(recommender, run_folder, prompts, may, wider)


def reads_states(recommender: Recommender) -> bool:
    """Whether a sequence model that answers here knows items by their content, so that `JoinedItem.state` counts."""
    soft = recommender.retrieval.soft
    encoders = [source.encoder for source in soft.sources] if soft else []
    inside = [one.generator for one in recommender.proposing if isinstance(one, PaddedCatalogue)]
    encoders += [ranker.encoder for ranker in inside if isinstance(ranker, SequenceRanker)]
    return any(map(reads_new_items, encoders))


def _rebuilt(
    recommender: Recommender,
    run_folder: RunFolder,
    prompts: Prompts,
    available: np.ndarray,
    wider: Callable[[Encoder], Encoder],
) -> Recommender:
    """The recommender with another catalogue, whose costly parts are shared."""
    new, dataset, keywords = copy.copy(recommender), run_folder.dataset, run_folder.keywords
    new.__dict__.pop("shown_keywords", None)
    new.dataset, new.prompts, new.available = dataset, prompts, available
    new.run_folder, new.retrieval = run_folder, run_folder.retrieval(new.split)
    batch = new.run_folder.recipe.runtime.score_tokens
    without_model = isinstance(prompts, NoPrompts)
    new.scorer = (
        count_scorer(new.retrieval.train) if without_model else MllmScorer("mmsrarec", prompts, new.retrieval, batch)
    )
    rankers = tuple(
        _padded(generator, len(dataset.items), wider) if isinstance(generator, PaddedCatalogue) else generator
        for generator in recommender.proposing
    )
    new.proposing = rankers
    new.generators = rankers if new.fusion else ()
    new.generator = catalogue_generator(new.run_folder, new.split, rankers, recommender.learned)
    new.cold_generator = PopularityAsOf().fit(new.retrieval.train)
    new.reasons = Reasons(dataset, keywords, prompts, batch)
    new.questions = Questions(dataset, recommender.questions.allow_seen)
    return new


def _padded(generator: PaddedCatalogue, n_items: int, wider: Callable[[Encoder], Encoder]) -> PaddedCatalogue:
    """A generator for more items; a sequence model that reads what items are ranks those with a state, too."""
    ranker = generator.generator
    if isinstance(ranker, SequenceRanker):
        encoder = wider(ranker.encoder)
        ranker = ranker if encoder is ranker.encoder else SequenceRanker.of(encoder)
    return PaddedCatalogue(ranker, n_items)


def _dataset(before: Dataset, changed: Mapping[int, JoinedItem], n_items: int) -> Dataset:
    """The catalogue with the changed items; an item whose picture came here has no file in the data folder."""
    items = list(before.items)
    for code in sorted(changed):
        item = replace(changed[code].item, image=None)
        if code < len(items):
            items[code] = item
        else:
            items.append(item)
    return replace(before, items=tuple(items), interactions=before.interactions.with_items(n_items))


def _keywords(before: Keywords, changed: Mapping[int, JoinedItem], n_items: int) -> Keywords:
    """The keywords with those of the changed items."""
    rows = {part.name: list(getattr(before, part.name)) for part in fields(Keywords)}
    nothing: tuple[Source, Source] = ("none", "none")
    empty = {"image": (), "text": (), "source": nothing, "answers": (None, None), "flags": (), "languages": "en"}
    for name, values in rows.items():
        values.extend([empty[name]] * (n_items - len(values)))
    for code, entry in changed.items():
        source: tuple[Source, Source] = (
            "model" if entry.image_keywords else "none",
            "model" if entry.text_keywords else "none",
        )
        rows["image"][code], rows["text"][code] = entry.image_keywords, entry.text_keywords
        rows["source"][code], rows["languages"][code] = source, entry.language
    return Keywords(**{name: tuple(values) for name, values in rows.items()})


def _prompts(
    before: Prompts,
    dataset: Dataset,
    keywords: Keywords,
    changed: Mapping[int, JoinedItem],
    soft: SoftSources | None,
) -> Prompts:
    """Prompts on the same model, with what was rendered of items that did not change."""
    if isinstance(before, NoPrompts):
        return replace(before, keywords=keywords)
    seen = {code: entry.feature for code, entry in changed.items() if entry.feature is not None}
    features = {code: feature for code, feature in before.features.items() if code not in changed}
    if before.prompt_fields.pictures:
        features |= image_features.pool(seen, before.settings.visual_tokens)
    return before.with_catalogue(dataset, keywords, features, changed, soft)
