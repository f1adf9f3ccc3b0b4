"""Wishes are cleaned or refused, are drawn truthfully, and change what is shown; each is a reason that is measured."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import SPECIAL, tiny_mllm
from world import make_dataset, make_log, make_prompts, make_retrieval, only

from mmsrarec.errors import MmsrarecError
from mmsrarec.recommend.explain import explain_all
from mmsrarec.recommend.prompt.preferences import (
    MAX_PREFERENCES,
    NO_PREFERENCES,
    UserPreferences,
    carries,
    draw_preferences,
    says,
    without_effect,
)
from mmsrarec.recommend.prompt.prompt_context import PromptContext
from mmsrarec.recommend.ranking.scorer import score_packs
from mmsrarec.recommend.training.fine_tuning import tune
from mmsrarec.summarize.language.lexicon import Lexicon

MLLM = tiny_mllm()
LOG = make_log(np.random.default_rng(0))
PROMPTS = make_prompts(MLLM, make_dataset(LOG), visual_tokens=2)
ASKED = PromptContext((3, 4, 9), (5, 7), (11, 2, 6), (6, 0, 1), (2, 0, 3), vote_people=(5, 0, 6), similar_people=(5, 9))


def read(ids: list[int]) -> str:
    return MLLM.tokenizer.decode(ids, clean_up_tokenization_spaces=False)


def test_what_is_typed_becomes_keywords() -> None:
    assert UserPreferences.of(["Space  Opera, clay", "clays"], ["the Horror", " "]) == UserPreferences(
        ("space opera", "clay"), ("horror",)
    )
    assert UserPreferences.of("oak, wool") == UserPreferences(("oak", "wool"))
    assert not UserPreferences.of()
    assert not UserPreferences.of([" , "])


@pytest.mark.parametrize(
    ("more", "less", "message"),
    [
        (["one two three four"], [], 'more: "one two three four" is no keyword: give 1 to 3 words'),
        ([], ["x" * 31], "less: .* is no keyword"),
        (["<|im_end|>"], [], "is no keyword"),
        (["12"], [], "is no keyword"),
        ([",".join(f"word{'abcdefghij'[n]}" for n in range(MAX_PREFERENCES + 1))], [], "9 keywords are too many"),
        (["mugs"], ["mug"], '"mug" is asked for more of and less of'),
    ],
)
def test_what_is_no_keyword_is_refused_in_one_line(more: list[str], less: list[str], message: str) -> None:
    with pytest.raises(MmsrarecError, match=message) as caught:
        UserPreferences.of(more, less)
    assert "\n" not in str(caught.value)


@settings(deadline=None, max_examples=50)
@given(st.text(max_size=40), st.sampled_from(SPECIAL))
def test_no_wish_yields_a_special_token_or_a_line(text: str, special: str) -> None:
    plain = PROMPTS.shared(ASKED)
    for typed in (text, f"{text}{special}", f"{text}\n{special}"):
        try:
            preferences = UserPreferences.of([typed])
        except MmsrarecError:
            continue
        ids = PROMPTS.shared(replace(ASKED, preferences=preferences)).ids
        specials = [sum(MLLM.tokenizer.convert_tokens_to_ids(one) == i for i in ids) for one in SPECIAL]
        assert specials == [sum(MLLM.tokenizer.convert_tokens_to_ids(one) == i for i in plain.ids) for one in SPECIAL]
        assert read(ids).count("\n") == read(plain.ids).count("\n") + bool(preferences)
        assert len(ids) <= len(plain.ids) + MAX_PREFERENCES * 150


def test_a_keyword_says_a_word_whole() -> None:
    assert says("space operas", "space opera")
    assert says("old space opera", "opera")
    assert not says("operatic", "opera")
    assert not says("space", "space opera")
    assert carries(("red", "oak bag"), ("oak",))
    assert not carries((), ("oak",))


def test_wishes_are_lines_of_their_own_and_nobody_elses() -> None:
    plain = PROMPTS.render(ASKED)
    assert PROMPTS.render(replace(ASKED, preferences=UserPreferences())) == plain
    asked = PROMPTS.render(replace(ASKED, preferences=UserPreferences(("space opera", "oak"), ("horror",))))
    assert asked.candidates == plain.candidates
    lines = "They ask for more: space opera, oak\nThey ask for less: horror\n"
    text = read(asked.shared.ids)
    assert lines in text
    assert text.replace(lines, "") == read(plain.shared.ids)
    assert ASKED.pick([1]).preferences is NO_PREFERENCES
    assert replace(ASKED, preferences=UserPreferences(("oak",))).pick([1]).preferences == UserPreferences(("oak",))


def test_a_profile_no_longer_says_what_less_is_wanted_of() -> None:
    prompts = make_prompts(
        MLLM, make_dataset(LOG), prompt_fields=only(text_keywords=True, image_keywords=True).model_dump()
    )
    had = replace(ASKED, history=(4,), preferences=UserPreferences(less=("reds",)))
    before, after = (read(prompts.shared(one).ids) for one in (replace(had, preferences=NO_PREFERENCES), had))
    assert ", red" in before
    assert "red" not in after.replace("less: reds", "")
    assert "star" in after
    assert prompts.candidate(replace(had, candidates=(4,)), 0) == prompts.candidate(
        replace(had, candidates=(4,), preferences=NO_PREFERENCES), 0
    )


WORDS = {0: ("oak", "mug"), 1: ("oak", "red"), 2: ("oak mugs", "blue"), 3: ("clay",), 4: ("oak", "mug")}


def test_wishes_that_are_drawn_are_true() -> None:
    candidates, place = np.tile([[0, 1, 2], [3, 0, 1], [0, 4, 4]], (200, 1)), np.tile([0, 1, 0], 200)
    drawn = draw_preferences(candidates, place, WORDS.__getitem__, 0.5, 3)
    assert drawn == draw_preferences(candidates, place, WORDS.__getitem__, 0.5, 3)
    assert drawn != draw_preferences(candidates, place, WORDS.__getitem__, 0.5, 4)
    first, second, third = drawn[::3], drawn[1::3], drawn[2::3]
    assert {word for one in first for word in one.more} == {"mug"}  # both negatives have oak
    assert {word for one in first for word in one.less} == {"red", "blue"}  # "oak mugs" is said of the positive
    assert {word for one in second for word in one.more} == {"oak", "mug"}
    assert {word for one in second for word in one.less} == {"clay", "red"}
    assert set(third) == {NO_PREFERENCES}  # all alike: nothing to ask for
    assert 0.4 < np.mean([bool(one) for one in first]) < 0.6
    assert max(len(one.more) for one in second) == max(len(one.less) for one in second) == 2
    assert not any(draw_preferences(candidates, place, WORDS.__getitem__, 0.0, 3))


def test_a_wish_is_a_reason_that_is_measured() -> None:
    asked = replace(ASKED, preferences=UserPreferences(("wool",), ("steel",)))
    found = explain_all(PROMPTS, asked)
    assert len(found) == 3
    for place, (_, reasons) in enumerate(found):
        by_kind = {reason.kind: reason for reason in reasons}
        assert by_kind["more"].text == "you asked for more wool"
        assert by_kind["less"].text == "you asked for less steel"
        pair = [
            replace(asked, preferences=preferences)
            for preferences in (asked.preferences, UserPreferences(less=("steel",)))
        ]
        p = [score_packs(PROMPTS, [PROMPTS.render(one.pick([place]))])[0][0] for one in pair]
        drop = np.log(p[0] / (1 - p[0])) - np.log(p[1] / (1 - p[1]))
        assert by_kind["more"].weight == pytest.approx(drop, abs=1e-3)


def test_wishes_leave_the_moments_of_a_seed_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mmsrarec.recommend.training import pack_drawing as module

    drawn = []
    draw = module.sample_training
    monkeypatch.setattr(module, "sample_training", lambda *given: drawn.append(draw(*given)) or drawn[-1])
    for number, share in enumerate((0.0, 1.0)):
        prompts = make_prompts(
            tiny_mllm(),
            make_dataset(LOG),
            n_examples=8,
            batch_size=4,
            negatives=3,
            rank=2,
            history=2,
            first_layer=1,
            preference_rate=share,
        )
        place = tmp_path / str(number)
        tune(prompts, make_retrieval(LOG, n_vote_neighbours=10), prompts.settings, 7, place / "adapter", place / "work")
    assert all(np.array_equal(one, other) for one, other in zip(drawn[0][1:], drawn[1][1:], strict=True))


def test_what_no_item_carries_is_named() -> None:
    shown = [("red", "oak bags"), ("wool",), ()]
    assert without_effect(UserPreferences.of(["bag", "zeppelin"], ["wool", "opera"]), shown) == ("zeppelin", "opera")
    assert without_effect(NO_PREFERENCES, shown) == ()
    assert without_effect(UserPreferences.of("oak"), []) == ("oak",)


def test_wishes_are_read_in_the_languages_of_the_catalogue() -> None:
    german, both = Lexicon(("de",)), Lexicon(("de", "fr"))
    assert UserPreferences.of("Häuser, Haus; 围巾，羊毛围巾、램프", lexicon=german).more == (
        "häuser",
        "围巾",
        "羊毛围巾",
        "램프",
    )
    assert UserPreferences.of("sci-fi/fantasy, C++").more == ("sci-fi", "fantasy", "c++")
    assert says("羊毛围巾", "围巾")
    assert not says("围巾", "羊毛围巾")
    assert not says("operatic", "opera", both)
    assert says("alte häuser", "haus", german)
    assert not says("alte häuser", "haus")
    assert says("vieux chevaux", "cheval", both)
    assert not says("starfish", "star")
    with pytest.raises(MmsrarecError, match='"haus" is asked for more of and less of'):
        UserPreferences.of("häuser", "haus", german)
    assert UserPreferences(("häuser",), (), german) == UserPreferences(
        ("häuser",)
    )  # how words are read is no part of what is asked


def test_without_preferences_nobody_looks_at_the_catalogue() -> None:
    def catalogue():
        raise AssertionError("every item would be looked at for each answer")
        yield ()

    assert without_effect(UserPreferences.of([]), catalogue()) == ()
    with pytest.raises(AssertionError, match="each answer"):
        without_effect(UserPreferences.of(["red"]), catalogue())
