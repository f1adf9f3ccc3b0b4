"""Many users asked about at once: what is wrong is said before the work, and the answer is a table."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import polars as pl

from mmsrarec.core.progress import Progress, Reported
from mmsrarec.core.terminal import remark_all
from mmsrarec.data.dataset import FloatArray
from mmsrarec.data.splits import Queries
from mmsrarec.runs.answers.questions import Questions, Who, many_users
from mmsrarec.runs.answers.recommendations import Recommendations, table

SCORES = {"user_id": pl.String, "item_id": pl.String, "score": pl.Float64}
ONE_OR_MANY = "give user or history for one answer, or users or histories for a table"


MODEL_BLOCK, RANKER_BLOCK = 16, 128
"""Users who are answered together, where the language model is asked and where rankers alone answer."""
MAX_SCORES_HELD = 8_000_000
"""Scores of one ranker held at once: 64 MB."""


Asks: TypeAlias = Callable[[Sequence[Who], Callable[[], None]], list[Recommendations]]
"""Answers several users or histories together; calls the function that it is given as each answer is ready."""


def block_size(n_items: int, asks_model: bool) -> int:
    """How many users are answered together.

    Args:
        n_items: Size of the catalogue, of which each ranker scores all items for each user.
        asks_model: Whether the language model is asked.
    """
    return max(1, min(MODEL_BLOCK if asks_model else RANKER_BLOCK, MAX_SCORES_HELD // max(n_items, 1)))


def read_questions(questions: Questions, users: object, histories: object, strict: bool) -> list[tuple[str, Who]]:
    """(id, who) of each question, all of which are read before any is answered.

    Args:
        questions: Reads a question.
        users: User ids, or None.
        histories: Histories, or None.
        strict: Refuse a history that holds an unknown item.

    Raises:
        MmsrarecError: A question cannot be answered.
    """
    question_list = many_users(users, histories)
    for _, who in question_list:
        questions.query(who.get("user"), who.get("history"), strict)
    return question_list


def recommend_table(
    ask: Asks, question_list: Sequence[tuple[str, Who]], progress: Reported, block: int
) -> pl.DataFrame:
    """The answers to many questions, as `Recommender.recommend` describes them.

    Args:
        ask: Answers several users or histories together.
        question_list: As `read_questions` returns them.
        progress: Where to tell how far it is.
        block: How many are answered together.
    """
    tables = [table([])]
    with Progress.of(progress).task("recommending", len(question_list)) as task:
        for start in range(0, len(question_list), block):
            tables.append(block_table(ask, question_list[start : start + block], task.advance))
    return pl.concat(tables)


def block_table(ask: Asks, question_list: Sequence[tuple[str, Who]], done: Callable[[], None]) -> pl.DataFrame:
    """The answers to the users of one block; what should be known of them is remarked.

    Args:
        ask: Answers them together.
        question_list: (id, who) of each.
        done: Called as each answer is ready.
    """
    answers = ask([who for _, who in question_list], done)
    for answer in answers:
        remark_all(answer.notes)
    return table((user_id, answer) for (user_id, _), answer in zip(question_list, answers, strict=True))


def score_table(
    score: Callable[[Queries], FloatArray], questions: Questions, ids: Sequence[str], users: object
) -> pl.DataFrame:
    """user_id, item_id, score: a row for each user and item as they were given, repeats included.

    Args:
        score: (c,) scores of the items at one query, (1,).
        questions: Reads the question.
        ids: (c,) item ids.
        users: User ids.
    """
    user_ids = [user_id for user_id, _ in many_users(users, None)]
    queries = [questions.query(user_id, None)[0] for user_id in user_ids]
    rows = [
        (user_id, item_id, float(value))
        for user_id, query in zip(user_ids, queries, strict=True)
        for item_id, value in zip(ids, score(query), strict=True)
    ]
    return pl.DataFrame(rows, schema=SCORES, orient="row")
