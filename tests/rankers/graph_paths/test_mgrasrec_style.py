"""The ranker of paths keeps the shipped laws; a score is the sum of its paths; new items are reached by content."""

from itertools import pairwise, product
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kept_laws import KeptLaws
from people import people

from mmsrarec.data.dataset import FloatArray, Interactions
from mmsrarec.data.splits import leave_one_out
from mmsrarec.errors import MmsrarecError
from mmsrarec.evaluate.protocols import evaluate_full
from mmsrarec.rankers.graph_paths.mgrasrec_style import MgrasrecStyle, shares, strongest
from mmsrarec.rankers.interaction_matrix import sparse_rows
from mmsrarec.rankers.sequential_rules import SequentialRules
from mmsrarec.testing import queries, tiny_log


def content(n_items: int, n_kinds: int = 2) -> FloatArray:
    """Items of one kind look alike: item i is of kind i modulo `n_kinds`."""
    rng = np.random.default_rng(0)
    kinds = rng.normal(size=(n_kinds, 12))
    return (kinds[np.arange(n_items) % n_kinds] + 0.3 * rng.normal(size=(n_items, 12))).astype(np.float32)


def fit(log: Interactions, seed: int = 0, **how: Any) -> MgrasrecStyle:
    return MgrasrecStyle(content=content(log.n_items), **how).fit(log, seed=seed)


class PathLaws(KeptLaws):
    ranker = MgrasrecStyle

    def trained(self, interactions: Interactions, seed: int) -> MgrasrecStyle:
        return fit(interactions, seed, **self.settings)


class TestMgrasrecStyle(PathLaws):
    """By its defaults."""


class TestMgrasrecStyleOfLongPaths(PathLaws):
    settings: ClassVar = {"steps": 3, "edges": 5, "neighbours": 3, "step_weight": 1.0}
    kept: ClassVar = {}


def by_hand(log: Interactions, states: FloatArray, how: dict[str, Any], history: list[int]) -> FloatArray:
    """(n,) scores: all paths, walked one by one over dense edges that are computed in loops."""
    n = log.n_items
    after, alike = np.zeros((n, n)), np.zeros((n, n))
    for user in range(log.n_users):
        items = log.items_of(user).tolist()
        for first, second in product(range(len(items)), repeat=2):
            if 0 < second - first <= how["window"] and items[first] != items[second]:
                after[items[first], items[second]] += 1 / (second - first)
    wide = (states - states.mean(0)) / states.std(0)
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    for item in range(n):
        after[item, np.argsort(-after[item].round(9), kind="stable")[how["edges"] :]] = 0
        near = np.argsort(-np.where(np.arange(n) == item, -9.0, wide @ wide[item]), kind="stable")
        alike[item, near[: how["neighbours"]]] = 1
    edges = np.zeros((n, n))
    for item in range(n):
        for part, share in ((after, 1 - how["content_share"]), (alike, how["content_share"])):
            if part[item].sum():
                edges[item] += share * part[item] / part[item].sum()
        edges[item] /= max(edges[item].sum(), 1e-12)
    scores = np.zeros(n)
    for back, first in enumerate(history[::-1][: how["last_items"]], start=1):
        for steps in range(1, how["steps"] + 1):
            for between in product(range(n), repeat=steps - 1):
                for last in range(n):
                    path = (first, *between, last)
                    weight = np.prod([edges[a, b] for a, b in pairwise(path)])
                    scores[last] += how["step_weight"] ** (steps - 1) * weight / back
    return scores


@given(st.integers(0, 10**6), st.integers(1, 3), st.sampled_from([0.0, 0.3, 1.0]), st.integers(1, 4))
@settings(max_examples=12, deadline=None)
def test_it_agrees_with_the_slow_reference(seed: int, steps: int, content_share: float, edges: int) -> None:
    rng = np.random.default_rng(seed)
    log = people(*(rng.integers(0, 7, rng.integers(2, 6)).tolist() for _ in range(6)), n_items=8)
    how = {"window": 2, "last_items": 2, "steps": steps, "step_weight": 0.5, "neighbours": 2}
    how |= {"edges": edges, "content_share": content_share}
    history = rng.integers(0, 7, 3).tolist()
    states = rng.normal(size=(8, 5)).astype(np.float32)
    found = MgrasrecStyle(content=states, **how).fit(log).score(queries(history), None)[0]
    assert found == pytest.approx(by_hand(log, states, how, history), abs=1e-6)


@given(st.integers(0, 10**6), st.integers(1, 3))
@settings(max_examples=15, deadline=None)
def test_a_score_is_the_sum_of_its_paths(seed: int, steps: int) -> None:
    rng = np.random.default_rng(seed)
    ranker = fit(tiny_log(), steps=steps, edges=6, neighbours=2)
    history = rng.integers(0, ranker.n_items + 2, rng.integers(0, 6))  # the two last joined later
    scores = ranker.score(queries(history.tolist()), None)[0]
    for item in rng.choice(ranker.n_items, 5, replace=False).tolist():
        paths = ranker.paths(history, item, most=10**9)
        assert sum(path.weight for path in paths) == pytest.approx(scores[item], abs=1e-9)
        assert len({path.items for path in paths}) == len(paths)
        assert all(path.items[0] in history[-4:] and path.items[-1] == item for path in paths)
        assert [path.weight for path in paths] == sorted((path.weight for path in paths), reverse=True)
        assert ranker.paths(history, item, most=2) == paths[:2]


def test_one_step_of_co_visits_ranks_as_sequential_rules_shared_out() -> None:
    """Without content and longer paths an edge is a rule, as a share of all rules of its first item."""
    log = tiny_log()
    rules = SequentialRules().fit(log)
    ranker = fit(log, steps=1, content_share=0.0, edges=1000)
    for item in range(0, log.n_items, 5):
        expected = rules.score(queries([item]), None)[0]
        expected[item] = 0
        found = ranker.score(queries([item]), None)[0]
        assert found == pytest.approx(expected / max(expected.sum(), 1e-12))


def test_a_path_leads_over_an_item_between() -> None:
    """Nobody consumed 0 and 2 in one sequence; some went from 0 to 1, and others from 1 to 2."""
    log = people([0, 1], [0, 1], [1, 2], [3, 4], n_items=5)
    one, two = (fit(log, steps=steps, content_share=0.0) for steps in (1, 2))
    assert one.score(queries([0]), None)[0].tolist() == [0, 1, 0, 0, 0]
    assert two.score(queries([0]), None)[0] == pytest.approx([0, 1, 0.3, 0, 0])
    (path,) = two.paths(np.array([3, 0]), 2)
    assert path.items == (0, 1, 2)
    assert path.weight == pytest.approx(0.3)


def test_an_item_that_nobody_consumed_is_reached_by_its_content() -> None:
    log = people([0, 2], [1, 3], [2, 0], [3, 1], n_items=6)  # 4 is of the kind of 0 and 2, 5 of that of 1 and 3
    scores = fit(log, neighbours=2).score(queries([0], [1]), np.array([[4, 5], [4, 5]]))
    assert scores[0, 0] > scores[0, 1]
    assert scores[1, 1] > scores[1, 0]


def test_what_is_consumed_next_is_found() -> None:
    split = leave_one_out(tiny_log())
    assert evaluate_full(fit(split.train), split.test, 40)["HR@10"].mean() > 0.5


def test_content_that_does_not_fit_is_refused() -> None:
    log = tiny_log()
    broken = content(log.n_items)
    broken[3, 1] = np.nan
    for states, words in ((None, "needs what items are"), (content(3), "40 items"), (broken, "finite")):
        with pytest.raises(MmsrarecError, match=words):
            MgrasrecStyle(content=states).fit(log)


def test_edges_are_cut_and_shared_out() -> None:
    dense = np.array([[0.0, 3, 1, 1], [0, 0, 0, 0], [2, 2, 0, 2], [0, 0, 5, 0]])
    graph = sparse_rows((dense.ravel(), np.tile(np.arange(4), 4), np.arange(0, 17, 4)), (4, 4))
    kept = strongest(graph, 2).toarray()
    np.testing.assert_array_equal(kept, [[0, 3, 1, 0], [0, 0, 0, 0], [2, 2, 0, 0], [0, 0, 5, 0]])
    np.testing.assert_allclose(shares(strongest(graph, 2)).toarray().sum(1), [1, 0, 1, 1])
