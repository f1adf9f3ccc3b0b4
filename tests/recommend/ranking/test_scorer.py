"""A score hangs on the user and the item, never on company."""

import numpy as np
import pytest
from tiny import tiny_mllm
from world import make_dataset, make_log, make_prompts, make_retrieval

from mmsrarec.data.splits import leave_one_out
from mmsrarec.errors import MmsrarecError
from mmsrarec.recommend.ranking.scorer import MllmScorer

LOG = make_log(np.random.default_rng(0))
SPLIT = leave_one_out(LOG)
PROMPTS = make_prompts(tiny_mllm(), make_dataset(LOG), visual_tokens=2)
RETRIEVAL = make_retrieval(SPLIT.train)
TEST = SPLIT.test.pick(np.arange(8))
CANDIDATES = np.random.default_rng(1).integers(0, 30, (8, 6))


def scorer(batch_tokens: int = 8192) -> MllmScorer:
    return MllmScorer("mmsrarec", PROMPTS, RETRIEVAL, batch_tokens)


def test_alone_in_a_batch_and_packed_are_one() -> None:
    together = scorer().score(TEST, CANDIDATES)
    assert together.shape == (8, 6)
    assert ((together > 0) & (together < 1)).all()
    assert together.std() > 0.01
    for row in range(8):
        one = TEST.pick(np.array([row]))
        np.testing.assert_allclose(scorer().score(one, CANDIDATES[[row]])[0], together[row], atol=1e-4)
        for column in (0, 3):
            single = scorer(64).score(one, CANDIDATES[[row]][:, [column]])
            np.testing.assert_allclose(single[0, 0], together[row, column], atol=1e-4)


def test_order_changes_no_score() -> None:
    order, turned = np.random.default_rng(2).permutation(8), np.random.default_rng(3).permutation(6)
    straight = scorer().score(TEST, CANDIDATES)
    mixed = scorer(2000).score(TEST.pick(order), CANDIDATES[order][:, turned])
    np.testing.assert_allclose(mixed, straight[order][:, turned], atol=1e-4)


def test_an_item_twice_has_one_score() -> None:
    twice = np.repeat(CANDIDATES[:, :1], 2, axis=1)
    scores = scorer().score(TEST, twice)
    np.testing.assert_allclose(scores[:, 0], scores[:, 1], atol=1e-5)


def test_it_counts_what_it_costs_and_tells_how_far_it_is() -> None:
    told: list[tuple[int, int, str]] = []
    counting = MllmScorer("mmsrarec", PROMPTS, RETRIEVAL, 800, lambda *progress: told.append(progress))
    counting.score(TEST, CANDIDATES)
    tokens = counting.tokens
    counting.score(TEST, CANDIDATES)
    assert counting.queries == 16
    assert counting.tokens == 2 * tokens > 0
    assert [done for done, _, _ in told] == sorted({done for done, _, _ in told}) * 2
    assert told[-1] == (8, 8, "ranking")


def test_items_taken_for_new_are_shown_as_new_and_others_are_not() -> None:
    new = np.zeros(30, dtype=bool)
    new[CANDIDATES[0, 0]] = True
    (context,) = RETRIEVAL.gather(TEST.pick(np.array([0])), CANDIDATES[:1], PROMPTS.settings)
    assert context.popularity[0] > 0
    where = set(np.flatnonzero(new[CANDIDATES[0]]).tolist())
    expected = scorer().score_contexts([context.as_cold(where)])[0]
    found = scorer().as_cold(new).score(TEST.pick(np.array([0])), CANDIDATES[:1])[0]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert abs(found[0] - scorer().score(TEST.pick(np.array([0])), CANDIDATES[:1])[0, 0]) > 1e-6
    np.testing.assert_array_equal(
        scorer().as_cold(~np.ones(30, dtype=bool)).score(TEST, CANDIDATES), scorer().score(TEST, CANDIDATES)
    )


def test_the_whole_catalogue_is_for_another() -> None:
    with pytest.raises(MmsrarecError, match="use propose"):
        scorer().score(TEST, None)


def test_nobody_asked_is_nobody_scored() -> None:
    assert scorer().score(TEST.pick(np.array([], dtype=int)), CANDIDATES[:0]).shape == (0, 6)
