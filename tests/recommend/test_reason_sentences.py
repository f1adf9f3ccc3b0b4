"""Reasons are said in words that a shopper understands, in the languages that we have words in."""

import string
from dataclasses import replace

import pytest

from mmsrarec.recommend.explain import Reason
from mmsrarec.recommend.prompt.prompts import FACTS
from mmsrarec.recommend.reason_phrases import ENGLISH, PHRASES
from mmsrarec.recommend.reason_sentences import OF_A_PAST, RANKER_PHRASES, ShownReason, can_be_said, heaviest, sentence
from mmsrarec.summarize.language.lexicon import known_languages


@pytest.mark.parametrize("language", PHRASES)
def test_every_language_has_every_phrase_with_the_same_holes(language: str) -> None:
    phrases = PHRASES[language]
    assert phrases.keys() == ENGLISH.keys()
    assert language in known_languages()
    for key, phrase in phrases.items():
        holes = [name for _, name, _, _ in string.Formatter().parse(phrase) if name is not None]
        assert holes == [name for _, name, _, _ in string.Formatter().parse(ENGLISH[key]) if name is not None]


@pytest.mark.parametrize("language", [name for name in PHRASES if name != "en"])
def test_no_phrase_is_left_in_english(language: str) -> None:
    assert not {phrase for key, phrase in PHRASES[language].items() if key != "comma"} & set(ENGLISH.values())


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (Reason("similar", "", 1, "7"), "people with your taste next chose Orchid box"),
        (Reason("keywords", "", 1, words=("clay", "heart")), "it is described as clay; its picture shows heart"),
        (Reason("picture", "", 1), "of how it looks"),
        (Reason("more", "", 1, words=("clay", "red")), "you asked for more clay, red"),
        (Reason("popularity", "", 1, level=7), "many people chose it"),
        (Reason("popularity", "", 1, level=2), "some people chose it"),
        (Reason("popularity", "", 1, level=0), "it is new"),
        (Reason("neighbour_votes", "", 1, level=5), "many people with your taste chose it next"),
        (Reason("neighbour_votes", "", 1, level=0), ""),
        (Reason("follows", "", 1, level=1), ""),
        (Reason("recency", "", 1, level=7), "others chose it recently"),
        (Reason("trend", "", 1, level=1), ""),
        (Reason("ranker", "", 1, words=("als",)), "people with a history like yours chose it"),
        (Reason("ranker", "", 1, words=("recent-popularity",)), "others chose it recently"),
        (Reason("ranker", "", 1, words=("sasrec",)), "it often comes next after a history like yours"),
        (Reason("soft", "", 1), "it often comes next after a history like yours"),
        (Reason("soft_history", "", 1, "7"), "people who chose Orchid box often choose it"),
        (Reason("soft_history", "", 1), ""),
        (Reason("a kind of tomorrow", "", 1), ""),
    ],
)
def test_each_kind_has_its_sentence(reason: Reason, expected: str) -> None:
    assert sentence(reason, "Orchid box" if reason.item_id else "", ("heart",)) == expected
    assert can_be_said(reason.kind, reason.level) or not expected  # what cannot be said is not measured for a table


def test_levels_that_say_nothing_for_an_item_cannot_be_said() -> None:
    assert [can_be_said("follows", level) for level in range(2)] == [False, False]
    assert not can_be_said("less", None)


@pytest.mark.parametrize("language", PHRASES)
def test_of_somebody_without_a_history_no_past_and_no_taste_are_spoken_of(language: str) -> None:
    """Whatever was measured, at whatever level; what many chose, or what was asked for, may be said."""
    of_a_past = {PHRASES[language][key].replace("{}", "Orchid box") for key in OF_A_PAST}
    kinds = ["history", "similar", "similar_keywords", "soft", "soft_history", *FACTS]
    reasons = [Reason(kind, "", 1, "7", level=level) for kind in kinds for level in (None, *range(8))]
    reasons += [Reason("ranker", "", 1, words=(name,)) for name in (*RANKER_PHRASES, "als")]
    known = {sentence(reason, "Orchid box", language=language) for reason in reasons}
    unknown = {sentence(replace(reason, known=False), "Orchid box", language=language) for reason in reasons}
    assert of_a_past <= known
    assert unknown == known - of_a_past
    assert sentence(Reason("more", "", 1, words=("red",), known=False), language=language)


def test_no_other_phrase_speaks_of_a_past() -> None:
    assert {key for key, phrase in ENGLISH.items() if "you" in phrase} - OF_A_PAST.keys() == {"more"}
    assert not any(" had " in f" {phrase} " for phrase in ENGLISH.values())  # what was looked at was not had
    for kind, level in (("neighbour_votes", 5), ("neighbour_votes", 1), ("similar", None), ("follows", 5)):
        said = sentence(Reason(kind, "", 1, level=level, known=False), "Orchid box")
        assert can_be_said(kind, level, known=False) == bool(said)


@pytest.mark.parametrize("language", PHRASES)
def test_vectors_and_words_are_told_apart_in_every_language(language: str) -> None:
    reasons = (Reason("history", "", 1, "7"), Reason("soft_history", "", 1, "7"), Reason("soft", "", 1))
    had, chosen, follows = (sentence(reason, "Orchid box" * bool(reason.item_id), (), language) for reason in reasons)
    assert "Orchid box" in had
    assert "Orchid box" in chosen
    assert len({had, chosen, follows, ""}) == 4


def test_another_language_names_titles_as_they_are() -> None:
    assert (
        sentence(Reason("history", "", 1, "7"), "Poet clock", language="de") == "Sie interessierten sich für Poet clock"
    )
    assert sentence(Reason("history", "", 1, "7"), "Poet clock", language="xx") == "you showed interest in Poet clock"


def test_braces_in_a_title_are_text() -> None:
    assert sentence(Reason("history", "", 1, "7"), "{0} {x}") == "you showed interest in {0} {x}"


def shown(kind: str, weight: float, text: str) -> ShownReason:
    return ShownReason(kind, (), (), weight, text)


def test_the_heaviest_are_said_once_and_what_was_asked_for_first() -> None:
    reasons = [shown("a", 3, "A"), shown("b", 2, "A"), shown("c", 1, "C"), shown("d", -1, "D"), shown("e", 9, "")]
    assert heaviest([*reasons, shown("more", 0.1, "M")], 3) == ("M", "A", "C")
    assert heaviest(reasons, 1) == ("A",)
