"""Each check of retrieval is green in a sound world, and red where its leak is planted."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from leaky import FOREVER, SETTINGS, Future, Small, TooMuch, rounds, whole_log

from mmsrarec.data.splits import Queries
from mmsrarec.evaluate.leaks import context_leaks, ranking_leaks
from mmsrarec.evaluate.leaks.finding import Finding
from mmsrarec.evaluate.protocols import published_candidates
from mmsrarec.recommend.prompt import prompt_context
from mmsrarec.recommend.prompt.prompt_context import Retrieval, Vote
from mmsrarec.recommend.ranking.context_only import ContextOnly
from mmsrarec.recommend.settings import PromptFields
from mmsrarec.retrieve import neighbours
from mmsrarec.retrieve.signals import popularity_levels

LOG = rounds()
SOUND = Small(LOG)


def agreement(training, test=SOUND.retrieval.gather, settings=SETTINGS) -> Finding:
    return context_leaks.agreement(training, test, SOUND.split, settings, 200, 0)


def test_a_held_out_item_shows_where_held_out_events_are_indexed():
    sound = context_leaks.held_out_item(LOG, Small, SETTINGS, 0)
    assert sound.passed
    assert sound.measured["queries"] == 80 + context_leaks.MAX_QUERIES
    leaky = context_leaks.held_out_item(LOG, partial(Small, seen=whole_log), SETTINGS, 0)
    assert not leaky.passed
    assert leaky.measured["shown"] > 20


def test_a_held_out_item_that_is_only_counted_is_found(monkeypatch):
    def all_counted(train, queries, candidates, levels=popularity_levels.levels):
        return levels(LOG_NOW[0], queries, candidates)

    class Keeps(Small):
        def __init__(self, log):
            super().__init__(log)
            LOG_NOW[:] = [log]

    LOG_NOW = [LOG]
    monkeypatch.setattr(prompt_context.popularity_levels, "levels", all_counted)
    found = context_leaks.held_out_item(LOG, Keeps, SETTINGS, 0)
    assert (found.passed, found.measured["shown"]) == (False, 0)
    assert found.measured["counted"] > 0


EVERY_WORD = SETTINGS.model_copy(
    update={
        "prompt_fields": PromptFields(
            **dict.fromkeys(("transitions", "follows", "recency", "trend", "similar_keywords"), True)
        )
    }
)


@pytest.mark.parametrize("word", ["follows", "recency", "trend"])
def test_every_word_about_a_candidate_is_looked_at(word, monkeypatch):
    assert context_leaks.held_out_item(LOG, Small, EVERY_WORD, 0).passed
    assert context_leaks.temporal_rule(LOG, Small, EVERY_WORD, 0).passed

    class Says(Retrieval):
        def gather(self, queries, candidates, settings):
            return [replace(one, **{word: (1,) * len(one.candidates)})
                    for one in super().gather(queries, candidates, settings)]  # fmt: skip

    found = context_leaks.held_out_item(LOG, partial(Small, retrieval=Says), EVERY_WORD, 0)
    assert (found.passed, found.measured["shown"]) == (False, 0)


def test_an_item_that_speaks_by_its_keywords_only_is_found():
    class Speaks(Retrieval):
        def gather(self, queries, candidates, settings):
            votes = (Vote(int(candidates[0, 0]), 1.0, frozenset({1})),)
            return [replace(one, votes=votes) for one in super().gather(queries, candidates, settings)]

    found = context_leaks.temporal_rule(LOG, partial(Small, retrieval=Speaks), EVERY_WORD, 0)
    assert (found.passed, found.measured["counted"]) == (False, 0)


@pytest.mark.parametrize("ahead", [1, FOREVER])
def test_a_clock_that_is_off_is_found(ahead, monkeypatch):
    assert context_leaks.temporal_rule(LOG, Small, SETTINGS, 0).passed
    monkeypatch.setattr(Future, "ahead", ahead)
    found = context_leaks.temporal_rule(LOG, partial(Small, retrieval=Future), SETTINGS, 0)
    assert not found.passed
    assert found.measured["counted"] > found.measured["queries"] // 2
    assert found.measured["shown"] > 0


def test_retrieval_that_answers_without_a_moment_is_found():
    class Guesses(Retrieval):
        def gather(self, queries, candidates, settings):
            now = np.full(len(queries), FOREVER)
            return super().gather(Queries(queries.user, now, queries.target, queries.history), candidates, settings)

    assert context_leaks.timeless_query(SOUND.retrieval, SOUND.split.test, SETTINGS).passed
    found = context_leaks.timeless_query(Small(LOG, retrieval=Guesses).retrieval, SOUND.split.test, SETTINGS)
    assert (found.passed, found.measured["answered"]) == (False, "none, not a number, missing")


def test_a_user_that_retrieves_itself_is_found(monkeypatch):
    sound = context_leaks.self_retrieval(SOUND.retrieval, SOUND.split, 0)
    assert sound.passed
    assert sound.measured["asked"] == 4 * 80
    find = neighbours.Neighbours.find
    nameless = lambda self, m, k: find(self, Queries(np.full(len(m), -1), m.time, m.target, m.history), k)  # noqa: E731
    monkeypatch.setattr(neighbours.Neighbours, "find", nameless)
    by_id = context_leaks.self_retrieval(SOUND.retrieval, SOUND.split, 0)
    assert (by_id.passed, by_id.measured["by sequence"]) == (False, 0)
    assert by_id.measured["by id"] > 10
    monkeypatch.undo()
    monkeypatch.setattr(neighbours, "MIN_COPY_LENGTH", 99)  # accounts that copy each other are not known any more
    by_sequence = context_leaks.self_retrieval(Small(LOG).retrieval, SOUND.split, 0)
    assert (by_sequence.passed, by_sequence.measured["by id"]) == (False, 0)
    assert by_sequence.measured["by sequence"] > 20 < by_sequence.measured["by all but the last event"]


def test_training_contexts_that_know_more_are_found(monkeypatch):
    sound = agreement(SOUND.retrieval.gather)
    assert sound.passed
    assert sound.measured["contexts ahead of their time"] == 0
    assert 0.1 < sound.measured["target's share in the test"] < 0.9
    own_future = agreement(Small(LOG, retrieval=TooMuch).retrieval.gather)
    assert not own_future.passed
    assert own_future.measured["target's share in training"] > 0.9 > sound.measured["target's share in training"]
    monkeypatch.setattr(Future, "ahead", 60)
    others_future = agreement(Small(LOG, retrieval=Future).retrieval.gather)
    assert not others_future.passed
    assert others_future.measured["contexts ahead of their time"] > 0


def test_contexts_that_only_hold_their_targets_more_often_are_found():
    """The target, slipped in where others had taken it before, breaks no clock; the shares tell."""
    run_view = Small(rounds(strays=0.6))  # or a sound context holds half of the targets already

    def slipped(queries, candidates, settings):
        gathered = run_view.retrieval.gather(queries, candidates, settings)
        return [
            prompt_context.replace(one, similar=(target,)) if one.popularity[0] else one
            for one, target in zip(gathered, queries.target.tolist(), strict=True)
        ]

    sound, one = run_view.retrieval.gather, SETTINGS.model_copy(update={"similar_items": 1})
    compared = partial(context_leaks.agreement, split=run_view.split, settings=one, packs=200, seed=0)
    assert compared(sound, sound).passed
    for found in (compared(slipped, sound), compared(sound, slipped)):
        assert (found.passed, found.measured["contexts ahead of their time"]) == (False, 0)


def test_the_shares_are_those_of_the_context():
    shares = context_leaks.target_shares(
        SOUND.retrieval, SOUND.split, SETTINGS.model_copy(update={"n_examples": 200}), 0
    )
    test = SOUND.split.test
    row = ContextOnly(SOUND.retrieval, SETTINGS).score(test, test.target[:, None])
    assert shares["context_share_test"] == pytest.approx(row.mean())
    assert shares["context_share_training"] == pytest.approx(
        agreement(SOUND.retrieval.gather).measured["target's share in training"]
    )


def test_a_context_that_holds_the_answer_is_too_good(monkeypatch):
    test = SOUND.split.test
    asked = published_candidates(test, LOG, 0)
    sound = ranking_leaks.context_alone(SOUND.row("context-only"), test, asked)
    assert sound.passed
    assert 0.5 < sound.measured["AUC"] < ranking_leaks.MAX_CONTEXT_AUC
    monkeypatch.setattr(neighbours, "MIN_COPY_LENGTH", 99)  # or the user itself is known by its sequence
    leaky = Small(LOG, retrieval=TooMuch, seen=whole_log).row("context-only")
    found = ranking_leaks.context_alone(leaky, test, asked)
    assert not found.passed
    assert found.measured["targets in it"] > 0.9


def test_context_only_scores_what_a_prompt_would_show():
    test = SOUND.split.test
    row, nothing = SOUND.row("context-only"), np.zeros((len(test), 0), int)
    full = row.score(test, None)
    for scores, one in zip(full, SOUND.retrieval.gather(test, nothing, SETTINGS), strict=True):
        assert set(np.flatnonzero(scores)) == set(one.similar)
        assert set(scores) <= {0.0, 1.0}
    asked = published_candidates(test, LOG, 0).items
    np.testing.assert_array_equal(row.score(test, asked), np.take_along_axis(full, asked, axis=1))
