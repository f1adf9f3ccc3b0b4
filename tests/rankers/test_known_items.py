"""What a candidate generator can say comes from what it was fitted on, whatever joined the catalogue or log since."""

from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest
import torch
from bodies import tiny_body
from world import make_log

from mmsrarec.data.dataset import IntArray, Interactions, make_interactions
from mmsrarec.data.splits import Queries, queries_at
from mmsrarec.rankers.base import CandidateGenerator, known_items, places
from mmsrarec.rankers.ensemble.conditional_logit import Logit
from mmsrarec.rankers.ensemble.features import ranking_feature
from mmsrarec.rankers.ensemble.interleaved import PaddedCatalogue, with_cold_items
from mmsrarec.rankers.ensemble.keyword_overlap import KeywordOverlap
from mmsrarec.rankers.ensemble.weighted import WeightedEnsemble
from mmsrarec.rankers.ranker_base import ContentRanker, RankerBase
from mmsrarec.rankers.registry.registry import GENERATORS, ItemContent, Source, make_row, ranker_class
from mmsrarec.rankers.registry.settings import BaselineSettings
from mmsrarec.rankers.two_tower.two_tower_ranker import TwoTowerRanker
from mmsrarec.recommend.ranking.fusion import FixedScores, Fused
from mmsrarec.retrieve.encoder import Encoder
from mmsrarec.retrieve.settings import CONTENT_ENCODERS, ENCODERS, EncoderName, RetrieveSettings
from mmsrarec.retrieve.training import train_encoder

OLD, UNTAKEN = 29, 28
"""Items of the catalogue that generators are fitted on, and one of them that nobody took then."""
NEW = OLD
BEFORE = make_log(np.random.default_rng(0), n_items=UNTAKEN)
EVERY = np.arange(OLD)
TAKEN = np.array([code for code in range(OLD) if code != UNTAKEN])
WEIGHTS = [1.0, 0.3, 0.0, -0.3]
KEPT = [name for name in GENERATORS if issubclass(ranker_class(name), ContentRanker)]
"""Rankers that learn by gradients or read content, which was that of the items of then."""
TOWERS = [name for name in KEPT if issubclass(ranker_class(name), TwoTowerRanker)]
SHORT = BaselineSettings.model_validate({name.replace("-", "_"): {"epochs": 2} for name in TOWERS})


def log(n_items: int, *also: int) -> Interactions:
    """The log of before in a catalogue of so many items; everybody went on to take what is named."""
    users, rest = np.arange(BEFORE.n_users), [np.full(BEFORE.n_users, code) for code in also]
    user = np.concatenate([BEFORE.user, *(users for _ in also)])
    item, late = np.concatenate([BEFORE.item, *rest]), BEFORE.time.max() + 1 + np.arange(len(also) * len(users))
    return make_interactions(user, item, np.concatenate([BEFORE.time, late]), BEFORE.n_users, n_items)


FITTED, NO_VALIDATION = log(OLD), queries_at(BEFORE, np.empty(0, dtype=np.int64))
MADE: dict[EncoderName, Encoder] = {}


def encoder(name: EncoderName) -> Encoder:
    """Trained before anything joined, and kept."""
    if name not in MADE:
        settings = RetrieveSettings(encoder=name, embedding_size=8, n_layers=1, epochs=2, content_size=4)
        content = torch.randn(OLD, 4, generator=torch.Generator().manual_seed(0))
        MADE[name] = train_encoder(FITTED, NO_VALIDATION, settings, 0, content=content, body=tiny_body())
    return MADE[name]


def item_content() -> ItemContent:
    """States of the items that generators are fitted on."""
    return ItemContent(np.random.default_rng(0).normal(size=(OLD, 6)), "drawn")


@cache
def trained(name: str) -> RankerBase:
    """Fitted before anything joined; a run keeps it, and loads it when it answers."""
    return make_row(name, Source(FITTED, 0, encoder, lambda: pytest.fail("no generator asks"), SHORT, item_content))


def generator(name: str, train: Interactions) -> CandidateGenerator:
    """As a run serves it: what is counted is counted in the log at hand, what was trained is loaded."""
    source = Source(train, 0, encoder, lambda: pytest.fail("no generator asks"))
    return PaddedCatalogue(trained(name) if name in KEPT else make_row(name, source), train.n_items)


def queries(*histories: Sequence[int]) -> Queries:
    m = len(histories)
    codes = tuple(np.array(history, dtype=np.int64) for history in histories)
    return Queries(np.full(m, -1), np.full(m, 10**6), np.full(m, -1), codes)


PEOPLE = queries([0, 1, 2], [5], [3, 9, 20, 7])


def fused(
    name: str, train: Interactions, weights: tuple[float, ...], p: Sequence[float], codes: IntArray
) -> np.ndarray:
    """Logits for whom the terms that are known tell something of those that are not."""
    logit = Logit(weights, (0.0, -2.0), ((1.0, 0.3), (0.3, 1.0)))
    ranker = FixedScores(np.tile(p, (len(PEOPLE), 1)))
    candidates = np.tile(codes, (len(PEOPLE), 1))
    return Fused("", ranker, [generator(name, train)], logit).score(PEOPLE, candidates)


@pytest.mark.parametrize("name", GENERATORS)
def test_a_generator_knows_what_it_was_fitted_on(name: str) -> None:
    expected = EVERY if ranker_class(name).ranks_new_items else TAKEN
    assert np.flatnonzero(known_items(trained(name), OLD)).tolist() == [*expected]
    joined = log(OLD + 1, UNTAKEN, NEW)
    known = np.flatnonzero(known_items(generator(name, joined), OLD + 1)).tolist()
    assert known == ([*expected] if name in (*ENCODERS, *KEPT) else [*range(OLD + 1)])


@pytest.mark.parametrize("name", GENERATORS)
def test_an_item_that_joins_changes_nothing_that_is_said_of_others(name: str) -> None:
    before, after = (ranking_feature(generator(name, log(n)), PEOPLE) for n in (OLD, OLD + 3))
    np.testing.assert_array_equal(after[:, :OLD], before)
    assert np.isnan(after[:, OLD:]).all()
    assert np.isfinite(before[:, TAKEN]).all()


@pytest.mark.parametrize("name", ENCODERS)
def test_an_encoder_says_the_same_after_the_log_went_on(name: str) -> None:
    """It was not trained on what the log says since; people have the same history."""
    before, after = (ranking_feature(generator(name, train), PEOPLE) for train in (FITTED, log(OLD + 1, UNTAKEN, NEW)))
    np.testing.assert_array_equal(after[:, :OLD], before)
    assert np.isnan(after[:, NEW]).all()
    assert np.isnan(after[:, UNTAKEN]).all() == (name not in CONTENT_ENCODERS)


@pytest.mark.parametrize("weight", WEIGHTS)
@pytest.mark.parametrize("name", GENERATORS)
@pytest.mark.parametrize("sold", [False, True])
def test_a_new_item_is_ranked_by_what_can_be_said_of_it(name: str, weight: float, sold: bool) -> None:
    """Whether it has sold already or not."""
    train = log(OLD + 1, *([UNTAKEN, NEW] if sold else []))
    codes = np.array([NEW, UNTAKEN, 10, 11, 12, 13])
    liked, disliked = (fused(name, train, (1.0, weight), [p, 0.5, 0.5, 0.5, 0.5, 0.5], codes) for p in (0.9999, 1e-4))
    for scores in (liked, disliked):
        assert np.isfinite(scores).all()
        assert (((p := 1 / (1 + np.exp(-scores))) > 0) & (p < 1)).all()
    np.testing.assert_array_equal(liked[:, 1:], disliked[:, 1:])
    assert (liked.argmax(axis=1) == 0).all()
    assert (disliked.argmax(axis=1) != 0).all()
    alone = fused(name, train, (0.0, weight), [0.5] * len(codes), codes)
    assert np.isfinite(alone).all()


@pytest.mark.parametrize("weight", WEIGHTS)
@pytest.mark.parametrize("name", GENERATORS)
def test_the_scores_of_old_items_stay_when_one_joins(name: str, weight: float) -> None:
    before, after = (fused(name, log(n), (0.5, weight), [0.4] * OLD, EVERY) for n in (OLD, OLD + 1))
    np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("sold", [False, True])
def test_new_items_are_proposed_whoever_proposes(sold: bool) -> None:
    train = log(OLD + 1, *([NEW] if sold else []))
    words = KeywordOverlap([("blue",) if code == UNTAKEN else ("red",) for code in range(OLD + 1)])
    for names in (*((name,) for name in GENERATORS), ("als", "sasrec"), GENERATORS):
        made = [generator(name, train) for name in names]
        logit = Logit((0.5,) * len(made), (0.0,) * len(made), ((0.0,) * len(made),) * len(made))
        scores = with_cold_items(WeightedEnsemble.of(made, logit, OLD + 1), None, words, OLD + 1, 8).score(PEOPLE, None)
        assert np.isfinite(scores).all()
        if not sold or len(names) > 1 or names[0] in (*ENCODERS, *KEPT):  # else the generator knows it by now
            assert (np.argsort(-scores, axis=1, kind="stable")[:, :8] == NEW).any(axis=1).all()


def test_places_are_counted_among_what_is_known() -> None:
    found = places(generator("sequential-rules", log(OLD + 5)), PEOPLE)
    assert np.isnan(found[:, UNTAKEN:]).all()
    assert np.nanmax(found) <= UNTAKEN


def test_an_encoder_that_does_not_say_what_it_saw_goes_by_the_log() -> None:
    """As those of older runs do not."""
    old = Encoder(encoder("sasrec").model, encoder("sasrec").settings)
    row = make_row("sasrec", Source(log(OLD + 1, NEW), 0, lambda name: old, None))  # pyright: ignore
    assert np.flatnonzero(known_items(row, OLD + 1)).tolist() == [*TAKEN]
