"""The rankers that propose candidates of a whole catalogue when a run answers."""

from collections.abc import Sequence

import numpy as np

from mmsrarec.rankers.base import CandidateGenerator, Ranker
from mmsrarec.rankers.ensemble.interleaved import (
    Interleaved,
    PaddedCatalogue,
    Restricted,
    with_cold_items,
)
from mmsrarec.rankers.ensemble.keyword_overlap import KeywordOverlap
from mmsrarec.rankers.ensemble.weighted import WeightedEnsemble
from mmsrarec.rankers.sequence_model import SequenceRanker
from mmsrarec.recommend.prompt.preferences import UserPreferences, carries
from mmsrarec.recommend.ranking.fusion import Fusion
from mmsrarec.retrieve.settings import CONTENT_SASREC
from mmsrarec.runs.fitted_rankers import served_rankers
from mmsrarec.runs.run_folder import Part, RunFolder


def served_generators(run_folder: RunFolder, split: Part, names: Sequence[str]) -> tuple[CandidateGenerator, ...]:
    """The named candidate generators of a run, one by one, for all items that the catalogue has now.

    Args:
        run_folder: The run; its dataset is the catalogue as it is now.
        split: Whose models answer.
        names: Names of rankers.
    """
    n_items = len(run_folder.dataset.items)
    return tuple(PaddedCatalogue(ranker, n_items) for ranker in served_rankers(run_folder, split, names))


def catalogue_generator(
    run_folder: RunFolder, split: Part, generators: Sequence[CandidateGenerator], fusion: Fusion | None
) -> Ranker:
    """The ranker that proposes the candidates of an answer.

    It is the weighted ensemble of the generators that were chosen when the fusion was learned, or without fusion the
    run's sequence encoder. Items that nobody chose, which these cannot know, are proposed by their content.

    Args:
        run_folder: The run; its dataset is the catalogue as it is now.
        split: Whose models answer.
        generators: The generators of the fusion, as `served_generators` makes them.
        fusion: What was learned about fusing them, if anything was.
    """
    n_items, by_name = len(run_folder.dataset.items), {generator.name: generator for generator in generators}
    train = run_folder.split(split).train
    ranker: CandidateGenerator = SequenceRanker.of(run_folder.encoder(split), train)
    if fusion:
        proposing = [by_name[name] for name in fusion.proposing_generators]
        ranker = WeightedEnsemble.of(proposing, fusion.generators_logit, n_items)
    words = KeywordOverlap(list(map(run_folder.keywords.united, range(n_items))))
    n_candidates = run_folder.recipe.evaluate.n_candidates
    return with_cold_items(ranker, by_name.get(CONTENT_SASREC), words, n_items, n_candidates)


def with_preferred(generator: Ranker, preferences: UserPreferences, keywords: Sequence[Sequence[str]]) -> Ranker:
    """The generator, in turns with itself among the items that carry what is asked for more of.

    Args:
        generator: Proposes candidates.
        preferences: The typed keywords.
        keywords: The keywords of each item.
    """
    distinct = {word for words in keywords for word in words}  # far fewer than items have
    wanted = {word for word in distinct if carries((word,), preferences.more, preferences.lexicon)}
    carrying = np.array([not wanted.isdisjoint(words) for words in keywords])
    return Interleaved(generator, Restricted(generator, carrying))
