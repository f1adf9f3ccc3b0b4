"""Answers to many who ask at once: what is proposed to them is ranked in one go, and the best are given reasons."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.rankers.base import CandidateGenerator, Ranker
from mmsrarec.rankers.ensemble.interleaved import Restricted
from mmsrarec.rankers.ensemble.two_stage import Reranked
from mmsrarec.recommend.explain import Reason
from mmsrarec.recommend.prompt.preferences import NO_PREFERENCES, UserPreferences
from mmsrarec.recommend.prompt.prompt_context import PromptContext, Retrieval
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.ranking.fusion import Fusion
from mmsrarec.recommend.ranking.scorer import MllmScorer
from mmsrarec.retrieve.kept_states import keeping_states
from mmsrarec.runs.answers.arrangement import NO_RULES, Arrangement
from mmsrarec.runs.answers.generators import with_preferred
from mmsrarec.runs.answers.questions import left_out_notes, unmet_notes
from mmsrarec.runs.answers.reasons import Reasons
from mmsrarec.runs.answers.recommendations import Recommendation, Recommendations
from mmsrarec.runs.answers.scores import UNASKED_SCORE, answer_scores, softmax
from mmsrarec.runs.answers.without_model import NoPrompts

NOTHING_LEFT = "nothing is left to recommend: they had everything that may be; allow_seen offers it again"
NOTHING_ALLOWED = "nothing may be recommended: what was asked for, and what is available, leave no item"


@dataclass(frozen=True)
class Request:
    """What is asked beside who asks.

    Attributes:
        k: How many items, 1 or more.
        preferences: The typed keywords.
        reasons: Whether to measure what carried each item.
        may: (items,) what may be recommended.
        done: Called once for each query as its answer is ready.
        rules: For the order beside the scores.
        brief: Whether only the sentences of an item are wanted, as in a table, and not all that was measured.
    """

    k: int
    preferences: UserPreferences
    reasons: bool
    may: NDArray[np.bool_]
    done: Callable[[], None] = lambda: None
    rules: Arrangement = NO_RULES
    brief: bool = False


@dataclass(frozen=True, eq=False)
class Answering:
    """What a run answers by.

    Attributes:
        generator: Proposes items of a whole catalogue to somebody with a history.
        cold_generator: To somebody without one.
        n_candidates: Items that are proposed, at least.
        retrieval: Gathers what the language model is told.
        prompts: Of the language model, or what stands in for it.
        scorer: The language model, or what stands in for it.
        fusion: How rankings are fused; None where the language model alone ranks.
        generators: The rankers that the fusion joins.
        reasons: Measures and words reasons.
        shown_keywords: (items,) the keywords that a prompt shows of each item.
        knows_preferences: Whether the language model has learned what preferences are.
    """

    generator: Ranker
    cold_generator: Ranker
    n_candidates: int
    retrieval: Retrieval
    prompts: Prompts
    scorer: MllmScorer
    fusion: Fusion | None
    generators: Sequence[CandidateGenerator]
    reasons: Reasons
    shown_keywords: Sequence[tuple[str, ...]]
    knows_preferences: Callable[[], bool]

    @property
    def asks_model(self) -> bool:
        """Whether the language model has a part in ranking for somebody with a history.

        Where it has none, it is loaded when it is first needed: to explain an item, or to rank for somebody of whom
        nothing is known.
        """
        return not isinstance(self.prompts, NoPrompts) and (self.fusion is None or self.fusion.uses_lm)

    def answers(
        self, queries: Sequence[Queries], left_out: Sequence[Sequence[str]], request: Request
    ) -> list[Recommendations]:
        """The best items at each of some queries.

        Queries to which as many items are proposed are ranked together: one pass through the rankers, and full batches
        of the language model.

        Args:
            queries: (1,) each.
            left_out: For each query the ids of the history that the run does not know.
            request: What is asked of all.
        """
        groups: dict[tuple[int, bool, bool, int], list[int]] = defaultdict(list)
        for number, query in enumerate(queries):
            may = request.may.copy()
            may[query.excluded[0]] = False
            n = min(max(self.n_candidates, request.rules.pool(request.k)), int(may.sum()))
            alone = -1 if request.rules is NO_RULES else number  # rules may leave different numbers of items
            groups[n, len(query.history[0]) > 0, query.allow_seen, alone].append(number)
        notes = unmet_notes(request.preferences, self.shown_keywords)
        answers: dict[int, Recommendations] = {}
        for (n, *_), numbers in groups.items():
            if n:
                with keeping_states():
                    together = self._answers(joined([queries[number] for number in numbers]), n, request)
            else:
                note = NOTHING_LEFT if request.may.any() else NOTHING_ALLOWED
                together = [Recommendations(notes=[note]) for _ in numbers]
            for number, answer in zip(numbers, together, strict=True):
                all_notes = [*notes, *left_out_notes(left_out[number]), *answer.notes]
                answers[number] = Recommendations(answer, left_out[number], all_notes)
        return [answers[number] for number in range(len(queries))]

    def _answers(self, queries: Queries, n: int, request: Request) -> list[Recommendations]:
        """The answers to m queries, all with a history or all without, to which n items are proposed."""
        proposed, rules = self.proposals(queries, n, request), request.rules
        fusion = self.fusion_at(queries)
        if fusion is None or fusion.uses_lm:
            contexts = self.contexts(queries, proposed, request.preferences)
        else:
            contexts = [PromptContext.of_candidates(codes) for codes in proposed.tolist()]
        p = self.model_scores(contexts, fusion)
        scores = answer_scores(self.prompts, queries, contexts, request.preferences, p, fusion, self.generators)
        chances = softmax(scores) if fusion and not request.preferences and not rules.boosts else None
        best = np.argsort(-scores, axis=1, kind="stable")[:, : request.k]
        if rules is not NO_RULES:
            scores = rules.boosted(proposed, scores)
            best = rules.best(proposed[0], scores[0], request.k)[None]
        measured: Sequence[Sequence[Sequence[Reason]]] = [[()] * best.shape[1]] * len(queries)
        if request.reasons:
            measured = self.reasons.measured(
                queries, contexts, request.preferences, best, p, fusion, self.generators, request.done, request.brief
            )
        answers: list[Recommendations] = []
        for row, places in enumerate(best.tolist()):
            items: list[Recommendation] = []
            for place, why in zip(places, measured[row], strict=True):
                chance = None if chances is None else float(chances[row, place])
                code, score = int(proposed[row, place]), float(scores[row, place])
                items.append(self.reasons.recommendation(code, score, chance, why, request.brief))
            answers.append(Recommendations(items))
            if not request.reasons:
                request.done()
        return answers

    def proposals(self, queries: Queries, n: int, request: Request) -> IntArray:
        """(m, n) codes of the items that are ranked.

        Where more is asked of something, items that carry it take turns with the others.
        """
        generator = self.generator if len(queries.history[0]) else self.cold_generator
        if request.preferences.more:
            generator = with_preferred(generator, request.preferences, self.shown_keywords)
        proposed = Reranked("mmsrarec", Restricted(generator, request.may), self.scorer, n).proposals(queries)
        return proposed if request.rules is NO_RULES else request.rules.joined(proposed[0], request.may)[None]

    def contexts(self, queries: Queries, candidates: IntArray, preferences: UserPreferences) -> list[PromptContext]:
        """What the language model is told at m queries; of preferences only where it has learned what they are.

        Args:
            queries: m queries.
            candidates: (m, c) item codes.
            preferences: The typed keywords.
        """
        used = preferences if preferences and self.knows_preferences() else NO_PREFERENCES
        gathered = self.retrieval.gather(queries, candidates, self.prompts.settings)
        return [replace(context, preferences=used) for context in gathered]

    def fusion_at(self, queries: Queries) -> Fusion | None:
        """How scores are fused; not at all without a history, of which generators know nothing."""
        return self.fusion if len(queries.history[0]) else None

    def model_scores(self, contexts: Sequence[PromptContext], fusion: Fusion | None) -> FloatArray:
        """(m, c) p(yes) of the language model; a constant where it has no part in the order."""
        if fusion is None or fusion.uses_lm:
            return np.array(self.scorer.score_contexts(contexts))
        return np.full((len(contexts), len(contexts[0].candidates)), UNASKED_SCORE)


def joined(queries: Sequence[Queries]) -> Queries:
    """Several queries, of one rule for items that were seen, as one batch."""
    user, time, target = (
        np.concatenate([getattr(one, name) for one in queries]) for name in ("user", "time", "target")
    )
    histories = tuple(history for one in queries for history in one.history)
    return Queries(user, time, target, histories, queries[0].allow_seen)
