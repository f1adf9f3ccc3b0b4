"""Many users together are answered as each is alone: the same items, scores and reasons, whatever ranks."""

import copy
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mmsrarec.core.progress import Progress
from mmsrarec.rankers.ensemble.conditional_logit import Logit
from mmsrarec.rankers.ensemble.interleaved import PaddedCatalogue
from mmsrarec.rankers.sequence_model import SequenceRanker
from mmsrarec.recommend.ranking import scorer
from mmsrarec.recommend.ranking.fusion import Fusion
from mmsrarec.retrieve.encoder import Encoder
from mmsrarec.runs.batch_file import recommend_file
from mmsrarec.runs.recommender import Recommender

K = 4


@pytest.fixture(scope="module")
def loaded(finished: Path) -> Recommender:
    return Recommender.load(finished / "run")


@pytest.fixture(params=["model", "both", "rankers"])
def recommender(loaded: Recommender, request: pytest.FixtureRequest) -> Recommender:
    """A run in which the language model alone ranks, with a sequence model, or a sequence model without it."""
    if request.param == "model":
        return loaded
    weight = {"both": 0.7, "rankers": 0.0}[request.param]
    logit = Logit((weight, 1.5), (0.0, 0.0), ((0.0, 0.0), (0.0, 0.0)))
    alone = Logit((1.5,), (0.0,), ((0.0,),))
    ranker = SequenceRanker.of(loaded.run_folder.encoder(loaded.split), loaded.retrieval.train)
    fused = copy.copy(loaded)
    fused.fusion = Fusion((ranker.name,), logit, alone, 0, 0, {}, {}, (ranker.name,), alone)
    fused.generators = (PaddedCatalogue(ranker, len(loaded.dataset.items)),)
    return fused


def one_by_one(recommender: Recommender, users: list[str], reasons: bool) -> pl.DataFrame:
    """The table of single answers."""
    return pl.concat(recommender.recommend(user=user, k=K, reasons=reasons).to_frame(user) for user in users)


@pytest.mark.parametrize("reasons", [False, True])
def test_a_table_says_what_each_answer_alone_says(recommender: Recommender, reasons: bool) -> None:
    users = [recommender.dataset.user_ids[place] for place in (7, 2, 5, 2, 0, 11)]
    found = recommender.recommend(users=users, k=K, reasons=reasons)
    expected = one_by_one(recommender, users, reasons)
    assert found.drop("score").equals(expected.drop("score"))
    assert any(found["because"].list.len() > 0) == reasons
    np.testing.assert_allclose(found["score"], expected["score"], atol=1e-5)


def test_the_state_of_a_history_is_computed_once_for_all_who_ask(
    recommender: Recommender, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, states = list[tuple[int, bytes]](), Encoder._states

    def counted(encoder: Encoder, tokens: np.ndarray) -> np.ndarray:
        rows.extend((id(encoder), row.tobytes()) for row in tokens)
        return states(encoder, tokens)

    monkeypatch.setattr(Encoder, "_states", counted)
    recommender.recommend(users=recommender.dataset.user_ids[:5], k=K)
    assert len(rows) == len(set(rows)) > 0


def test_a_batch_on_a_processor_is_no_larger_than_its_cache_wants(
    loaded: Recommender, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = list[int]()
    asked = scorer.yes_minus_no

    def counted(prompts: object, packs: list, tree: object = None) -> object:
        sizes.append(len(packs))
        return asked(prompts, packs, tree)

    monkeypatch.setattr(scorer, "yes_minus_no", counted)
    users = loaded.dataset.user_ids[:5]
    found = loaded.recommend(users=users, k=K, reasons=False)
    assert sizes == [5]
    monkeypatch.setattr(scorer, "PROCESSOR_BATCH_TOKENS", 1)
    again = loaded.recommend(users=users, k=K, reasons=False)
    assert sizes == [5, 1, 1, 1, 1, 1]
    np.testing.assert_allclose(again["score"], found["score"], atol=1e-5)


def test_parts_are_joined_without_the_language_model(loaded: Recommender, finished: Path, tmp_path: Path) -> None:
    def write(answers: pl.LazyFrame, place: Path) -> None:
        answers.sink_parquet(place)

    users, out, how = loaded.dataset.user_ids[:3], tmp_path / "out.parquet", {"k": K, "reasons": False}
    recommend_file(loaded, users, out, write, Progress.of(False), (0, 1), **how)
    joining = Recommender.load(finished / "run", late=True)
    assert not joining.prompts.has_model
    recommend_file(joining, users, out, write, Progress.of(False), **how)
    assert not joining.prompts.has_model
    assert pl.read_parquet(out)["user_id"].n_unique() == 3
    assert joining.recommend(user=users[0], k=1, reasons=False)  # the first question loads it
    assert joining.prompts.has_model
