"""Empty answers are kept once another answer came, or where they are few."""

from mmsrarec.engines.outcomes.empty_answers import MANY, TOO_MANY, EmptyAnswers
from mmsrarec.engines.protocol import Answer, Usage


def empty(n: int, text: str = "") -> list[Answer]:
    return [Answer(f"{code}", text, None, Usage(10, 1)) for code in range(n)]


def test_empty_answers_wait_for_another_one_and_then_all_are_kept_at_once() -> None:
    answers, refusal, other = EmptyAnswers(), Answer("r", None, "unsafe"), Answer("o", "mug")
    assert answers.hold_back([*empty(5), refusal]) == [refusal]
    assert answers.hold_back([other]) == [*empty(5), other]
    assert answers.hold_back(empty(TOO_MANY)) == empty(TOO_MANY)
    assert not answers.are_too_many
    assert answers.rest(0) == []


def test_who_answered_before_is_believed() -> None:
    answers = EmptyAnswers()
    answers.hold_back([Answer("o", "mug")])
    assert answers.is_able
    later = EmptyAnswers(answers.is_able)
    assert later.hold_back(empty(TOO_MANY)) == empty(TOO_MANY)
    assert not later.are_too_many


def test_a_few_are_believed_and_many_have_failed_with_a_reason_and_their_cost() -> None:
    few, many = EmptyAnswers(), EmptyAnswers()
    few.hold_back(empty(MANY - 1))
    many.hold_back(empty(MANY, " \n"))
    assert few.rest(0) == empty(MANY - 1)
    assert [(answer.text, answer.usage) for answer in many.rest(2)] == [(None, Usage(10, 1))] * MANY
    assert (many.rest(2)[0].reason or "").startswith("all 3 answers are empty (2 were cut at their longest): look at")
    assert not many.are_too_many


def test_work_that_breaks_off_believes_none() -> None:
    answers = EmptyAnswers()
    answers.hold_back(empty(1))
    assert [answer.text for answer in answers.failures(0)] == [None]
    answers.hold_back(empty(TOO_MANY))
    assert answers.are_too_many
