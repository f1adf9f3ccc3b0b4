"""What rewards share: usable keywords, words that the title has not, shared words, and totals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmsrarec.data.dataset import Item
from mmsrarec.summarize.answer_reading import read_image, read_text
from mmsrarec.summarize.keyword_parsing import grounded, parse
from mmsrarec.summarize.language.lexicon import ENGLISH, Lexicon
from mmsrarec.summarize.tuning.reward_parts import SharedWords, answer_profile, new_to, total, usable

LIMITS = {"text": 6, "picture": 4}
VOCABULARY = ["otter", "mug", "mugs", "steel", "tea", "river", "boxes", "box", "sci-fi"]
keywords = st.lists(st.sampled_from([*VOCABULARY, "steel mug", "the river", "<b>"]), max_size=7)
texts = st.lists(st.sampled_from([*VOCABULARY, "the", "of"]), max_size=8).map(" ".join)
answers = st.lists(
    st.tuples(keywords.map(", ".join), st.sampled_from(["text", "picture"]), texts, texts), min_size=1, max_size=6
)


def profile(rows: list[tuple[str, str, str, str]]) -> dict[str, float]:
    return answer_profile(*(list(column) for column in zip(*rows, strict=True)), limits=LIMITS)


@given(keywords, texts, st.integers(1, 6))
def test_usable_keywords_are_those_that_the_text_supports_and_of_a_picture_all(
    said: list[str], text: str, limit: int
) -> None:
    answer = ", ".join(said)
    of_picture, of_text = (usable(answer, kind, text, limit) for kind in ("picture", "text"))
    assert of_picture == parse(answer, limit)
    assert [word in of_text for word in of_picture] == [grounded(word, text) for word in of_picture]
    assert set(of_text) <= set(of_picture)


@given(keywords, texts)
def test_rewards_judge_the_keywords_that_later_stages_get(said: list[str], text: str) -> None:
    answer, item = ", ".join(said), Item("1", text=text)
    kept, source = read_text(answer, item, LIMITS["text"], min_keywords=1)
    if source == "model":
        assert usable(answer, "text", text, LIMITS["text"]) == kept
    assert usable(answer, "picture", text, LIMITS["picture"]) == read_image(answer, LIMITS["picture"])[0]


@given(keywords, texts, texts)
def test_a_longer_title_leaves_fewer_keywords_new(said: list[str], title: str, more: str) -> None:
    chosen = parse(", ".join(said))
    short, long = new_to(title, chosen), new_to(f"{title} {more}", chosen)
    assert set(long) <= set(short) <= set(chosen)
    assert new_to("", chosen) == chosen
    assert new_to(" ".join(chosen), chosen) == ()
    assert list(short) == [word for word in chosen if word in short]  # in their order


def test_a_keyword_is_new_by_one_word_that_the_title_has_in_no_form() -> None:
    assert new_to("Otter Mugs", ["mug", "otters", "steel mug", "steel"]) == ("steel mug", "steel")
    german = Lexicon(("de",))
    assert new_to("Haus", ["häuser", "schal"], german) == ("schal",)
    assert new_to("Haus", ["häuser", "schal"], ENGLISH) == ("häuser", "schal")


@given(st.lists(texts, max_size=6), st.sampled_from(VOCABULARY), st.integers(1, 4))
def test_a_word_is_shared_where_enough_texts_hold_it_however_often_each_does(
    held: list[str], word: str, needed: int
) -> None:
    shared = SharedWords.among(held, needed)
    count = sum(ENGLISH.forms(word) <= ENGLISH.forms(text) for text in held)
    assert shared(word) == (count >= needed)
    assert SharedWords.among([f"{text} {text}" for text in held], needed)(word) == shared(word)


@given(st.lists(texts, max_size=6), st.sampled_from(VOCABULARY), st.sampled_from(VOCABULARY), st.integers(1, 4))
def test_a_keyword_is_shared_where_all_its_words_are_and_less_easily_the_more_must_hold_it(
    held: list[str], one: str, other: str, needed: int
) -> None:
    shared = SharedWords.among(held, needed)
    assert shared(f"{one} {other}") == (shared(one) and shared(other))
    if SharedWords.among(held, needed + 1)(one):
        assert shared(one)


def test_a_word_that_most_items_hold_is_not_shared_unless_another_stands_beside_it() -> None:
    shop = Lexicon(("en",), frozenset({"mug"}))
    shared = SharedWords.among(["steel mug", "steel mug", "tea mug"], 2, shop)
    assert [shared(word) for word in ("mug", "mugs", "steel", "steel mug", "tea")] == [False, False, True, True, False]


@given(answers)
def test_the_profile_of_answers_is_that_of_its_parts_by_their_number(rows: list[tuple[str, str, str, str]]) -> None:
    whole, single = profile(rows), [profile([row]) for row in rows]
    for share in ("keywords", "malformed", "empty", "repeated"):
        assert whole[share] == pytest.approx(sum(part[share] for part in single) / len(rows))
    told = sum(part["keywords"] for part in single)
    copied = sum(part["copied"] * part["keywords"] for part in single)
    assert whole["copied"] == pytest.approx(copied / told if told else 0.0)
    assert profile(rows * 2) == pytest.approx(whole)


@given(answers)
def test_shares_are_shares_and_an_answer_without_words_is_malformed_too(rows: list[tuple[str, str, str, str]]) -> None:
    found = profile(rows)
    assert all(0 <= found[share] <= 1 for share in ("malformed", "empty", "repeated", "copied"))
    assert found["empty"] <= found["malformed"]
    assert (found["keywords"] == 0) == (found["malformed"] == 1)


def test_the_profile_tells_faults_apart() -> None:
    assert profile([("mug, mugs", "picture", "", "")])["repeated"] == 1
    assert profile([("mug, steel", "picture", "", "")])["repeated"] == 0
    assert profile([("copper", "text", "", "steel")]) == {
        "keywords": 0, "malformed": 1, "empty": 0, "repeated": 0, "copied": 0,
    }  # fmt: skip
    assert profile([("mug, steel", "text", "Mug", "Mug. Steel")])["copied"] == 1 / 2
    nobody = answer_profile([], [], [], [], limits=LIMITS)
    assert set(nobody.values()) == {0}


rewards = st.integers(1, 5).flatmap(
    lambda n: st.dictionaries(
        st.sampled_from(["information", "reconstruction", "length", "image"]),
        st.lists(st.none() | st.integers(-8, 8).map(lambda n: n / 4), min_size=n, max_size=n),
        min_size=1,
    )
)


@given(rewards, st.integers(1, 4))
def test_the_total_is_the_weighted_sum_of_what_applies(given_rewards: dict, factor: int) -> None:
    weights = {name: 2.0**place for place, name in enumerate(given_rewards)}
    found = total(given_rewards, weights)
    for row, value in enumerate(found):
        parts = [weights[name] * values[row] for name, values in given_rewards.items() if values[row] is not None]
        assert value == sum(parts)
    larger = total(given_rewards, {name: factor * weight for name, weight in weights.items()})
    assert larger == [factor * value for value in found]


def test_rewards_of_different_numbers_of_answers_have_no_total() -> None:
    with pytest.raises(ValueError, match="shorter"):
        total({"information": [1.0, 2.0], "length": [1.0]}, {"information": 1.0, "length": 1.0})
