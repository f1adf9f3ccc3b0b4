"""The laws of keyword parsing; `test_keywords.py` has the cases."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmsrarec.data.dataset import Item
from mmsrarec.summarize.keyword_parsing import (
    clean,
    content_words,
    distinct,
    fallback,
    grounded,
    parse,
    same,
    split,
    split_keywords,
    stop_after,
)
from mmsrarec.summarize.language.lexicon import Lexicon

COMMA_OF = {"Latin": ",", "Han": "、", "full width": "，", "Arabic": "،", "Armenian": "՝", "Ethiopic": "፣"}
words = st.sampled_from(["mug", "blue clay", "c++", "r&b", "sci-fi", "детектив", "玩具", "1980s", "otter", "tea pot"])
keyword_lists = st.lists(words, min_size=1, max_size=6, unique_by=same)
ends = st.text(" .:;!?*'\"“”«»¿。《》", max_size=4)
any_text = st.text(max_size=60)


@given(words, ends, ends)
def test_case_and_punctuation_around_a_keyword_change_nothing(word: str, before: str, after: str) -> None:
    assert clean(f"{before}{word}{after}") == clean(word) == word
    assert clean(word.upper()) == word


@given(words, st.lists(st.sampled_from(["a", "an", "the", "The", "A"]), max_size=3))
def test_articles_in_front_fall_away(word: str, articles: list[str]) -> None:
    assert clean(" ".join([*articles, word])) == word


@given(any_text)
def test_what_is_cleaned_is_clean_and_never_longer(raw: str) -> None:
    keyword = clean(raw)
    if keyword is not None:
        assert clean(keyword) == keyword
        assert keyword == keyword.strip() == " ".join(keyword.split())
        assert not set(keyword) & set(",;\n<>{}|\\\u202e\u200b\x00")


@pytest.mark.parametrize("separator", [*COMMA_OF.values(), ";", "；", "؛", "\n", "|", " · ", " • ", " ・ "])
@given(chosen=keyword_lists)
def test_the_commas_of_all_scripts_part_keywords(separator: str, chosen: list[str]) -> None:
    assert split_keywords(separator.join(chosen)) == chosen


@pytest.mark.parametrize("whole", ["<|im_end|>", "&lt;b", "&#109;ug", "col·lecció", "l·l"])
def test_signs_inside_of_markup_and_words_part_nothing(whole: str) -> None:
    assert len(split(whole)) == 1


@given(keyword_lists)
def test_a_slash_parts_keywords_but_not_what_is_no_keyword_on_one_side(chosen: list[str]) -> None:
    assert split_keywords("/".join(chosen)) == chosen
    if len(chosen) > 1:
        assert split_keywords("/".join([*chosen, "<b>"])) == [None]


def test_a_long_clause_of_a_script_without_spaces_is_cut_into_its_words_and_a_short_one_is_not() -> None:
    assert split_keywords("木制玩具") == ["木制玩具"]
    parts = split_keywords("这是一个蓝色的陶瓷杯子和一个红色的玩具车")
    assert len(parts) > 3
    assert all(part and len(part) <= 4 for part in parts)
    assert "玩具车" in parts or "玩具" in parts
    assert "的" not in parts  # filler words are no keywords


@given(st.lists(st.none() | st.sampled_from(["mug", "mugs", "Mug tea", "clay", "story", "stories"])), st.integers(1, 4))
def test_distinct_keywords_are_the_first_of_each_form_in_order(keywords: list[str | None], limit: int) -> None:
    kept = distinct(keywords)
    assert list(kept) == sorted(kept, key=keywords.index)
    assert {same(word) for word in kept} == {same(word) for word in keywords if word is not None}
    assert all(word == next(each for each in keywords if each and same(each) == same(word)) for word in kept)
    assert distinct(keywords, limit) == kept[:limit]


def test_distinct_reads_no_further_than_it_must() -> None:
    def endless() -> Sequence[str]:
        yield from ("mug", "mugs", "clay")
        raise AssertionError("asked for more than two keywords")

    assert distinct(endless(), 2) == ("mug", "clay")
    assert distinct(["mug"], 0) == ()


@given(any_text | keyword_lists.map(", ".join), st.integers(1, 5))
def test_a_limit_keeps_the_first_keywords_of_the_same_answer(answer: str, limit: int) -> None:
    assert parse(answer, limit) == parse(answer)[:limit]


@given(keyword_lists, any_text)
def test_only_the_first_line_of_an_answer_counts(chosen: list[str], rest: str) -> None:
    line = ", ".join(chosen)
    assert parse(f"\n  {line}\n{rest}") == parse(line) == tuple(chosen)


@given(keyword_lists, st.integers(1, 4))
def test_an_answer_is_complete_when_as_many_keywords_as_asked_for_have_ended(chosen: list[str], limit: int) -> None:
    stop = stop_after(limit)
    for count in range(1, len(chosen) + 1):
        text = ", ".join(chosen[:count])
        assert stop(text) == (count > limit)  # the last keyword may still grow
        assert stop(f"{text},") == (count >= limit)
        assert stop(f"{text}\n")


@given(words, st.sampled_from(["", "In the kitchen: "]))
def test_a_text_supports_its_own_words_and_a_keyword_needs_only_one_of_them(word: str, before: str) -> None:
    assert grounded(word, f"{before}{word}.")
    assert grounded(f"{word} copper", f"{before}{word}.")
    assert not grounded("copper", f"{before}{word}.")


def test_the_language_decides_which_words_are_forms_of_one() -> None:
    german, english = Lexicon(("de",)), Lexicon(("en",))
    assert same("häuser", german) == same("haus", german)
    assert same("häuser", english) != same("haus", english)
    assert parse("haus, häuser, schal", lexicon=german) == ("haus", "schal")
    assert stop_after(3, german)("haus, häuser,")
    assert not stop_after(3, english)("haus, häuser,")


@given(st.lists(st.sampled_from(["the", "of", "mug", "x", "7", "clay", "c#", "tv", "玩", "玩具", "with", "otter"])))
def test_content_words_are_long_enough_to_mean_something_and_single_characters_come_last(said: list[str]) -> None:
    found = content_words(" ".join(said))
    assert set(found) <= set(said) - {"the", "of", "with", "x", "tv", "7"}
    assert {word for word in said if word in ("mug", "clay", "otter", "c#")} <= set(found)
    lengths = [len(word) == 1 for word in found]
    assert lengths == sorted(lengths)


def test_words_that_most_items_hold_stand_for_no_item() -> None:
    item = Item("1", "Book of Otters", "A book about rivers.", ("Books", "Animals"))
    plain = fallback(item, 6)
    assert plain[:2] == ("books", "animals")
    shop = Lexicon(("en",), frozenset({same("book")}))
    assert fallback(item, 6, shop) == tuple(word for word in plain if same(word) != same("book"))
    assert "otters" in fallback(item, 6, shop)


@pytest.mark.parametrize(
    ("category", "keywords"),
    [
        ("Home & Garden", ("home", "garden")),
        ("Toys/Games", ("toys", "games")),
        ("Kitchen > Mugs | Cups", ("kitchen", "mugs", "cups")),
        ("R&B", ("r&b",)),
        ("Soul & R&B", ("soul", "r&b")),
        ("Crime, Thriller", ("crime", "thriller")),
        ("The", ("the",)),
    ],
)
def test_a_category_is_read_as_the_names_it_lists(category: str, keywords: tuple[str, ...]) -> None:
    assert fallback(Item("1", categories=(category,)), 6) == keywords


@given(any_text, st.integers(0, 6))
def test_a_smaller_fallback_is_the_start_of_a_larger_one(text: str, limit: int) -> None:
    item = Item("1", "Blue mug", text, ("Home & Garden",))
    assert fallback(item, limit) == fallback(item, 7)[:limit]
