"""Many users asked about at once: what is wrong is said before the work, and the answer is a table."""

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

from mmsrarec.core.progress import Progress, Reported
from mmsrarec.core.terminal import remark_all
from mmsrarec.data.dataset import FloatArray
from mmsrarec.data.splits import Queries
from mmsrarec.errors import MmsrarecError
from mmsrarec.runs.answers.questions import Questions, many_users
from mmsrarec.runs.answers.recommendations import Recommendations, table

SCORES = {"user_id": pl.String, "item_id": pl.String, "score": pl.Float64}
ONE_OR_MANY = "give user or history for one answer, or users or histories for a table"


def recommend_table(
    ask: Callable[[Any, Any], Recommendations],
    questions: Questions,
    single: Sequence[object],
    users: object,
    histories: object,
    strict: bool,
    progress: Reported,
) -> pl.DataFrame:
    """The answers to many questions, as `Recommender.recommend` describes them.

    Args:
        ask: Answers one user or one history.
        questions: Reads the question.
        single: What was given for a single answer beside, which must be None.
        users: User ids, or None.
        histories: Histories, or None.
        strict: Refuse a history that holds an unknown item.
        progress: Where to tell how far it is.
    """
    if any(given is not None for given in single):
        raise MmsrarecError(ONE_OR_MANY)
    questions_of_users, say = many_users(users, histories), Progress.of(progress)
    for _, who in questions_of_users:
        questions.query(who.get("user"), who.get("history"), strict)
    answers: list[tuple[str, Recommendations]] = []
    for user_id, who in say.track(questions_of_users, "recommending"):
        answer = ask(who.get("user"), who.get("history"))
        remark_all(answer.notes)
        answers.append((user_id, answer))
    return table(answers)


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
