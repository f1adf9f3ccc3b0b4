"""Recommend from Python: load a finished run, then ask for a user or for a history of item ids."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.data.split import Moments, SplitName
from mmsrarec.errors import MmsrarecError
from mmsrarec.evaluate.baselines.popularity import PopularityAsOf
from mmsrarec.evaluate.baselines.sequence import SequenceRow
from mmsrarec.evaluate.protocol import Scorer
from mmsrarec.evaluate.rows import Source, make_row
from mmsrarec.recommend.explain import Reason, explain
from mmsrarec.recommend.fuse import Fused
from mmsrarec.recommend.prompts import Prompts
from mmsrarec.recommend.propose import Reranked, parts_of, places
from mmsrarec.recommend.score import MllmScorer
from mmsrarec.workspace import Workspace

SHOWN_REASONS = 3


@dataclass(frozen=True)
class Recommendation:
    """score: what it is ranked by, in (0, 1). because: the heaviest reasons, each measured by leaving it out.

    The score is p(yes) / (p(yes) + p(no)), or where the run's fusion with its proposers helped on validation users, the
    logistic function of the fused score, which compares items of one answer and is no probability. Reasons are of the
    language model's part; a fused answer ends them with the proposers' places.
    """

    item_id: str
    title: str
    score: float
    keywords: tuple[str, ...]
    because: tuple[str, ...]


@dataclass(frozen=True)
class Explanation:
    """All that the model was shown about one item, by what it carried. score: p(yes) / (p(yes) + p(no)), the model's
    part alone."""

    item_id: str
    title: str
    score: float
    reasons: list[Reason]


class Recommender:
    """A run's tuned model, ready to answer."""

    def __init__(self, workspace: Workspace, split: SplitName, prompts: Prompts, generator: Scorer | None = None):
        """generator: proposes the candidates of a whole catalogue. Unless given, those do with whom fusion helped on
        the run's validation users, or else, without fusion, its sequence encoder."""
        self.workspace, self.dataset, self.prompts = workspace, workspace.dataset, prompts
        self.retrieval = workspace.retrieval(split)
        self.scorer = MllmScorer("mmsrarec", prompts, self.retrieval, workspace.recipe.runtime.score_tokens)
        learned = None if generator else workspace.fusion(split, "full")
        self.fusion = learned if learned and learned.helps else None
        if self.fusion:
            encoder, retrieval = partial(workspace.encoder, split), partial(workspace.retrieval, split)
            recipe = workspace.recipe
            source = Source(self.retrieval.train, recipe.seed, encoder, retrieval, recipe.recommend)
            generator = make_row("+".join(self.fusion.proposers), source)
        self.generator = generator or SequenceRow(workspace.encoder(split))
        self.cold_generator = PopularityAsOf(self.retrieval.train)

    @classmethod
    def load(cls, run: str | Path) -> "Recommender":
        """Raises MmsrarecError if `run` is no finished run."""
        workspace = Workspace.open(Path(run))
        split = workspace.recipe.evaluate.splits[0]
        return cls(workspace, split, workspace.tuned(split, "whole"))

    def recommend(
        self, user: str | None = None, history: Sequence[str] | None = None, k: int = 10
    ) -> list[Recommendation]:
        """The k best items that were not had yet. Give a user of the data, or a history of item ids, oldest first."""
        return self.answer(self._moment(user, history), k)

    def score(self, candidates: Sequence[str], user: str | None = None, history: Sequence[str] | None = None):
        """{item id: score} of the named candidates. Raises MmsrarecError that lists unknown ids."""
        scores = self._scores(self._moment(user, history), self._codes(candidates)[None])
        return dict(zip(candidates, scores[0].tolist(), strict=True))

    def _scores(self, moment: Moments, candidates: IntArray) -> FloatArray:
        """(1, c) in (0, 1): fused where the run is and the moment has a history, else the language model's."""
        if self.fusion is None or not len(moment.history[0]):
            return self.scorer.score(moment, candidates)
        known = self.retrieval.train.counts > 0
        fused = Fused("mmsrarec", self.scorer, parts_of(self.generator), self.fusion.weights, known)
        return 1 / (1 + np.exp(-fused.score(moment, candidates)))

    def explain(self, item: str, user: str | None = None, history: Sequence[str] | None = None) -> Explanation:
        """Why the item is, or is not, for them: each thing the model was shown, and how far the log-odds of yes fall
        without it."""
        moment, codes = self._moment(user, history), self._codes([item])
        (evidence,) = self.retrieval.gather(moment, codes[None], self.prompts.settings)
        score, reasons = explain(self.prompts, evidence)
        return Explanation(item, self.dataset.items[int(codes[0])].title, score, reasons)

    def answer(self, moment: Moments, k: int) -> list[Recommendation]:
        """The k best items at one moment, (1,). Someone without a history is proposed what is popular."""
        generator = self.generator if len(moment.history[0]) else self.cold_generator
        room = len(self.dataset.items) - len(set(moment.history[0].tolist()))
        n = min(max(self.workspace.recipe.evaluate.propose, k), room)
        proposed = Reranked("mmsrarec", generator, self.scorer, n).proposals(moment)
        (evidence,) = self.retrieval.gather(moment, proposed, self.prompts.settings)
        (scores,) = self._scores(moment, proposed)
        told = self.generator if self.fusion and generator is self.generator else None
        given = [(one.name, places(one, moment)[0]) for one in parts_of(told)] if told else []
        best = np.argsort(-scores, kind="stable")[:k]
        found = []
        for place in best:
            code = int(proposed[0, place])
            _, reasons = explain(self.prompts, evidence.pick([place]))
            because = tuple(reason.text for reason in reasons if reason.weight > 0)[:SHOWN_REASONS]
            because += tuple(f"{name} puts it at place {place[code]:.0f}" for name, place in given)
            item = self.dataset.items[code]
            keywords = self.workspace.keywords.united(code)
            found.append(Recommendation(item.item_id, item.title, float(scores[place]), keywords, because))
        return found

    def _moment(self, user: str | None, history: Sequence[str] | None) -> Moments:
        """Now: after everything in the log. Raises MmsrarecError for a user or an item that is not there."""
        if (user is None) == (history is None):
            raise MmsrarecError("give a user or a history, one of the two")
        events = self.dataset.events
        now = np.array([int(events.time.max(initial=0)) + 1])
        if user is not None:
            if user not in self.dataset.user_code:
                raise MmsrarecError(f'no user "{user}" in {self.dataset.name}: give a history of item ids instead')
            code = self.dataset.user_code[user]
            return Moments(np.array([code]), now, np.array([-1]), (events.items_of(code),))
        return Moments(np.array([-1]), now, np.array([-1]), (self._codes(history or ()),))

    def _codes(self, item_ids: Sequence[str]) -> IntArray:
        unknown = [item_id for item_id in item_ids if item_id not in self.dataset.item_code]
        if unknown:
            raise MmsrarecError(f"no such items in {self.dataset.name}: {', '.join(unknown[:10])}")
        return np.array([self.dataset.item_code[item_id] for item_id in item_ids], dtype=np.int64)
