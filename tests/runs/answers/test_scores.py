"""Scores of an answer: log-odds, a bonus for typed keywords, and shares that add up to one."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from mmsrarec.recommend.explain import log_odds
from mmsrarec.recommend.prompt.preferences import NO_PREFERENCES, PREFERENCE_LOG_ODDS, UserPreferences
from mmsrarec.runs.answers.scores import UNASKED_SCORE, answer_scores, softmax

KEYWORDS = (("red",), ("blue",), ("red", "blue"))
PROMPTS = cast(Any, SimpleNamespace(shown_keywords=KEYWORDS.__getitem__))
CONTEXT = cast(Any, SimpleNamespace(candidates=(0, 1, 2)))


def scores(p: list[float], preferences: UserPreferences = NO_PREFERENCES) -> np.ndarray:
    return answer_scores(PROMPTS, cast(Any, None), [CONTEXT], preferences, np.array([p]), None, ())[0]


def test_without_fusion_they_are_the_log_odds_of_the_language_model() -> None:
    assert scores([0.5, 0.9, 0.1]).tolist() == [log_odds(0.5), log_odds(0.9), log_odds(0.1)]


def test_where_the_language_model_is_not_asked_all_items_are_equal() -> None:
    assert scores([UNASKED_SCORE] * 3).tolist() == [0.0, 0.0, 0.0]


def test_typed_keywords_add_their_bonus() -> None:
    bonus = scores([0.3] * 3, UserPreferences.of(["red"], ["blue"])) - scores([0.3] * 3)
    assert bonus.tolist() == pytest.approx([PREFERENCE_LOG_ODDS, -PREFERENCE_LOG_ODDS, 0.0])


@pytest.mark.parametrize("shift", [0.0, 1000.0, -1000.0])
def test_shares_add_up_to_one_however_large_the_scores(shift: float) -> None:
    shares = softmax(np.array([0.0, np.log(3.0)]) + shift)
    assert shares.tolist() == pytest.approx([0.25, 0.75])
