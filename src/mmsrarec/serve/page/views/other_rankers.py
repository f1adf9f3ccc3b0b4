"""The other rankers of a run, to be compared with what the run answers: what can be had without training anything."""

from dataclasses import replace
from typing import cast
from weakref import WeakKeyDictionary

import numpy as np

from mmsrarec.core.artefacts import is_whole
from mmsrarec.data.dataset import IntArray
from mmsrarec.data.splits import EVERYTHING, Queries
from mmsrarec.errors import UnknownIdError
from mmsrarec.rankers.base import Ranker, unseen
from mmsrarec.rankers.ensemble.interleaved import PaddedCatalogue, Restricted
from mmsrarec.rankers.ranker_base import RankerBase
from mmsrarec.rankers.registry.registry import STAGE_2, make_row, ranker_names
from mmsrarec.retrieve.settings import EncoderName
from mmsrarec.runs.answers.answering import Request
from mmsrarec.runs.answers.without_model import NoPrompts
from mmsrarec.runs.fitted_rankers import load_fitted, ranker_part, served_source
from mmsrarec.runs.recommender import Recommender
from mmsrarec.serve.model.served_run import Question, ServedRun

ALONE = "language model alone"
"""The run's answers without the rankers that they are fused with."""
QUICK = ("popularity", "popularity-as-of", "recent-popularity", "neighbours-only")
"""Rankers that need no fitting to speak of."""

_loaded: WeakKeyDictionary[Recommender, dict[str, RankerBase]] = WeakKeyDictionary()


def other_rankers(served: ServedRun) -> list[str]:
    """The names of the rankers beside the run's own answer, the simplest first."""
    recommender = served.recommender
    names = [name for name in ranker_names() if _is_kept(recommender, name)]
    alone = recommender.fusion is not None and not isinstance(recommender.prompts, NoPrompts)
    return [*names, *[ALONE] * alone]


def other_ranking(served: ServedRun, name: str, question: Question, k: int) -> list[str]:
    """The ids of the k best items by another ranker, best first.

    Keywords have no effect: no other ranker knows what they are. What was hidden stays hidden.

    Args:
        served: The run.
        name: One of `other_rankers`.
        question: As the run's own answer was asked for.
        k: How many items.

    Raises:
        UnknownIdError: The run has no such ranker.
    """
    if name not in other_rankers(served):
        raise UnknownIdError(f"this run has no ranker {name}")
    recommender = served.recommender
    queries = served.query(question.body.user, question.state, question.body.history).queries
    may, _ = served.narrowing.allowed(recommender, question.body, question.state.refused)
    if name == ALONE:
        alone = replace(recommender.answering, fusion=None)
        request = Request(k, served.recommender.preferences((), ()), reasons=False, may=may)
        return [item.item_id for item in alone.answers([queries], [()], request)[0]]
    padded = PaddedCatalogue(_ranker(served, name), len(recommender.dataset.items))
    codes: list[int] = first_places(Restricted(padded, may), queries, k)[0].tolist()
    return [recommender.dataset.items[code].item_id for code in codes if code >= 0]


def first_places(generator: Ranker, queries: Queries, k: int) -> IntArray:
    """(m, k) codes of the best items of each query, best first; -1 where fewer are left."""
    scores = unseen(generator, queries)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.where(np.isfinite(np.take_along_axis(scores, order, axis=1)), order, -1)


def _is_kept(recommender: Recommender, name: str) -> bool:
    """Whether a ranker can be had at once: it is quick, or the run keeps what it learned."""
    run_folder, split = recommender.run_folder, recommender.split
    if name in QUICK:
        return True
    if name in STAGE_2:
        part = run_folder.encoder_part(split, cast("EncoderName", name), run_folder.refits and split != EVERYTHING)
        return is_whole(run_folder.folder / part)
    return is_whole(run_folder.folder / ranker_part(split, name))


def _ranker(served: ServedRun, name: str) -> RankerBase:
    """A ranker of the run, loaded once."""
    base = served.base
    rankers = _loaded.setdefault(base, {})
    if name not in rankers:
        source = served_source(base.run_folder, base.split)
        rankers[name] = load_fitted(served.folder, base.split, name, source) or make_row(name, source)
    return rankers[name]
