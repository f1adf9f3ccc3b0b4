"""Metrics against figures worked out by hand, against another library, and under laws that must hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmsrarec.evaluate.metrics import FULL, PUBLISHED, count_competitors, measure


def test_five_users_by_hand():
    others = np.array(
        [
            [0.1, 0.2, 0.3, 0.4, 0.5, 0.6],  # nobody above: rank 1
            [0.95, 0.2, 0.3, 0.4, 0.5, 0.6],  # one above: rank 2
            [0.9, 0.2, 0.3, 0.4, 0.5, 0.6],  # one beside: rank 1 or 2
            [0.91, 0.92, 0.93, 0.94, 0.95, 0.6],  # five above: rank 6
            [0.91, 0.92, 0.93, 0.94, 0.9, 0.9],  # four above, two beside: rank 5, 6 or 7
        ]
    )
    got = measure(*count_competitors(np.full(5, 0.9), others), 6, ("HR@1", "HR@5", "NDCG@5", "MRR@5", "MRR", "AUC"))
    second, fifth = 1 / np.log2(3), 1 / np.log2(6)
    assert got["HR@1"] == pytest.approx([1, 0, 1 / 2, 0, 0])
    assert got["HR@5"] == pytest.approx([1, 1, 1, 0, 1 / 3])
    assert got["NDCG@5"] == pytest.approx([1, second, (1 + second) / 2, 0, fifth / 3])
    assert got["MRR@5"] == pytest.approx([1, 1 / 2, 3 / 4, 0, 1 / 15])
    assert got["MRR"] == pytest.approx([1, 1 / 2, 3 / 4, 1 / 6, (1 / 5 + 1 / 6 + 1 / 7) / 3])
    assert got["AUC"] == pytest.approx([1, 5 / 6, 5.5 / 6, 1 / 6, 1 / 6])


def test_a_constant_scorer_reads_chance():
    got = measure(*count_competitors(np.zeros(3), np.zeros((3, 20))), 20)
    for name, chance in {"HR@5": 5 / 21, "NDCG@5": 0.1404, "MRR@5": 0.1087, "AUC": 0.5}.items():
        assert got[name] == pytest.approx([chance] * 3, abs=5e-5)


def test_an_oracle_reads_one():
    competitors = count_competitors(np.ones(4), np.zeros((4, 30)))
    assert all((values == 1).all() for values in measure(*competitors, 30, (*PUBLISHED, *FULL)).values())


def test_items_not_allowed_do_not_compete():
    above, tied = count_competitors(
        np.array([1.0]), np.array([[2.0, 2.0, 1.0, 1.0]]), np.array([[True, False, True, False]])
    )
    assert (above.tolist(), tied.tolist()) == ([1], [1])


@pytest.mark.parametrize(("target", "others"), [([np.nan], [[0.0]]), ([0.0], [[np.nan]])])
def test_nan_is_refused(target, others):
    with pytest.raises(ValueError, match="NaN"):
        count_competitors(np.array(target), np.array(others))


def test_minus_infinity_is_a_score_like_any_other():
    above, tied = count_competitors(np.array([-np.inf]), np.array([[-np.inf, 0.0]]))
    assert (above.tolist(), tied.tolist()) == ([1], [1])


@pytest.mark.parametrize("name", ["HR@x", "XYZ@5"])
def test_unknown_metrics_are_not_guessed(name):
    with pytest.raises((KeyError, ValueError)):
        measure(np.array([0]), np.array([0]), 20, (name,))


@given(st.lists(st.integers(-5, 5), min_size=2, max_size=25), st.integers(-5, 5), st.randoms())
def test_order_and_monotone_transforms_change_nothing(others, target, random):
    def figures(scores, own):
        competitors = count_competitors(np.array([own], dtype=float), np.array([scores], dtype=float))
        return {
            name: float(value[0]) for name, value in measure(*competitors, len(scores), (*PUBLISHED, *FULL)).items()
        }

    plain = figures(others, target)
    shuffled = random.sample(others, len(others))
    assert figures(shuffled, target) == plain
    assert figures([x**3 + 2 * x - 7 for x in others], target**3 + 2 * target - 7) == plain
    assert all(0 <= value <= 1 for value in plain.values())


@given(st.integers(0, 8), st.integers(0, 8))
def test_ties_are_the_mean_over_all_ranks(above, tied):
    """The closed form equals the plain mean of what each possible rank would read."""
    n = above + tied + 3
    got = measure(np.array([above]), np.array([tied]), n, ("HR@5", "NDCG@5", "MRR@5", "MRR", "AUC"))
    ranks = above + np.arange(tied + 1)
    each = measure(ranks, np.zeros_like(ranks), n, tuple(got))
    assert {k: v[0] for k, v in got.items()} == pytest.approx({k: v.mean() for k, v in each.items()})


def test_agrees_with_an_independent_library(monkeypatch):
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")  # compiling takes ten times as long as the test
    ranx = pytest.importorskip("ranx")
    rng = np.random.default_rng(3)
    scores = rng.random((40, 60))
    got = measure(*count_competitors(scores[:, 0], scores[:, 1:]), 59, FULL)
    judged = ranx.Qrels({f"u{u}": {"i0": 1} for u in range(40)})
    ranked = ranx.Run({f"u{u}": {f"i{i}": float(s) for i, s in enumerate(row)} for u, row in enumerate(scores)})
    theirs = {"HR@10": "hit_rate@10", "NDCG@5": "ndcg@5", "NDCG@20": "ndcg@20", "MRR": "mrr"}
    told = ranx.evaluate(judged, ranked, list(theirs.values()))
    assert {name: got[name].mean() for name in theirs} == pytest.approx({name: told[k] for name, k in theirs.items()})


def test_agrees_with_a_second_independent_library():
    """ir-measures asks the program of TREC, which ties alone could make differ: here there are none."""
    ir_measures = pytest.importorskip("ir_measures")
    rng = np.random.default_rng(4)
    scores = rng.random((40, 60))
    got = measure(*count_competitors(scores[:, 0], scores[:, 1:]), 59, FULL)
    theirs = {"HR@5": "Success@5", "HR@10": "Success@10", "NDCG@5": "nDCG@5", "NDCG@10": "nDCG@10", "MRR": "RR"}
    judged = [ir_measures.Qrel(f"u{user}", "i0", 1) for user in range(40)]
    run = [
        ir_measures.ScoredDoc(f"u{user}", f"i{item}", float(score))
        for user, row in enumerate(scores)
        for item, score in enumerate(row)
    ]
    told = ir_measures.calc_aggregate([ir_measures.parse_measure(name) for name in theirs.values()], judged, run)
    named = {str(measure): value for measure, value in told.items()}
    assert {name: got[name].mean() for name in theirs} == pytest.approx({name: named[k] for name, k in theirs.items()})


def of_mmrec(scores, wanted, masked, k):
    """Recall@k, NDCG@k and MAP@k of one user, written from the definitions that MMRec's documentation gives.

    The items of training have no place in the ranking. Recall is the share of the wanted items among the first k; the
    gain of place p is 1 / log2(p + 1), and NDCG is its sum over the best sum that k places could have; MAP is the sum
    of the precision at each hit, over the number of wanted items, at most k.
    """
    order = [item for item in np.argsort(-scores) if item not in masked][:k]
    hits = [place for place, item in enumerate(order, start=1) if item in wanted]
    best = sum(1 / np.log2(place + 1) for place in range(1, min(k, len(wanted)) + 1))
    precision = sum(number / place for number, place in enumerate(hits, start=1))
    gain = sum(1 / np.log2(place + 1) for place in hits)
    return len(hits) / len(wanted), gain / best, precision / min(k, len(wanted))


@pytest.mark.parametrize("k", [5, 10, 20])
def test_agrees_with_the_definitions_of_mmrec(k):
    """With one wanted item a user, Recall is HR, NDCG is NDCG and MAP is MRR."""
    rng = np.random.default_rng(k)
    scores = rng.random((30, 50))
    masked = [set(rng.choice(np.arange(1, 50), 8, replace=False).tolist()) for _ in range(30)]
    allowed = np.array([[item not in seen for item in range(1, 50)] for seen in masked])
    got = measure(*count_competitors(scores[:, 0], scores[:, 1:], allowed), 49, (f"HR@{k}", f"NDCG@{k}", f"MRR@{k}"))
    told = np.array([of_mmrec(row, {0}, seen, k) for row, seen in zip(scores, masked, strict=True)])
    np.testing.assert_allclose(np.stack(list(got.values()), axis=1), told)
