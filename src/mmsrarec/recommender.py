"""Recommend from Python: load a finished run, then ask for a user or for a history of item ids."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from mmsrarec.artefacts import read_manifest
from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.data.split import Moments, SplitName
from mmsrarec.errors import MmsrarecError
from mmsrarec.evaluate.baselines.popularity import PopularityAsOf
from mmsrarec.evaluate.baselines.sequence import SequenceRow
from mmsrarec.evaluate.protocol import Scorer
from mmsrarec.evaluate.rows import Source, make_row
from mmsrarec.recommend.evidence import Evidence
from mmsrarec.recommend.explain import Reason, explain, explain_all, log_odds
from mmsrarec.recommend.fuse import Fused, Fusion, Given
from mmsrarec.recommend.prompts import Prompts
from mmsrarec.recommend.propose import Reranked, places
from mmsrarec.recommend.score import MllmScorer
from mmsrarec.recommend.together import Together
from mmsrarec.recommend.turns import Likeness, Only, Turns, Widened, with_new
from mmsrarec.recommend.wishes import UNASKED, Wishes, carries, tilt
from mmsrarec.retrieve.settings import CONTENT_SASREC
from mmsrarec.workspace import Workspace, adapter_part

SHOWN_REASONS = 3
SURE = 36.0
"""Log-odds beyond which a score could not be told from 0 or 1 in float64."""


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
        """generator: proposes the candidates of a whole catalogue. Unless given, those do who were chosen on the run's
        validation users when its fusion was learned, or else, without fusion, its sequence encoder."""
        self.workspace, self.dataset, self.prompts = workspace, workspace.dataset, prompts
        self.split: SplitName = split
        self.retrieval = workspace.retrieval(split)
        self.scorer = MllmScorer("mmsrarec", prompts, self.retrieval, workspace.recipe.runtime.score_tokens)
        learned = None if generator else workspace.fusion(split, "full")
        self.fusion = learned if learned and learned.helps and workspace.served == "whole" else None
        made = self._made(learned.proposers) if learned else ()
        self.proposers: tuple[Scorer, ...] = made if self.fusion else ()
        self.generator: Scorer = generator or self._proposer(made, learned)
        self.cold_generator = PopularityAsOf(self.retrieval.train)

    @classmethod
    def load(cls, run: str | Path) -> "Recommender":
        """Raises MmsrarecError if `run` is no finished run."""
        workspace = Workspace.open(Path(run))
        split = workspace.recipe.evaluate.splits[0]
        return cls(workspace, split, workspace.tuned(split, workspace.served))

    def recommend(
        self,
        user: str | None = None,
        history: Sequence[str] | None = None,
        k: int = 10,
        more: Sequence[str] = (),
        less: Sequence[str] = (),
        reasons: bool = True,
    ) -> list[Recommendation]:
        """The k best items that were not had yet. Give a user of the data, or a history of item ids, oldest first.

        more, less: keywords that are asked for and asked to be spared; they count at once, nothing is trained. reasons:
        whether to measure what carried each, which takes more than twice as long as ranking (docs/results.md).
        """
        return self.answer(self._moment(user, history), k, Wishes.of(more, less), reasons)

    def score(
        self,
        candidates: Sequence[str],
        user: str | None = None,
        history: Sequence[str] | None = None,
        more: Sequence[str] = (),
        less: Sequence[str] = (),
    ) -> dict[str, float]:
        """{item id: score} of the named candidates. Raises MmsrarecError that lists unknown ids."""
        moment, codes, wishes = self._moment(user, history), self._codes(candidates), Wishes.of(more, less)
        scores = self._scores(moment, self._gather(moment, codes, wishes), wishes)
        return dict(zip(candidates, scores.tolist(), strict=True))

    def _scores(self, moment: Moments, evidence: Evidence, wishes: Wishes = UNASKED) -> FloatArray:
        """(c,) in (0, 1): fused where the run is and the moment has a history, else the language model's; wishes tilt
        either."""
        even = np.full(len(evidence.candidates), 0.5)
        p = self.scorer.score_evidence([evidence])[0] if self._asks(moment) else even
        if fusion := self._fusion_at(moment):
            fused = Fused("mmsrarec", Given(p[None]), self.proposers, fusion.whole)
            logits = fused.score(moment, np.array([evidence.candidates], dtype=np.int64))[0]
        else:
            logits = np.array([log_odds(float(one)) for one in p], dtype=np.float64)
        if wishes:
            logits = logits + tilt(wishes, map(self.prompts.shown_keywords, evidence.candidates))
        return 1 / (1 + np.exp(-np.clip(logits, -SURE, SURE)))

    def _fusion_at(self, moment: Moments) -> Fusion | None:
        """Proposers know nothing of somebody without a history."""
        return self.fusion if len(moment.history[0]) else None

    def _asks(self, moment: Moments) -> bool:
        """Whether the language model has a part in the order."""
        fusion = self._fusion_at(moment)
        return fusion is None or fusion.speaks

    def explain(
        self,
        item: str,
        user: str | None = None,
        history: Sequence[str] | None = None,
        more: Sequence[str] = (),
        less: Sequence[str] = (),
    ) -> Explanation:
        """Why the item is, or is not, for them: each thing the model was shown, and how far the log-odds of yes fall
        without it."""
        evidence = self._gather(self._moment(user, history), self._codes([item]), Wishes.of(more, less))
        (score,) = self.scorer.score_evidence([evidence])[0].tolist()  # as it is ranked
        _, reasons = explain(self.prompts, evidence)
        return Explanation(item, self.dataset.items[evidence.candidates[0]].title, score, reasons)

    def answer(self, moment: Moments, k: int, wishes: Wishes = UNASKED, reasons: bool = True) -> list[Recommendation]:
        """The k best items at one moment, (1,). Someone without a history is proposed what is popular.

        Where more is asked of something, items that carry it are proposed in turns with the others.
        """
        generator: Scorer = self.generator if len(moment.history[0]) else self.cold_generator
        if wishes.more:
            carrying = np.array([carries(words, wishes.more) for words in self._shown])
            generator = Turns(generator, Only(generator, carrying))
        room = len(self.dataset.items) - len(set(moment.history[0].tolist()))
        n = min(max(self.workspace.recipe.evaluate.propose, k), room)
        proposed = Reranked("mmsrarec", generator, self.scorer, n).proposals(moment)[0]
        evidence = self._gather(moment, proposed, wishes)
        scores = self._scores(moment, evidence, wishes)  # whatever is shown of them
        best = np.argsort(-scores, kind="stable")[:k]
        if not len(best):
            return []
        carried: Sequence[Sequence[Reason]] = [()] * len(best)
        if reasons:
            explained = explain_all(self.prompts, evidence.pick(best), self.scorer.batch_tokens)
            carried = [found for _, found in explained]
        proposers = self.proposers if self._fusion_at(moment) else ()
        told = [(one.name, places(one, moment)[0]) for one in proposers]
        return [
            self._recommendation(int(proposed[place]), float(scores[place]), found, told, wishes)
            for place, found in zip(best, carried, strict=True)
        ]

    def _proposer(self, made: Sequence[Scorer], learned: Fusion | None) -> Scorer:
        """Those who were chosen to propose, or the run's sequence encoder; and what nobody took, which they cannot
        know."""
        n_items, named = len(self.dataset.items), {one.name: one for one in made}
        known: Scorer = SequenceRow(self.workspace.encoder(self.split), self.retrieval.train)
        if learned:
            known = Together.of([named[name] for name in learned.proposing], learned.together, n_items)
        words = Likeness(list(map(self.workspace.keywords.united, range(n_items))))
        return with_new(known, named.get(CONTENT_SASREC), words, n_items, self.workspace.recipe.evaluate.propose)

    def _made(self, names: Sequence[str]) -> tuple[Scorer, ...]:
        """Those proposers, one by one, for all items that are there now."""
        workspace, split = self.workspace, self.split
        encoder, retrieval = partial(workspace.encoder, split), partial(workspace.retrieval, split)
        source = Source(self.retrieval.train, workspace.recipe.seed, encoder, retrieval, workspace.recipe.recommend)
        return tuple(Widened(make_row(name, source), len(self.dataset.items)) for name in names)

    @cached_property
    def _shown(self) -> list[tuple[str, ...]]:
        """The keywords that a prompt shows of each item."""
        return [self.prompts.shown_keywords(code) for code in range(len(self.dataset.items))]

    def _recommendation(
        self,
        code: int,
        score: float,
        reasons: Sequence[Reason],
        told: Sequence[tuple[str, FloatArray]],
        wishes: Wishes,
    ) -> Recommendation:
        """told: whose places joined in, NaN of what they cannot know. A wish that the item meets is the first reason:
        it counts by rule."""
        item, keywords = self.dataset.items[code], self.workspace.keywords.united(code)
        met = [word for word in wishes.more if carries(self.prompts.shown_keywords(code), [word])]
        because = (f"you asked for more {', '.join(met)}",) if met else ()
        because += tuple(one.text for one in reasons if one.weight > 0 and one.kind != "more")[:SHOWN_REASONS]
        if said := [f"{place[code]:.0f} by {name}" for name, place in told if not np.isnan(place[code])]:
            because += (f"place {', '.join(said)}",)
        return Recommendation(item.item_id, item.title, score, keywords, because)

    def _gather(self, moment: Moments, codes: IntArray, wishes: Wishes) -> Evidence:
        """What the model is told; of wishes only where it has learned what they are."""
        (evidence,) = self.retrieval.gather(moment, codes[None], self.prompts.settings)
        return replace(evidence, wishes=wishes if wishes and self._obeys else UNASKED)

    @cached_property
    def _obeys(self) -> bool:
        """By what the adapter was trained with, which an older recipe does not say."""
        manifest = read_manifest(self.workspace.folder / adapter_part(self.split, "whole"))
        return bool(manifest["settings"].get("recommend", {}).get("wishes"))

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
