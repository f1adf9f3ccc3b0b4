"""Requests for scores are token ids, and answers are read strictly."""

import json
from typing import Any

import pytest

from mmsrarec.engines.chat_completions import UnreadableAnswer
from mmsrarec.engines.scoring.score_answers import (
    ROUTES,
    parent_of,
    read_score_list,
    read_score_rows,
    score_request,
)


def score_list(*scores: Any) -> bytes:
    rows = [{"index": place, "object": "score", "score": score} for place, score in enumerate(scores)]
    return json.dumps({"object": "list", "data": rows}).encode()


def test_a_request_says_all_that_servers_would_guess_differently() -> None:
    body = score_request("m", (1, 2), [(3,), (4, 5)], (7, 8))
    assert body == {
        "model": "m",
        "query": [1, 2],
        "items": [[3], [4, 5]],
        "label_token_ids": [7, 8],
        "apply_softmax": True,
        "item_first": False,
    }


def test_scores_are_put_in_the_order_of_the_candidates() -> None:
    rows = [{"index": 1, "score": 0.25}, {"index": 0, "score": 0.75}]
    assert read_score_list(json.dumps({"data": rows}).encode(), 2, 2) == [0.75, 0.25]
    assert read_score_rows(b'{"scores": [[0.75, 0.25], [0.5, 0.5]]}', 2, 2) == [0.75, 0.5]
    assert [route.reader(0, 2)(b'{"data": [], "scores": []}') for route in ROUTES] == [[], []]


@pytest.mark.parametrize(
    "body",
    [
        b"no JSON",
        b"[]",
        b'{"scores": [[0.5, 0.5]]}',
        score_list(0.5),
        score_list(0.5, 0.5, 0.5),
        score_list(0.5, "0.5"),
        score_list(0.5, None),
        score_list(0.5, -0.1),
        score_list(0.5, 1.5),
        score_list(0.5, float("nan")),
        b'{"data": [{"index": 0, "score": 0.5}, {"index": 0, "score": 0.5}]}',
        b'{"data": [{"index": 0, "score": 0.5}, {"index": 2, "score": 0.5}]}',
        b'{"data": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    ],
)
def test_a_list_of_scores_that_is_none_is_refused_in_one_line(body: bytes) -> None:
    with pytest.raises(UnreadableAnswer, match="the engine sent") as error:
        read_score_list(body, 2, 2)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "scores",
    [
        [[0.5, 0.5]],
        [[0.5, 0.5], [0.5]],
        [[0.5, 0.5], [0.5, 0.4]],  # of all tokens, not of the labels
        [[0.5, 0.5], [float("nan"), 0.5]],
        [[0.5, 0.5], 0.5],
        None,
    ],
)
def test_a_table_of_scores_that_is_none_is_refused(scores: Any) -> None:
    with pytest.raises(UnreadableAnswer, match="the engine sent"):
        read_score_rows(json.dumps({"scores": scores}).encode(), 2, 2)


def test_the_model_under_an_adapter_is_found_in_the_list_of_models() -> None:
    cards = [{"id": "base", "parent": None}, {"id": "mine", "parent": "base"}, {"id": "odd", "parent": "odd"}]
    body = json.dumps({"data": cards}).encode()
    assert [parent_of(body, name) for name in ("mine", "base", "odd", "other")] == ["base", None, None, None]
    with pytest.raises(UnreadableAnswer):
        parent_of(b'{"data": [7]}', "mine")
