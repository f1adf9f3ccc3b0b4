"""A finished run answers: for users, for histories, for somebody new, from Python and from the command line."""

import json
from pathlib import Path

import numpy as np
import pytest

from mmsrarec.cli import commands
from mmsrarec.errors import MmsrarecError, UnknownIdError
from mmsrarec.recommend.prompt.preferences import carries
from mmsrarec.runs.answers.recommendations import TABLE
from mmsrarec.runs.recommender import Recommender


@pytest.fixture(scope="module")
def recommender(finished: Path) -> Recommender:
    return Recommender.load(finished / "run")


def had(recommender: Recommender, user: str) -> list[str]:
    dataset = recommender.dataset
    return [dataset.items[code].item_id for code in dataset.interactions.items_of(dataset.user_code[user])]


def test_a_user_gets_the_best_of_what_it_has_not(recommender: Recommender) -> None:
    user = recommender.dataset.user_ids[5]
    answers = recommender.recommend(user=user, k=4)
    assert len({answer.item_id for answer in answers}) == 4
    assert not {answer.item_id for answer in answers} & set(had(recommender, user))
    scores = [answer.score for answer in answers]
    assert scores == sorted(scores, reverse=True)
    assert all(np.isfinite(scores))
    assert all(answer.probability is None for answer in answers)  # nothing is fused, so nothing is calibrated
    assert all(answer.title and answer.keywords for answer in answers)
    assert all(len(answer.because) <= 3 for answer in answers)


def test_scores_of_named_items_are_those_of_the_recommendation(recommender: Recommender) -> None:
    user = recommender.dataset.user_ids[2]
    answers = recommender.recommend(user=user, k=3)
    scores = recommender.score([answer.item_id for answer in reversed(answers)], user=user)
    assert list(scores) == [answer.item_id for answer in reversed(answers)]
    assert scores == pytest.approx({answer.item_id: answer.score for answer in answers}, abs=1e-4)


def test_it_is_the_tuned_model_that_answers(recommender: Recommender) -> None:
    run_folder, user = recommender.run_folder, recommender.dataset.user_ids[2]
    untuned = Recommender(run_folder, "leave-one-out", run_folder.prompts("whole"))
    ids = [item.item_id for item in recommender.dataset.items]
    tuned, plain = (np.array(list(one.score(ids, user=user).values())) for one in (recommender, untuned))
    assert np.abs(tuned - plain).max() > 1e-4


def test_a_history_is_answered_without_a_user(recommender: Recommender) -> None:
    taken = had(recommender, recommender.dataset.user_ids[1])
    answers = recommender.recommend(history=taken, k=2)
    assert len(answers) == 2
    assert not {answer.item_id for answer in answers} & set(taken)
    one_way, other = (recommender.score(["001"], history=h)["001"] for h in (taken[:2], taken[1::-1]))
    assert one_way != other  # the order of a history is part of it


def test_somebody_new_is_proposed_what_is_popular(recommender: Recommender) -> None:
    answers = recommender.recommend(history=[], k=6)
    counts = recommender.retrieval.train.counts
    codes = [recommender.dataset.item_code[answer.item_id] for answer in answers]
    assert len(codes) == 6
    assert counts[codes].min() >= sorted(counts)[-7]  # the candidate generator hands six on
    assert any(answer.because for answer in answers)
    said = [text for answer in answers for text in (*answer.because, *(reason.text for reason in answer.reasons))]
    assert not [text for text in said if "your" in text or "interested" in text]  # nothing is known of a taste


def test_all_that_is_left_is_recommended(recommender: Recommender) -> None:
    user = recommender.dataset.user_ids[0]
    left = len(recommender.dataset.items) - len(set(had(recommender, user)))
    assert len(recommender.recommend(user=user, k=1000)) == left


def test_an_explanation_weighs_what_was_shown(recommender: Recommender) -> None:
    user = recommender.dataset.user_ids[3]
    (best,) = recommender.recommend(user=user, k=1)
    told = recommender.explain(best.item_id, user=user)
    assert (told.item_id, told.title) == (best.item_id, best.title)
    assert told.score == pytest.approx(best.score, abs=1e-4)
    assert [reason.weight for reason in told.reasons] == sorted((r.weight for r in told.reasons), reverse=True)
    assert {reason.item_id for reason in told.reasons if reason.kind == "history"} == set(had(recommender, user)[-2:])
    assert [reason.kind for reason in best.reasons] == [reason.kind for reason in told.reasons]
    weights = [reason.weight for reason in told.reasons]
    assert [reason.weight for reason in best.reasons] == pytest.approx(weights, abs=1e-3)
    heaviest = [reason.text for reason in best.reasons if reason.weight > 0 and reason.text][:3]
    assert list(best.because) == heaviest


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"user": "nobody"}, 'no user "nobody" in data: give a history'),
        ({"history": ["x9", "y9"]}, "no such items in data: x9, y9"),
        ({}, "one of the two"),
        ({"user": "s01", "history": []}, "one of the two"),
    ],
)
def test_wrong_questions_are_answered_in_one_line(recommender: Recommender, arguments: dict, message: str) -> None:
    for ask in (
        lambda: recommender.recommend(**arguments),
        lambda: recommender.score(["001"], **arguments),
        lambda: recommender.explain("001", **arguments),
    ):
        with pytest.raises(MmsrarecError, match=message):
            ask()


def test_unknown_items_are_named(recommender: Recommender) -> None:
    with pytest.raises(MmsrarecError, match="no such items in data: x1, x2"):
        recommender.score(["001", "x1", "x2"], history=[])
    with pytest.raises(MmsrarecError, match="no such items in data: x1"):
        recommender.explain("x1", history=[])


def test_what_is_no_run_is_said(tmp_path: Path, finished: Path) -> None:
    with pytest.raises(MmsrarecError, match="is not a run: make one with mmsrarec run"):
        Recommender.load(tmp_path)
    (tmp_path / "recipe.toml").write_bytes((finished / "run" / "recipe.toml").read_bytes())
    with pytest.raises(MmsrarecError, match="has no finished artefact to answer by yet: go on with mmsrarec run"):
        Recommender.load(tmp_path)
    (tmp_path / "recipe.toml").write_text('name = "a"\ndata = "b"\n[retrieve]\nof_another_version = 1\n')
    with pytest.raises(
        MmsrarecError, match=r"unknown key retrieve\.of_another_version.*make the run anew with mmsrarec run"
    ):
        Recommender.load(tmp_path)


def test_the_command_line_says_the_same(
    finished: Path, recommender: Recommender, capsys: pytest.CaptureFixture[str]
) -> None:
    run, user = str(finished / "run"), recommender.dataset.user_ids[4]
    assert commands.call(["recommend", run, "--user", user, "--k", "2", "--json"]) == 0
    out = capsys.readouterr().out
    answer = json.loads(out)
    assert out.count("\n") == 1
    assert answer.keys() == {"user", "recommendations", "left_out", "notes"}
    expected = recommender.recommend(user=user, k=2)
    assert [found["item_id"] for found in answer["recommendations"]] == [one.item_id for one in expected]
    scores = [found["score"] for found in answer["recommendations"]]
    assert scores == pytest.approx([one.score for one in expected], abs=1e-4)
    assert answer["recommendations"][0].keys() == {
        *("item_id", "title", "score", "probability", "keywords", "because", "reasons")
    }
    item = answer["recommendations"][0]["item_id"]
    assert commands.call(["explain", run, "--history", "001,002", "--item", item, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told.keys() == {"item_id", "title", "score", "probability", "reasons"}
    assert {reason["kind"] for reason in told["reasons"]} >= {"history", "popularity"}
    assert commands.call(["recommend", run, "--history", "", "--k", "1"]) == 0
    assert capsys.readouterr().out
    assert commands.call(["recommend", run, "--user", "nobody"]) == 2
    assert "no user" in capsys.readouterr().err


def test_no_reason_names_what_fewer_than_five_people_did(recommender: Recommender) -> None:
    """By the prompt context behind each answer; what is named is compared with what the model was shown."""
    dataset, named, hushed = recommender.dataset, 0, 0
    for user in dataset.user_ids[:8]:
        history = had(recommender, user)
        item = next(item.item_id for item in dataset.items if item.item_id not in history)
        query, codes = recommender.questions.query(user, None)[0], recommender.questions.codes([item])
        (context,) = recommender.retrieval.gather(query, codes[None], recommender.prompts.settings)
        reasons = recommender.explain(item, user=user).reasons
        told = {reason.item_id for reason in reasons if reason.kind == "similar"}
        people = dict(zip(context.similar, context.similar_people, strict=True))
        assert told == {dataset.items[code].item_id for code, count in people.items() if count >= 5}
        named, hushed = named + len(told), hushed + len(people) - len(told)
        neighbour_votes = [reason for reason in reasons if reason.kind == "neighbour_votes"]
        assert bool(neighbour_votes) == (context.neighbour_votes[0] == 0 or context.vote_people[0] >= 5)
    assert hushed > 0


def test_without_reasons_the_same_is_recommended(
    recommender: Recommender, monkeypatch: pytest.MonkeyPatch, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    user = recommender.dataset.user_ids[4]
    told = recommender.recommend(user=user, k=3)
    assert any(one.because for one in told)
    monkeypatch.setattr("mmsrarec.runs.answers.reasons.explain_all", None)
    bare = recommender.recommend(user=user, k=3, reasons=False)
    assert [one.item_id for one in bare] == [one.item_id for one in told]
    assert [one.score for one in bare] == pytest.approx([one.score for one in told], abs=1e-4)
    assert not any(one.because for one in bare)
    assert (
        commands.call(["recommend", str(finished / "run"), "--user", user, "--k", "1", "--no-reasons", "--json"]) == 0
    )
    assert json.loads(capsys.readouterr().out)["recommendations"][0]["item_id"] == told[0].item_id


@pytest.mark.parametrize(("kind", "gain"), [("more", 2.0), ("less", -2.0)])
def test_a_word_that_is_wished_for_or_not_counts_by_rule_too(
    recommender: Recommender, monkeypatch: pytest.MonkeyPatch, kind: str, gain: float
) -> None:
    user, dataset = recommender.dataset.user_ids[5], recommender.dataset
    free = [item.item_id for item in dataset.items if item.item_id not in had(recommender, user)]
    shown = {item: recommender.prompts.shown_keywords(dataset.item_code[item]) for item in free}
    word = next(word for words in shown.values() for word in words)
    asked = recommender.score(free, user=user, **{kind: [word]})
    monkeypatch.setattr("mmsrarec.recommend.prompt.preferences.PREFERENCE_LOG_ODDS", 0.0)
    by_model = recommender.score(free, user=user, **{kind: [word]})
    for item in free:
        gained = asked[item] - by_model[item]
        assert gained == pytest.approx(gain * carries(shown[item], [word]), abs=1e-3)
    assert {carries(words, [word]) for words in shown.values()} == {True, False}


def test_many_users_are_answered_by_a_table(recommender: Recommender) -> None:
    users, lines = [recommender.dataset.user_ids[place] for place in (3, 1, 3)], []
    found = recommender.recommend(users=users, k=2, progress=lines.append)
    assert found.schema == TABLE
    assert found["user_id"].to_list() == [user for user in users for _ in range(2)]
    assert found["rank"].to_list() == [1, 2] * 3
    one = recommender.recommend(user=users[1], k=2)
    rows = one.to_frame(users[1])
    assert found[2:4].drop("score").equals(rows.drop("score"))
    assert found[2:4]["score"].to_list() == pytest.approx(rows["score"].to_list(), abs=1e-4)
    assert rows["because"].to_list() == [list(answer.because) for answer in one]
    assert "3/3" in lines[-1]
    histories = {"new": [], "old": had(recommender, users[0])[:2]}
    by_history = recommender.recommend(histories=histories, k=1, reasons=False)
    assert by_history["user_id"].to_list() == ["new", "old"]
    assert recommender.recommend(users=[]).schema == TABLE


@pytest.mark.parametrize(
    ("question", "error", "message"),
    [
        ({"users": ["u"], "user": "u"}, MmsrarecError, "for a table"),
        ({"users": ["u"], "history": ["001"]}, MmsrarecError, "for a table"),
        ({"users": ["u"], "history": []}, MmsrarecError, "for a table"),
        ({"histories": {"u": []}, "user": "u"}, MmsrarecError, "for a table"),
        ({"users": ["u"], "histories": {}}, MmsrarecError, "one of the two"),
        ({"users": ["nobody"]}, UnknownIdError, 'no user "nobody"'),
        ({"histories": "001"}, MmsrarecError, "histories: give a mapping"),
    ],
)
def test_a_wrong_question_about_many_is_refused(
    recommender: Recommender, question: dict, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        recommender.recommend(**question)


def test_what_is_excluded_or_not_in_stock_is_not_recommended(recommender: Recommender) -> None:
    user = recommender.dataset.user_ids[5]
    first, *rest = [answer.item_id for answer in recommender.recommend(user=user, k=6, reasons=False)]
    without = recommender.recommend(user=user, k=6, exclude=[first], reasons=False)
    assert first not in {answer.item_id for answer in without}
    only = recommender.recommend(user=user, k=10, among=[*rest[:2], "nothing"], reasons=False)
    assert {answer.item_id for answer in only} == set(rest[:2])
    assert "among: the run does not know 1 of these items (nothing)" in only.notes
    assert recommender.recommend(user=user, among=[], reasons=False) == []


def test_scores_of_many_keep_order_and_repeats(recommender: Recommender) -> None:
    users, items = [recommender.dataset.user_ids[place] for place in (4, 2)], ["003", "001", "003"]
    found = recommender.score(items, users=users)
    assert found["user_id"].to_list() == [users[0]] * 3 + [users[1]] * 3
    assert found["item_id"].to_list() == items * 2
    scores = found["score"].to_list()
    assert scores[0] == scores[2]
    assert scores[3:5] == pytest.approx([recommender.score(items, user=users[1])[item] for item in items[:2]], abs=1e-4)


def test_similar_items_are_those_of_the_nearest_vectors(recommender: Recommender) -> None:
    assert recommender.similar_by == "content-sasrec"
    encoder = recommender.run_folder.encoder("leave-one-out", "content-sasrec")
    vectors = encoder.model.items.weight[: encoder.n_items].detach().numpy()
    code = recommender.dataset.item_code["007"]
    cosines = vectors @ vectors[code] / np.linalg.norm(vectors, axis=1) / np.linalg.norm(vectors[code])
    cosines[code] = -2
    found = recommender.similar_items(["007", "001"], k=3)
    assert found["item_id"].to_list() == ["007"] * 3 + ["001"] * 3
    expected = [recommender.dataset.items[place].item_id for place in np.argsort(-cosines)[:3]]
    assert found["similar_item_id"].to_list()[:3] == expected
    assert found["score"].to_list()[:3] == pytest.approx(sorted(cosines, reverse=True)[:3], abs=1e-5)
    with pytest.raises(UnknownIdError, match="no such items in data: x9"):
        recommender.similar_items(["x9"])


def test_reasons_are_sentences_and_structured(recommender: Recommender) -> None:
    answers = recommender.recommend(user=recommender.dataset.user_ids[5], k=5)
    kinds = {reason.kind for answer in answers for reason in answer.reasons}
    assert {"history", "popularity"} <= kinds
    for answer in answers:
        for reason in answer.reasons:
            if reason.kind == "history":
                title = recommender.dataset.items[recommender.dataset.item_code[reason.items[0]]].title
                assert reason.text == f"you showed interest in {title}"
            if reason.kind == "keywords":
                assert set(reason.words) <= set(answer.keywords)
        texts = {reason.text for reason in answer.reasons if reason.weight > 0}
        assert set(answer.because) <= texts
