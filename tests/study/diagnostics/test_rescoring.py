"""Models are asked again about a sample of the test users, once, and only those that read a history."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmsrarec.core.progress import Progress
from mmsrarec.data.dataset import Dataset, FloatArray, IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.recommend.prompt.prompt_context import PromptContext
from mmsrarec.recommend.settings import RecommendSettings
from mmsrarec.runs.recipe import Recipe
from mmsrarec.runs.run_folder import RunFolder
from mmsrarec.study.diagnostics.changed_histories import HISTORIES, TRUE
from mmsrarec.study.diagnostics.rescoring import (
    history_results,
    is_sequence_model,
    own_row,
    words_result,
)
from mmsrarec.study.model_results import Comparison
from mmsrarec.study.results import ModelResult


class Reader:
    """Knows the target of whoever has a history, and keeps what it was asked."""

    name = "reader"

    def __init__(self) -> None:
        self.asked: list[Queries] = []

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        assert candidates is not None
        self.asked.append(queries)
        has_history = np.array([len(history) > 0 for history in queries.history])
        return 1.0 * (candidates == queries.target[:, None]) * has_history[:, None]


def comparison(data: Dataset, folder: Path, **settings: Any) -> Comparison:
    recipe = Recipe.model_validate({"name": "a", "data": data.folder, "evaluate": settings})
    run_folder = RunFolder(recipe, folder)
    run_folder.recorded = str
    return Comparison(run_folder, "leave-one-out", Progress(), lambda done, total, label: None)


def rows_of(mine: Comparison, *names: str) -> list[ModelResult]:
    user = mine.queries["published"].user
    metrics = {name: np.arange(len(user)) / len(user) for name in ("HR@5", "NDCG@5", "MRR@5", "AUC")}
    return [ModelResult("published", mine.name, name, "whole", 0, user, metrics) for name in names]


def test_each_history_is_scored_for_the_same_users_and_kept(drawn: Dataset, tmp_path: Path) -> None:
    mine, reader = comparison(drawn, tmp_path, diagnosed_users=20), Reader()
    mine.scorers.classic = mine.scorers.tuned = lambda name: reader  # type: ignore[method-assign]
    rows = rows_of(mine, "random", "als", "sasrec", "mmsrarec")
    results = history_results(mine, rows)
    assert [result.model for result in results] == ["sasrec", "mmsrarec"]
    assert len(reader.asked) == 2 * len(HISTORIES)
    (users,) = {tuple(queries.user) for queries in reader.asked}
    assert len(users) == 20
    for result in results:
        assert list(result.metrics) == [TRUE, *HISTORIES]
        assert result.metrics["shuffled"]["HR@5"].tolist() == [1] * 20
        assert result.metrics["empty"]["AUC"].tolist() == [0.5] * 20
        position = {user: place for place, user in enumerate(rows[0].user.tolist())}
        stored = [rows[0].metrics["AUC"][position[user]] for user in users]
        assert result.metrics[TRUE]["AUC"].tolist() == stored
    again = history_results(mine, rows)
    assert len(reader.asked) == 2 * len(HISTORIES)
    assert [result.seconds for result in again] == [result.seconds for result in results]


def test_other_users_are_asked_anew_and_zero_asks_nobody(drawn: Dataset, tmp_path: Path) -> None:
    reader = Reader()
    for n, asked in ((3, 3), (0, 3), (4, 6)):
        mine = comparison(drawn, tmp_path, diagnosed_users=n)
        mine.scorers.classic = lambda name: reader  # type: ignore[method-assign]
        assert len(history_results(mine, rows_of(mine, "sasrec"))) == (n > 0)
        assert len(reader.asked) == asked


def test_who_reads_a_history_in_order() -> None:
    names = ("sasrec", "gru4rec", "bert4rec", "content-sasrec", "als", "mmsrarec", "context-only", "nobody")
    assert [name for name in names if is_sequence_model(name)] == list(names[:4])


def test_a_row_is_the_model_by_itself(drawn: Dataset, tmp_path: Path) -> None:
    mine = comparison(drawn, tmp_path)
    (row,) = rows_of(mine, "mmsrarec")
    fused = ModelResult("published", mine.name, "mmsrarec", "ensemble with als", 0, row.user, row.metrics)
    assert own_row([fused, row], "mmsrarec") is row
    assert own_row([fused], "mmsrarec") is None


@dataclass
class Votes:
    """Stage 2 by which every candidate with an even code has most votes."""

    soft: None = None

    def gather(self, queries: Queries, candidates: IntArray, settings: RecommendSettings) -> list[PromptContext]:
        nothing = (0,) * candidates.shape[1]
        return [PromptContext((), (), tuple(row), nothing, tuple(5 * (row % 2 == 0))) for row in candidates]


def test_the_words_are_weighed_on_validation_and_ranked_on_the_test(drawn: Dataset, tmp_path: Path) -> None:
    mine = comparison(drawn, tmp_path)
    mine.run_folder.retrieval = lambda name, variant="whole": Votes()  # type: ignore[assignment]
    rows = rows_of(mine, "mmsrarec")
    result = words_result(mine, rows)
    assert result is not None
    assert 0 < result.queries <= len(mine.split.valid)
    assert set(result.weights) == {"popularity", "neighbour_votes"}
    assert len(result.metrics["AUC"]) == len(mine.queries["published"])
    most, none = result.weights["neighbour_votes"]["many alike"], result.weights["neighbour_votes"]["none alike"]
    even = np.mean(mine.split.valid.target % 2 == 0)
    assert (most > none) == (even > 0.5)
    mine.run_folder.retrieval = lambda name, variant="whole": pytest.fail("gathered twice")  # type: ignore[assignment]
    assert words_result(mine, rows).metrics["HR@5"].tolist() == result.metrics["HR@5"].tolist()  # type: ignore[union-attr]


def test_without_the_language_model_or_without_words_there_is_no_words_logit(drawn: Dataset, tmp_path: Path) -> None:
    mine = comparison(drawn, tmp_path)
    assert words_result(mine, rows_of(mine, "als")) is None
    fields = {"popularity": False, "neighbour_votes": False}
    recipe = mine.recipe.model_copy(update={"recommend": RecommendSettings.model_validate({"prompt_fields": fields})})
    silent = Comparison(RunFolder(recipe, tmp_path), "leave-one-out", Progress(), lambda done, total, label: None)
    assert words_result(silent, rows_of(silent, "mmsrarec")) is None
