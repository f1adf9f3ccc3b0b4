"""What was asked for is a reason by rule, with the weight of its bonus."""

from mmsrarec.recommend.explain import Reason
from mmsrarec.recommend.prompt.preferences import PREFERENCE_LOG_ODDS, UserPreferences
from mmsrarec.runs.answers.reasons import preference_reasons, without_preference_reasons

RED_AND_BLUE = UserPreferences.of(["red", "blue"])


def test_an_item_that_carries_a_word_has_the_reason_with_its_bonus() -> None:
    (reason,) = preference_reasons(["red", "square"], RED_AND_BLUE)
    assert (reason.kind, reason.words, reason.weight) == ("more", ("red",), PREFERENCE_LOG_ODDS)


def test_an_item_that_carries_none_has_no_such_reason() -> None:
    assert preference_reasons(["square"], RED_AND_BLUE) == []


def test_the_language_models_part_of_it_is_not_counted_twice() -> None:
    reasons = [Reason("more", "you asked for more red", 1.0), Reason("history", "had it", 0.5)]
    assert without_preference_reasons(reasons) == reasons[1:]
