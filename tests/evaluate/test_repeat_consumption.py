"""What a user had is out for every kind of row or for none, and a query that cannot be found is asked of nobody."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmsrarec.data.dataset import FloatArray, IntArray, make_interactions
from mmsrarec.data.splits import Queries, Split, leave_one_out, make_split
from mmsrarec.evaluate.protocols import CoverageRecorder, evaluate_full, evaluate_published, published_candidates
from mmsrarec.rankers.base import Ranker, places
from mmsrarec.rankers.ensemble.conditional_logit import Logit
from mmsrarec.rankers.ensemble.interleaved import Interleaved, PaddedCatalogue, Restricted, interleave_cold_items
from mmsrarec.rankers.ensemble.two_stage import Reranked
from mmsrarec.rankers.ensemble.weighted import WeightedEnsemble
from mmsrarec.rankers.sequence_model import SequenceRanker
from mmsrarec.rankers.sequential_rules import SequentialRules
from mmsrarec.recommend.ranking.fusion import Fused
from mmsrarec.retrieve.settings import RetrieveSettings
from mmsrarec.retrieve.training import _ndcg_at_10
from mmsrarec.study.generator_selection import SelectionTask, select_generators

USERS, ITEMS = 30, 40


def split(repeats: str, again: int = USERS) -> Split:
    """Everybody takes eight items; the last of the first `again` users is one they had, and so is the one before."""
    rng = np.random.default_rng(0)
    items = np.stack([rng.permutation(ITEMS)[:8] for _ in range(USERS)])
    items[:again, -2:] = items[:again, :2]
    interactions = make_interactions(
        np.repeat(np.arange(USERS), 8), items.ravel(), np.tile(np.arange(8), USERS), USERS, ITEMS
    )
    return make_split("leave-one-out", interactions, 0, repeats)  # type: ignore[arg-type]


class Oracle:
    """Gives the target of each query .9 and all others less, of which no two are equal."""

    known, logits = None, False

    def __init__(self, queries: Queries, name: str = "oracle") -> None:
        self.name, self.target = name, dict(zip(queries.user.tolist(), queries.target.tolist(), strict=True))

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        rows = np.tile(np.linspace(0.1, 0.5, ITEMS), (len(queries), 1))
        rows[np.arange(len(queries)), [self.target[user] for user in queries.user.tolist()]] = 0.9
        return rows if candidates is None else np.take_along_axis(rows, candidates, axis=1)


class Encoder:
    """A sequence model that knows what follows each history."""

    n_items, n_trained, settings, known = ITEMS, ITEMS, RetrieveSettings(), None
    knows_content = np.ones(ITEMS, dtype=bool)

    def __init__(self, queries: Queries) -> None:
        self.after = {had.tobytes(): target for had, target in zip(queries.history, queries.target, strict=True)}

    def scores(self, histories: tuple[IntArray, ...]) -> FloatArray:
        found = np.tile(np.linspace(0.1, 0.5, ITEMS, dtype=np.float32), (len(histories), 1))
        found[np.arange(len(histories)), [self.after[had.tobytes()] for had in histories]] = 9
        return found


def rows(queries: Queries) -> dict[str, Ranker]:
    """Every kind of row that a table or a run has, of oracles."""
    one, other = Oracle(queries), Oracle(queries, "other")
    sequence = SequenceRanker.of(Encoder(queries))  # type: ignore[arg-type]
    both = WeightedEnsemble((one, other), Logit.first(2), ITEMS)
    new = np.arange(ITEMS) >= ITEMS - 2
    fused = Fused("fused", one, (other, sequence), Logit.first(3))
    return {
        "plain": one,
        "a sequence model": sequence,
        "wider": PaddedCatalogue(one, ITEMS),
        "together": both,
        "in turns": Interleaved(one, other),
        "beside new ones": interleave_cold_items(one, other, new, 10),
        "re-ranked": Reranked("r", one, other, 5),
        "re-ranked together": Reranked("r", both, other, 5),
        "fused": Reranked("r", both, fused, 5),
        "a sequence model, fused": Reranked("r", sequence, fused, 5),
        "in turns, re-ranked": Reranked("r", Interleaved(one, Restricted(other, new)), other, 5),
    }


KINDS = list(rows(split("allow").test))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("repeats", "asked"), [("allow", USERS), ("exclude", USERS - 12)])
def test_an_oracle_is_right_in_every_kind_of_row(kind: str, repeats: str, asked: int) -> None:
    test = split(repeats, again=12).test
    rankable = test.rankable
    assert len(rankable) == asked
    found = evaluate_full(CoverageRecorder(rows(test)[kind], ITEMS), rankable, ITEMS)
    assert {name: values.tolist() for name, values in found.items()} == {name: [1.0] * asked for name in found}


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_had_is_proposed_and_covered_by_the_same_rule(kind: str) -> None:
    for repeats in ("exclude", "allow"):
        test = split(repeats, again=12).test
        row = rows(test)[kind]
        proposed = Reranked("r", row, row, 5).proposals(test)
        had = [bool(set(own) & set(seen)) for own, seen in zip(proposed.tolist(), test.history, strict=True)]
        assert any(had) == (repeats == "allow")
        place = places(row, test)
        assert all((place[user, test.target[user]] == 1) == (repeats == "allow") for user in range(12))


def test_a_query_that_cannot_be_found_is_refused() -> None:
    """It was ranked before: by single rows among items that the user had not had, by others never."""
    test = split("exclude", again=1).test
    with pytest.raises(ValueError, match=r"ask Queries\.rankable"):
        evaluate_full(Oracle(test), test, ITEMS)


def test_generators_are_chosen_by_the_same_rule() -> None:
    for repeats, asked in (("allow", USERS), ("exclude", USERS - 12)):
        valid = split(repeats, again=12).valid
        rankable = valid.rankable
        assert len(rankable) == asked
        made = {"oracle": Oracle(valid), "other": Oracle(valid, "other")}
        assert select_generators(made, rankable, ITEMS, 5, 0).quality["oracle"] == {"HR@5": 1.0, "NDCG@10": 1.0}
        selection_task = SelectionTask.of(made, rankable, ITEMS, 5, lambda generator: generator)
        assert (np.take_along_axis(selection_task.ranks["oracle"], rankable.target[:, None], axis=1) == 0).all()


def test_training_stops_by_the_same_rule() -> None:
    for repeats, right in (("allow", 1.0), ("exclude", 1.0)):
        rankable = split(repeats, again=12).valid.rankable
        assert _ndcg_at_10(Encoder(rankable), rankable) == right  # type: ignore[arg-type]


@given(st.integers(0, USERS), st.lists(st.integers(0, USERS - 1), max_size=9), st.sampled_from(["exclude", "allow"]))
def test_the_rule_stays_with_the_moments(again: int, chosen: list[int], repeats: str) -> None:
    test = split(repeats, again).test
    part = test.pick(np.array(chosen, dtype=np.int64))
    assert part.allow_seen == test.allow_seen == (repeats == "allow")
    assert part.repeated.tolist() == [user < again for user in chosen]
    assert len(part.rankable) == (len(chosen) if repeats == "allow" else sum(user >= again for user in chosen))
    assert part.rankable.rankable is part.rankable or len(part.rankable) == len(part.rankable.rankable)
    wanted = [[] if repeats == "allow" else test.history[user].tolist() for user in chosen]
    assert [seen.tolist() for seen in part.excluded] == wanted


def test_the_published_protocol_ranks_a_repeated_target_alike_in_every_row() -> None:
    interactions = leave_one_out(make_interactions(*_log(), USERS, ITEMS))
    test = interactions.test
    assert test.repeated.all()
    asked = published_candidates(test, make_interactions(*_log(), USERS, ITEMS), 0)
    for kind in ("plain", "re-ranked", "together", "in turns", "fused"):
        assert (evaluate_published(rows(test)[kind], test, asked)["HR@5"] == 1).all()


def _log() -> tuple[IntArray, IntArray, IntArray]:
    user = np.repeat(np.arange(USERS), 8)
    return user, (user * 3 + np.tile(np.arange(8) % 4, USERS)) % ITEMS, np.tile(np.arange(8), USERS)


def test_a_real_row_is_the_same_re_ranked_by_itself() -> None:
    """Nothing but the rule tells the two apart, so they must agree user by user, ties aside."""
    for repeats in ("allow", "exclude"):
        one = split(repeats, again=12)
        row = SequentialRules().fit(one.train)
        jitter = np.random.default_rng(0).random(ITEMS) / 1e6

        class Untied:
            name = "untied"

            def score(self, queries: Queries, candidates: IntArray | None, row=row, jitter=jitter) -> FloatArray:
                scores = row.score(queries, None) + jitter
                return scores if candidates is None else np.take_along_axis(scores, candidates, axis=1)

        rankable = replace(one.test).rankable
        plain, again = (
            evaluate_full(scorer, rankable, ITEMS) for scorer in (Untied(), Reranked("r", Untied(), Untied(), 9))
        )
        assert all(np.array_equal(plain[name], again[name]) for name in plain)
