"""Many users at once: the table says what each answer alone says, and a wrong question is refused before any work."""

import io
import logging
from collections.abc import Callable, Sequence
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
from mmsrarec.runs.answers.batch import SCORES, block_size, read_questions, recommend_table, score_table
from mmsrarec.runs.answers.questions import Questions, Who
from mmsrarec.runs.answers.recommendations import TABLE, Recommendation, Recommendations

DATASET = make_dataset(make_log(np.random.default_rng(0), n_users=5, n_items=8, length=3))
QUESTIONS = Questions(DATASET)
known_users = st.lists(st.sampled_from(DATASET.user_ids), max_size=6)
histories = st.lists(st.lists(st.sampled_from([f"i{code}" for code in range(8)]), max_size=4), max_size=5)


class Answerer:
    """Recommends the items that somebody had, the newest first, and keeps what it was asked, block by block."""

    def __init__(self, note: str = "") -> None:
        self.blocks: list[list[tuple[Any, Any]]] = []
        self.note = note

    @property
    def asked(self) -> list[tuple[Any, Any]]:
        return [one for block in self.blocks for one in block]

    def __call__(self, questions: Sequence[Who], done: Callable[[], None] = lambda: None) -> list[Recommendations]:
        self.blocks.append([(who.get("user"), who.get("history")) for who in questions])
        answers = [self.answer(*one) for one in self.blocks[-1]]
        for _ in answers:
            done()
        return answers

    def answer(self, user: Any, history: Any) -> Recommendations:
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
    strict: bool = False,
    progress: Any = False,
    block: int = 2,
) -> pl.DataFrame:
    return recommend_table(answerer, read_questions(QUESTIONS, users, histories, strict), progress, block)


@given(known_users)
def test_the_table_stacks_the_answers_to_each_user_in_order_with_repeats(users: list[str]) -> None:
    table = table_of(Answerer(), users)
    alone = [Answerer().answer(user, None).to_frame(user) for user in users]
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


@given(known_users, st.integers(1, 7))
def test_users_are_answered_in_blocks_in_their_order(users: list[str], block: int) -> None:
    answerer = Answerer()
    table_of(answerer, users, block=block)
    assert [user for user, _ in answerer.asked] == users
    assert [len(one) for one in answerer.blocks] == [len(users[at : at + block]) for at in range(0, len(users), block)]


@pytest.mark.parametrize(
    ("n_items", "asks_model", "size"), [(300, True, 16), (300, False, 128), (10**6, False, 8), (10**8, True, 1)]
)
def test_a_block_holds_fewer_users_of_a_large_catalogue(n_items: int, asks_model: bool, size: int) -> None:
    assert block_size(n_items, asks_model) == size


def test_what_should_be_known_of_an_answer_is_said_beside_the_table(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="mmsrarec"):
        table_of(Answerer("made up for\n{}"), ["u0", "u1", "u0"])
    assert caplog.messages == ["made up for u0", "made up for u1"]  # on one line, and once each


def test_how_far_it_is_is_told_to_whom_the_caller_names() -> None:
    seen: list[str] = []
    written = io.StringIO()
    table_of(Answerer(), ["u0", "u0", "u2"], progress=Progress(written, every=0))
    assert [line.split(",")[0] for line in written.getvalue().splitlines()[:3]] == [
        f"recommending: {n}/3" for n in (1, 2, 3)
    ]
    table_of(Answerer(), ["u0", "u0", "u2"], progress=seen.append)
    assert seen[-1].startswith("recommending: 3/3")
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
