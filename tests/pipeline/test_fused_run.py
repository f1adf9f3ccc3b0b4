"""A run with fusion: its rows, what is kept, and the recommender that ranks by it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from finished import copy_run, go

from mmsrarec.core.artefacts import verify
from mmsrarec.recommend.prompt.preferences import NO_PREFERENCES, carries
from mmsrarec.recommend.ranking.fusion import Fusion
from mmsrarec.runs.recommender import Recommender

SET = (
    "evaluate.fusion_users=20",
    "evaluate.combine_generators=true",
    'evaluate.splits=["leave-one-out"]',
)
ROWS = 'evaluate.rows=["sequential-rules", "sasrec", "mmsrarec"]'


@pytest.fixture(scope="module")
def fused(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copy_run(finished, tmp_path_factory.mktemp("fused"))
    go(folder, *SET, ROWS, stages=("recommend", "evaluate"))
    return folder / "run"


def test_figures_stand_with_and_without_fusion(fused: Path) -> None:
    report = json.loads((fused / "evaluate" / "report.json").read_text())
    learned = Fusion.load(fused / "evaluate" / "fusion" / "leave-one-out" / "full")
    chosen, joined = "+".join(learned.proposing_generators), "+".join(learned.generators)
    assert set(learned.generators) == {*learned.proposing_generators, "sasrec"}
    fused_label = f"re-ranks {chosen}, ensemble" if joined == chosen else f"re-ranks {chosen}, ensemble with {joined}"
    named = [(row["protocol"], row["variant"]) for row in report["rows"] if row["model"] == "mmsrarec"]
    assert named == [
        ("published", "whole"),
        ("published", f"ensemble with {joined}"),
        ("full", f"re-ranks {chosen}"),
        ("full", fused_label),
    ]
    assert chosen in {row["model"] for row in report["rows"] if row["protocol"] == "full"}
    rows = {(row["protocol"], row["variant"]): row for row in report["rows"] if row["model"] == "mmsrarec"}
    with_, without = rows["published", f"ensemble with {joined}"], rows["published", "whole"]
    assert with_["slices"].keys() == without["slices"].keys() >= {"target unseen in training"}
    asked = Fusion.load(fused / "evaluate" / "fusion" / "leave-one-out" / "published").uses_lm
    assert with_["cost"]["tokens_per_user"] == pytest.approx(asked * without["cost"]["tokens_per_user"])
    assert with_["cost"]["calls_per_user"] == asked
    assert without["cost"]["calls_per_user"] == 1
    if asked:  # what was remembered counts too
        assert with_["cost"]["ms_per_user"] > 0.5 * without["cost"]["ms_per_user"]
    alone = [
        row["protocol"]
        for row in report["rows"]
        if (row["model"], row["variant"]) == (joined, "ensemble, no language model")
    ]
    assert alone == (["published", "full"] if "+" in joined else [])  # what the language model adds is above it
    pairs = [(pair["a"], pair["b"]) for pair in report["pairs"]]
    assert (f"mmsrarec, ensemble with {joined}", "mmsrarec") in pairs  # what fusion adds
    assert (f"mmsrarec, ensemble with {joined}", "sasrec") in pairs
    assert (f"mmsrarec, {fused_label}", "sequential-rules") in pairs


def test_what_was_learned_is_an_artefact(fused: Path) -> None:
    for kind in ("published", "full"):
        folder = fused / "evaluate" / "fusion" / "leave-one-out" / kind
        verify(folder)
        learned = Fusion.load(folder)
        assert len(learned.with_lm.weights) == 1 + len(learned.generators)
        assert len(learned.without_lm.weights) == len(learned.generators)
        assert learned.quality.keys() == {"language model", *learned.generators, "fused", "generators fused"}
        assert 0 < learned.queries <= 20


def answers(run: Path, improves: bool, monkeypatch: pytest.MonkeyPatch) -> tuple[Recommender, list]:
    monkeypatch.setattr(Fusion, "improves", property(lambda self: improves))
    recommender = Recommender.load(run)
    return recommender, recommender.recommend(user=recommender.dataset.user_ids[5], k=4)


def test_answers_are_ranked_by_the_fusion_that_helped(fused: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recommender, found = answers(fused, True, monkeypatch)
    assert recommender.fusion is not None
    scores = [answer.score for answer in found]
    assert scores == sorted(scores, reverse=True)
    chances = [answer.probability for answer in found]
    assert all(chance is not None and 0 < chance < 1 for chance in chances)
    assert chances == sorted(chances, reverse=True)
    rankers = {word for one in found for reason in one.reasons if reason.kind == "ranker" for word in reason.words}
    assert rankers == set(recommender.fusion.generators)
    assert not any("sasrec" in text or "place " in text for answer in found for text in answer.because)
    ids = [answer.item_id for answer in found]
    asked = recommender.score(ids, user=recommender.dataset.user_ids[5])
    np.testing.assert_allclose([asked[item] for item in ids], scores, atol=1e-4)


@pytest.mark.parametrize("improves", [True, False])
def test_the_answer_is_the_same_whatever_is_shown_of_it(
    fused: Path, improves: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scores and order, with reasons or without, listed or asked for by name, many or one."""
    monkeypatch.setattr(Fusion, "improves", property(lambda self: improves))
    recommender = Recommender.load(fused)
    recommender.prompts.mllm.model.to(torch.bfloat16)
    for question in ({"user": recommender.dataset.user_ids[5]}, {"history": ["003", "017"]}, {"history": []}):
        told, untold = (recommender.recommend(**question, k=6, reasons=reasons) for reasons in (True, False))
        assert any(one.because for one in told)
        assert [(one.item_id, one.score) for one in told] == [(one.item_id, one.score) for one in untold]
        ids = [one.item_id for one in told]
        named = recommender.score(ids, **question)
        alone = {item: recommender.score([item], **question)[item] for item in ids}
        for one in told:
            for asked in (named, alone):
                assert asked[one.item_id] == pytest.approx(one.score, abs=0.02)
        item = ids[0]
        query, _ = recommender.questions.query(question.get("user"), question.get("history"))
        codes = recommender.questions.codes([item])[None]
        contexts = recommender.answering.contexts(query, codes, NO_PREFERENCES)
        (p,) = recommender.scorer.score_contexts(contexts)[0].tolist()
        assert recommender.explain(item, **question).probability == p


@pytest.mark.parametrize("improves", [True, False])
def test_somebody_who_had_everything_is_recommended_nothing(
    fused: Path, improves: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Fusion, "improves", property(lambda self: improves))
    recommender = Recommender.load(fused)
    everything = [item.item_id for item in recommender.dataset.items]
    for reasons in (True, False):
        assert recommender.recommend(history=everything, reasons=reasons) == []
    assert recommender.recommend(history=everything, more=["clay"]) == []
    assert len(recommender.recommend(history=everything[1:], k=3)) == 1
    for question in ({"history": everything}, {"history": []}, {"user": recommender.dataset.user_ids[5]}):
        assert recommender.score([], **question) == {}


@pytest.mark.parametrize("uses_lm", [True, False])
def test_the_language_model_is_asked_where_it_counts(
    fused: Path, monkeypatch: pytest.MonkeyPatch, uses_lm: bool
) -> None:
    recommender, _ = answers(fused, True, monkeypatch)
    assert recommender.fusion is not None
    logit = recommender.fusion.without_lm.behind_nothing()
    if uses_lm:
        logit = replace(logit, weights=(0.5, *logit.weights[1:]))
    monkeypatch.setattr(recommender, "fusion", replace(recommender.fusion, with_lm=logit))
    asked: list[int] = []
    real = recommender.scorer.score_contexts
    monkeypatch.setattr(recommender.scorer, "score_contexts", lambda context: asked.append(1) or real(context))
    user = recommender.dataset.user_ids[5]
    found = recommender.recommend(user=user, k=4, reasons=False)
    assert bool(asked) == uses_lm
    ids = [answer.item_id for answer in found]
    assert [
        answer.item_id for answer in recommender.recommend(user=user, k=4)
    ] == ids  # reasons are measured all the same
    asked.clear()
    assert len(recommender.recommend(history=[], k=2)) == 2
    assert asked  # of somebody without a history candidate generators know nothing


@pytest.mark.parametrize("uses_lm", [True, False])
def test_the_language_model_is_loaded_with_the_run_only_where_it_ranks(
    fused: Path, monkeypatch: pytest.MonkeyPatch, uses_lm: bool
) -> None:
    monkeypatch.setattr(Fusion, "uses_lm", property(lambda self: uses_lm))
    monkeypatch.setattr(Fusion, "improves", property(lambda self: True))
    recommender = Recommender.load(fused)
    assert recommender.answering.asks_model == recommender.prompts.has_model == uses_lm
    if not uses_lm:
        assert len(recommender.recommend(user=recommender.dataset.user_ids[5], k=2)) == 2
        assert not recommender.prompts.has_model
        assert recommender.explain(item="001", user=recommender.dataset.user_ids[5]).reasons
        assert recommender.prompts.has_model


def test_a_wish_counts_where_the_language_model_has_no_weight(fused: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recommender, found = answers(fused, True, monkeypatch)
    assert recommender.fusion is not None
    whole = recommender.fusion.with_lm
    alone = np.array(whole.covariance)
    alone[0] = alone[:, 0] = 0  # nor a say in what candidate generators are expected to say of new items
    silent = replace(whole, weights=(0.0, *whole.weights[1:]), covariance=tuple(map(tuple, alone)))
    monkeypatch.setattr(recommender, "fusion", replace(recommender.fusion, with_lm=silent))
    user, free = recommender.dataset.user_ids[5], [answer.item_id for answer in found]
    shown = [recommender.prompts.shown_keywords(recommender.dataset.item_code[item]) for item in free]
    word = shown[-1][0]
    before, after = recommender.score(free, user=user), recommender.score(free, user=user, more=[word])
    gained = [after[item] - before[item] for item in free]
    np.testing.assert_allclose(gained, [2.0 * carries(words, [word]) for words in shown], atol=1e-3)
    for answer in recommender.recommend(user=user, k=4, more=[word]):
        meets = carries(recommender.prompts.shown_keywords(recommender.dataset.item_code[answer.item_id]), [word])
        assert (answer.because[0] == f"you asked for more {word}") == meets


def test_a_run_that_learned_no_wishes_keeps_them_from_the_model(fused: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recommender, found = answers(fused, False, monkeypatch)
    monkeypatch.setitem(vars(recommender), "_knows_preferences", False)
    user, item = recommender.dataset.user_ids[5], found[0].item_id
    word = recommender.prompts.shown_keywords(recommender.dataset.item_code[item])[0]
    before, after = (recommender.score([item], user=user, more=more)[item] for more in ([], [word]))
    assert after - before == pytest.approx(2.0, abs=1e-3)


def test_a_fusion_that_did_not_help_or_is_of_another_adapter_is_left_alone(
    fused: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recommender, found = answers(fused, False, monkeypatch)
    assert recommender.fusion is None
    proposing_generators = Fusion.load(fused / "evaluate" / "fusion" / "leave-one-out" / "full").proposing_generators
    assert recommender.generator.name == "+".join(proposing_generators)  # who proposes was chosen all the same
    assert not any(reason.kind == "ranker" for answer in found for reason in answer.reasons)
    manifest = fused / "recommend" / "leave-one-out" / "whole" / "manifest.json"
    kept = manifest.read_text()
    try:
        manifest.write_text(json.dumps(json.loads(kept) | {"key": "another"}))
        assert answers(fused, True, monkeypatch)[0].fusion is None
    finally:
        manifest.write_text(kept)


def test_probabilities_of_all_that_is_considered_sum_to_one(fused: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recommender, _ = answers(fused, True, monkeypatch)
    user = recommender.dataset.user_ids[5]
    considered = recommender.recommend(user=user, k=recommender.run_folder.recipe.evaluate.n_candidates, reasons=False)
    assert sum(answer.probability for answer in considered) == pytest.approx(1)
    ratio = np.log(considered[0].probability) - np.log(considered[1].probability)
    assert ratio == pytest.approx(considered[0].score - considered[1].score)
    for how in ({"history": []}, {"user": user, "more": ["clay"]}):  # nothing is calibrated there
        assert all(answer.probability is None for answer in recommender.recommend(**how, k=2, reasons=False))


def test_where_the_language_model_has_no_weight_reasons_are_those_of_who_decided(
    fused: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recommender, _ = answers(fused, True, monkeypatch)
    silent = recommender.fusion.without_lm.behind_nothing()
    monkeypatch.setattr(recommender, "fusion", replace(recommender.fusion, with_lm=silent))
    monkeypatch.setattr("mmsrarec.runs.answers.reasons.explain_all", None)  # the language model is not asked
    history = ["003", "017", "021"]
    found = recommender.recommend(history=history, k=4)
    assert {reason.kind for answer in found for reason in answer.reasons} == {"history", "ranker"}
    for answer in found:
        weights = {reason.items[0]: reason.weight for reason in answer.reasons if reason.kind == "history"}
        assert set(weights) == set(history)
    assert any(text.startswith("you showed interest in ") for answer in found for text in answer.because)
