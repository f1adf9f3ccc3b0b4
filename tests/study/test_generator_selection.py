"""Who joins in proposing: whoever brings targets that the others miss, or orders better what they find."""

import numpy as np
import pytest

from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.rankers.ensemble.conditional_logit import ALONE
from mmsrarec.rankers.ensemble.interleaved import interleave_cold_items
from mmsrarec.rankers.ensemble.two_stage import Reranked
from mmsrarec.rankers.ensemble.weighted import WeightedEnsemble
from mmsrarec.study.generator_selection import SelectedGenerators, select_generators

USERS, ITEMS, N = 200, 60, 5


class Seer:
    """Scores that see the targets of some users, and of others nothing."""

    def __init__(self, name: str, target: IntArray, sees: IntArray, seed: int):
        self.name, self.known, self.logits = name, np.ones(ITEMS, dtype=bool), False
        self.scores = np.random.default_rng(seed).normal(size=(USERS, ITEMS))
        self.scores[sees, target[sees]] += 6

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        rows = self.scores[queries.user]
        return rows if candidates is None else np.take_along_axis(rows, candidates, axis=1)


def run_view() -> tuple[Queries, dict[str, Seer]]:
    """One sees a half of the targets, another a quarter more, a third nothing."""
    rng = np.random.default_rng(0)
    target, users = rng.integers(0, ITEMS, USERS), np.arange(USERS)
    had = tuple(np.array([(code + 1) % ITEMS]) for code in target)
    sees = {"half": users[: USERS // 2], "quarter": users[USERS // 2 : 3 * USERS // 4], "blind": users[:0]}
    made = {name: Seer(name, target, seen, seed) for seed, (name, seen) in enumerate(sees.items())}
    return Queries(users, users, target, had), made


def hits(generator, queries: Queries) -> float:
    proposed = Reranked("", generator, generator, N).proposals(queries)
    return float((proposed == queries.target[:, None]).any(axis=1).mean())


def test_who_adds_targets_joins_and_who_adds_none_does_not() -> None:
    queries, made = run_view()
    found = select_generators(made, queries, ITEMS, N, 0)
    assert found.names[:2] == ("half", "quarter")
    assert found.logit.weights[0] > 0 < found.logit.weights[1]
    assert {"blind", "half", "half+quarter", "half+blind", "half+quarter+blind"} <= found.quality.keys()
    both = WeightedEnsemble.of([made[name] for name in found.names], found.logit, ITEMS)
    assert found.quality["half"][f"HR@{N}"] == hits(made["half"], queries)
    assert found.quality[found.name][f"HR@{N}"] > hits(made["half"], queries) + 0.1
    assert hits(both, queries) > hits(made["half"], queries) + 0.1


def test_one_alone_where_no_other_may_join() -> None:
    queries, made = run_view()
    found = select_generators(made, queries, ITEMS, N, 0, combine=False)
    assert (found.names, found.logit) == (("half",), ALONE)
    assert found.quality.keys() == made.keys()


def test_nobody_joins_who_knows_it_all() -> None:
    queries, made = run_view()
    made = {"all": Seer("all", queries.target, np.arange(USERS), 9), "blind": made["blind"]}
    made["all"].scores[np.arange(USERS), queries.target] = 99
    found = select_generators(made, queries, ITEMS, N, 0)
    assert (found.names, found.logit) == (("all",), ALONE)


def test_what_was_had_is_never_proposed_and_counts_for_nothing() -> None:
    queries, made = run_view()
    for one in made.values():
        one.scores[np.arange(USERS), [had[0] for had in queries.history]] = 99
    found = select_generators(made, queries, ITEMS, N, 0)
    assert found.quality["half+quarter"][f"HR@{N}"] > 0.6


def test_a_large_catalogue_is_judged_on_some_of_the_moments(monkeypatch) -> None:
    queries, made = run_view()
    monkeypatch.setattr("mmsrarec.study.generator_selection.MAX_SCORES_HELD", 50 * ITEMS)
    asked: list[int] = []
    real = made["half"].score
    made["half"].score = lambda queries, candidates: asked.append(len(queries)) or real(queries, candidates)
    select_generators(made, queries, ITEMS, N, 0)
    assert asked == [50]


def test_new_items_are_found_by_whoever_stands_beside_and_by_nobody_else() -> None:
    """Half of the items are new. One that ranks all by chance proposes known ones only; beside it stands an oracle."""
    queries, made = run_view()
    known = np.arange(ITEMS) < ITEMS // 2
    made["half"].known = known
    oracle = Seer("oracle", queries.target, np.arange(USERS), 5)
    alone = select_generators({"half": made["half"]}, queries, ITEMS, N, 0)
    with_oracle = select_generators(
        {"half": made["half"]},
        queries,
        ITEMS,
        N,
        0,
        lambda generator: interleave_cold_items(generator, oracle, ~known, N),
    )
    new = ~known[queries.target]
    seen = np.arange(USERS) < USERS // 2
    assert alone.quality["half"][f"HR@{N}"] <= (~new).mean()
    assert with_oracle.quality["half"][f"HR@{N}"] >= (new | seen).mean() - 0.05


def test_who_finds_nothing_new_but_orders_better_joins() -> None:
    """One sees every target among four others of which it thinks as well; another knows that those are none."""
    queries, _ = run_view()
    nobody, rng = np.arange(0), np.random.default_rng(3)
    names = ("finds", "orders", "blind")
    finds, orders, blind = (Seer(name, queries.target, nobody, seed) for seed, name in enumerate(names))
    others = (queries.target[:, None] + 2 + np.arange(N - 1)) % ITEMS
    for one, height in ((finds, 20), (orders, -6)):
        np.put_along_axis(one.scores, others, height + rng.normal(size=others.shape), axis=1)
    np.put_along_axis(finds.scores, queries.target[:, None], 20 + rng.normal(size=(USERS, 1)), axis=1)
    found = select_generators({one.name: one for one in (finds, orders, blind)}, queries, ITEMS, N, 0)
    assert found.names[:2] == ("finds", "orders")
    assert found.quality["finds"][f"HR@{N}"] == 1  # there is nothing left to find
    assert found.quality["finds+orders"]["NDCG@10"] > found.quality["finds"]["NDCG@10"] + 0.03


def test_the_first_proposals_tell_what_the_whole_order_does(monkeypatch) -> None:
    """Half of the items are new: two take turns, and only their first proposals are looked for."""
    queries, made = run_view()
    known = np.arange(ITEMS) < ITEMS // 2
    made["half"].known = known
    oracle = Seer("oracle", queries.target, np.arange(USERS), 5)

    def select() -> SelectedGenerators:
        return select_generators(
            {"half": made["half"], "blind": made["blind"]},
            queries,
            ITEMS,
            N,
            0,
            lambda generator: interleave_cold_items(generator, oracle, ~known, N),
        )

    quick = select()
    monkeypatch.setattr("mmsrarec.study.generator_selection.leads", lambda ranker: False)
    slow = select()
    assert (quick.names, quick.logit) == (slow.names, slow.logit)
    assert quick.quality.keys() == slow.quality.keys()
    for names, metrics in quick.quality.items():
        assert metrics == pytest.approx(slow.quality[names], abs=1e-12)
