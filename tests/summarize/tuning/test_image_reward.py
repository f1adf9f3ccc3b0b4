"""The image reward against its formula, with models of pictures that are made up."""

import math
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from mmsrarec.summarize.language.lexicon import Lexicon
from mmsrarec.summarize.tuning.image_reward import UNLIKELY_TOKEN_PROB, ImageInformation

LIMITS = {"text": 6, "picture": 4}
COLOURS = ("red", "green", "blue", "grey")


class Colours:
    """P: a token a word; picture c shows colour c % 4, whose name has the first probability, any other the second."""

    def __init__(self, right: float = 0.5, wrong: float = 0.1) -> None:
        self.right, self.wrong, self.asked = right, wrong, []

    def __call__(self, codes: Sequence[int], answers: Sequence[str]) -> list[Tensor]:
        self.asked += zip(codes, answers, strict=True)
        return [
            torch.tensor([math.log(self.right if w == COLOURS[code % 4] else self.wrong) for w in answer.split(", ")])
            for code, answer in zip(codes, answers, strict=True)
        ]


def score(reward: ImageInformation, answers: Sequence[str], codes: Sequence[int], title: str = "") -> list:
    n = len(answers)
    return reward(completions=answers, modality=["picture"] * n, title=[title] * n, code=codes)


words = st.lists(st.sampled_from([*COLOURS, "star", "mug"]), min_size=1, max_size=4, unique=True)
pools = st.sets(st.integers(0, 20), max_size=12).map(sorted)


@given(words, pools, st.integers(0, 20), st.floats(0.05, 0.9), st.floats(0.01, 0.9))
def test_it_is_the_posterior_of_the_picture_among_the_others_and_words_unlikely_for_all(
    said: list[str], pool: list[int], code: int, right: float, wrong: float
) -> None:
    reward = ImageInformation(Colours(right, wrong), pool, LIMITS)

    def likelihood(picture: int) -> float:
        return math.prod(right if word == COLOURS[picture % 4] else wrong for word in said)

    others = sum(map(likelihood, reward.contrast(code)))
    expected = likelihood(code) / (likelihood(code) + others + UNLIKELY_TOKEN_PROB ** len(said))
    (found,) = score(reward, [", ".join(said)], [code])
    assert found == pytest.approx(expected, rel=1e-4)
    assert 0 < found < 1


@given(pools, st.integers(0, 20), st.integers(0, 8), st.integers(0, 3))
def test_others_are_different_pictures_of_the_pool_without_the_item_and_as_many_as_there_are(
    pool: list[int], code: int, others: int, seed: int
) -> None:
    contrast = ImageInformation(Colours(), pool, LIMITS, others=others, seed=seed).contrast(code)
    rest = set(pool) - {code}
    assert set(contrast) <= rest
    assert len(contrast) == len(set(contrast)) == min(others, len(rest))


def test_another_seed_chooses_other_pictures() -> None:
    one, other = (ImageInformation(Colours(), range(100), LIMITS, seed=seed).contrast(3) for seed in (0, 1))
    assert one != other


def test_the_right_word_is_worth_more_than_a_wrong_one_and_a_word_for_all_pictures_is_between() -> None:
    reward = ImageInformation(Colours(), range(12), LIMITS)
    right, both, wrong, none = score(reward, ["red", "star, red", "green", ""], [0] * 4)
    star = score(reward, ["star"], [0])[0]
    assert right > star > wrong > none == 0
    assert both == pytest.approx(right, abs=0.05)  # a word that fits all pictures alike tells little more


def test_the_more_pictures_look_alike_the_less_their_common_word_tells() -> None:
    alike = [score(ImageInformation(Colours(), [0, *range(4, 4 * n, 4)], LIMITS), ["red"], [0])[0] for n in (1, 2, 5)]
    assert alike[0] > alike[1] > alike[2]
    assert alike[2] < 1 / 5


def test_words_of_the_title_count_only_where_a_reader_has_no_title() -> None:
    given_title = ImageInformation(Colours(), range(4), LIMITS)
    without = ImageInformation(Colours(), range(4), LIMITS, conditioning="nothing")
    assert score(given_title, ["red", "red, blue"], [0, 0], "Red mug") == [0.0, *score(given_title, ["blue"], [0])]
    assert score(without, ["red", "red, blue"], [0, 0], "Red mug") == score(without, ["red", "red, blue"], [0, 0])
    assert score(without, ["red"], [0], "Red mug")[0] > 0.5


def test_the_language_of_the_catalogue_decides_what_the_title_says() -> None:
    answers, title = ["häuser"], "Haus"
    german = ImageInformation(Colours(), range(4), LIMITS, lexicon=Lexicon(("de",)))
    assert score(german, answers, [0], title) == [0.0]
    assert score(ImageInformation(Colours(), range(4), LIMITS), answers, [0], title)[0] > 0


def test_answers_about_texts_are_neither_scored_nor_shown_to_the_model() -> None:
    model = Colours()
    reward = ImageInformation(model, range(4), LIMITS)
    found = reward(completions=["red"] * 2, modality=["text", "picture"], title=["", ""], code=[0, 1], text=["red"] * 2)
    assert found[0] is None
    assert found[1] is not None
    assert reward(completions=["red"], modality=["text"], title=[""], code=[2]) == [None]
    assert {code for code, _ in model.asked} == {0, 1, 2, 3}
    assert len(model.asked) == 4  # once each, for the one answer about a picture


def test_the_model_is_asked_once_for_each_item_and_keywords_until_values_are_dropped() -> None:
    model = Colours()
    reward = ImageInformation(model, range(4), LIMITS)
    first = score(reward, ["red, star", "Red,  STAR.", "red", "red, star"], [0, 0, 0, 1])
    assert first[0] == first[1]  # the same keywords
    assert len(model.asked) == 3 * 4  # three lists of keywords of an item, four pictures each
    assert score(reward, ["red", "red, star"], [0, 1]) == [first[2], first[3]]
    assert len(model.asked) == 12
    model.right = 0.9  # the model has been trained
    assert score(reward, ["red"], [0]) == [first[2]]
    reward.forget()
    assert score(reward, ["red"], [0])[0] > first[2]
    assert len(model.asked) == 16


def test_only_as_many_keywords_count_as_an_answer_may_have() -> None:
    reward = ImageInformation(Colours(), range(4), LIMITS | {"picture": 1})
    assert score(reward, ["star, red", "red, star"], [0, 0]) == score(reward, ["star", "red"], [0, 0])


def test_very_unlikely_answers_have_a_finite_reward() -> None:
    reward = ImageInformation(Colours(1e-30, 1e-35), range(4), LIMITS)
    (found,) = score(reward, ["red, star, mug, moon"], [0])
    assert found is not None
    assert 0 <= found < 1e-6
    assert math.isfinite(found)
