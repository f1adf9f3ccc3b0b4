"""Many users at once: the table says what each answer alone says, and a wrong question is refused before any work."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from world import make_dataset, make_log

from mmsrarec.core.progress import Progress
from mmsrarec.data.dataset import FloatArray
from mmsrarec.data.splits import Queries
from mmsrarec.errors import MmsrarecError, UnknownIdError
from mmsrarec.runs.answers.batch import SCORES, recommend_table, score_table
from mmsrarec.runs.answers.questions import Questions
from mmsrarec.runs.answers.recommendations import TABLE, Recommendation, Recommendations

DATASET = make_dataset(make_log(np.random.default_rng(0), n_users=5, n_items=8, length=3))
QUESTIONS = Questions(DATASET)
known_users = st.lists(st.sampled_from(DATASET.user_ids), max_size=6)
histories = st.lists(st.lists(st.sampled_from([f"i{code}" for code in range(8)]), max_size=4), max_size=5)


class Answerer:
    """Recommends the items that somebody had, the newest first, and keeps what it was asked."""

    def __init__(self, note: str = "") -> None:
        self.asked: list[tuple[Any, Any]] = []
        self.note = note

    def __call__(self, user: Any, history: Any) -> Recommendations:
        self.asked.append((user, history))
        codes = QUESTIONS.query(user, history)[0].history[0][::-1].tolist()
        return Recommendations(
            [
                Recommendation(f"i{code}", "", float(-place), None, (), (f"reason {code}", "for all"))
                for place, code in enumerate(codes)
            ],
            notes=[self.note.format(user)] if self.note else (),
        )


def table_of(
    answerer: Answerer,
    users: object = None,
    histories: object = None,
    one: Sequence[object] = (None, None),
    strict: bool = False,
    progress: Any = False,
) -> pl.DataFrame:
    return recommend_table(answerer, QUESTIONS, one, users, histories, strict, progress)


@given(known_users)
def test_the_table_stacks_the_answers_to_each_user_in_order_with_repeats(users: list[str]) -> None:
    table = table_of(Answerer(), users)
    alone = [Answerer()(user, None).to_frame(user) for user in users]
    assert table.equals(pl.concat([pl.DataFrame(schema=TABLE), *alone]))
    assert dict(table.schema) == TABLE


@given(histories)
def test_histories_are_rows_by_their_places_or_their_keys(given_histories: list[list[str]]) -> None:
    by_place = table_of(Answerer(), histories=given_histories)
    by_key = table_of(Answerer(), histories={f"new {n}": history for n, history in enumerate(given_histories)})
    assert by_place.with_columns(pl.format("new {}", "user_id").alias("user_id")).equals(by_key)
    assert len(by_place) == sum(map(len, given_histories))
    for place, history in enumerate(given_histories):
        rows = by_place.filter(pl.col("user_id") == str(place))
        assert rows["item_id"].to_list() == history[::-1]
        assert rows["rank"].to_list() == list(range(1, len(history) + 1))


@pytest.mark.parametrize(
    ("users", "given_histories", "strict", "says"),
    [
        (["u0", "nobody"], None, False, "nobody"),
        (None, [["i1"], ["x"]], False, "x"),
        (None, [["i1"], ["i1", "x"]], True, "x"),
        (None, {"new": ["i1"], "newer": "i2"}, False, "one piece of text"),
        (None, None, False, "one of the two"),
    ],
)
def test_a_wrong_question_is_refused_before_any_is_answered(
    users: object, given_histories: object, strict: bool, says: str
) -> None:
    answerer, told = Answerer(), []
    with pytest.raises(MmsrarecError, match=says):
        table_of(answerer, users, given_histories, strict=strict, progress=told.append)
    assert answerer.asked == []
    assert told == []


def test_an_unknown_item_in_a_history_is_answered_without_unless_told_to_be_strict() -> None:
    answerer = Answerer()
    assert table_of(answerer, histories=[["i1", "x"]])["item_id"].to_list() == ["i1"]
    assert answerer.asked == [(None, ["i1", "x"])]


@pytest.mark.parametrize("one", [("u0", None), (None, ["i1"]), (None, [])])
def test_one_question_and_many_at_once_are_refused(one: tuple) -> None:
    answerer = Answerer()
    with pytest.raises(MmsrarecError, match="for one answer, or users or histories for a table"):
        table_of(answerer, ["u1"], one=one)
    assert answerer.asked == []


def test_what_should_be_known_of_an_answer_is_said_beside_the_table(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="mmsrarec"):
        table_of(Answerer("made up for\n{}"), ["u0", "u1", "u0"])
    assert caplog.messages == ["made up for u0", "made up for u1"]  # on one line, and once each


def test_how_far_it_is_is_told_to_whom_the_caller_names() -> None:
    class Tracked(Progress):
        seen: list[tuple[str, int]] = []  # noqa: RUF012

        def track(self, things: Any, label: str, total: int | None = None) -> Any:
            things = list(things)
            self.seen.append((label, len(things)))
            return iter(things)

    table_of(Answerer(), ["u0", "u0", "u2"], progress=Tracked())
    assert Tracked.seen == [("recommending", 3)]
    with pytest.raises(MmsrarecError, match="progress: "):
        table_of(Answerer(), ["u0"], progress="yes")


def score(query: Queries) -> FloatArray:
    """Of items 1 and 4, for one user: the user's code and that of the newest item tell scores apart."""
    return np.array([query.user[0] + 0.25, -float(query.history[0][-1])])


@given(known_users)
def test_a_score_table_has_a_row_for_each_user_and_item_as_given(users: list[str]) -> None:
    table = score_table(score, QUESTIONS, ["i1", "i4"], users)
    assert dict(table.schema) == SCORES
    expected = [
        (user, item_id, value)
        for user in users
        for item_id, value in zip(["i1", "i4"], score(QUESTIONS.query(user, None)[0]).tolist(), strict=True)
    ]
    assert table.rows() == expected


def test_no_user_is_scored_where_one_is_unknown() -> None:
    def refuse(query: Queries) -> FloatArray:
        raise AssertionError("scored before all were read")

    with pytest.raises(UnknownIdError, match="nobody"):
        score_table(refuse, QUESTIONS, ["i1"], ["u0", "nobody"])
    with pytest.raises(MmsrarecError, match="users: "):
        score_table(refuse, QUESTIONS, ["i1"], "u0")


def test_a_score_for_each_item_or_an_error() -> None:
    with pytest.raises(ValueError, match=r"longer|shorter"):
        score_table(score, QUESTIONS, ["i1"], ["u0"])
