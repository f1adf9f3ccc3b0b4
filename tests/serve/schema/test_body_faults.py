"""A wrong body is told by the form that it means: the field's own place, and no names of the validating library."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from mmsrarec.serve.schema.body_faults import as_sent, faults
from mmsrarec.serve.schema.changing import EventAsked, EventBatch, ItemAsked
from mmsrarec.serve.schema.limits import MAX_EVENTS
from mmsrarec.serve.schema.recommending import RecommendAsked
from mmsrarec.serve.schema.reranking import RerankAsked

EVENT = {"user": "u", "item": "i"}
INTERNALS = ("[", "<", "function", "str", "EventAsked", "EventBatch", "Document", "instance", "Value error")


def problems(schema: Any, body: object) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as raised:
        TypeAdapter(schema).validate_python(body)
    errors = [{**error, "loc": ("body", *error["loc"])} for error in raised.value.errors()]
    return [(one["place"], one["message"]) for one in as_sent(faults(errors, body))]


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ({"events": [EVENT, EVENT | {"kind": "eat"}]}, ["body.events.1.kind"]),
        ({"events": []}, ["body.events"]),
        ({"events": [EVENT] * (MAX_EVENTS + 1)}, ["body.events"]),
        ({"events": [EVENT | {"item": ""}, {"user": "u"}]}, ["body.events.0.item", "body.events.1.item"]),
        ({"events": [EVENT], "more": 1}, ["body.more"]),
        ({"events": None}, ["body.events"]),
        (EVENT | {"kind": "eat"}, ["body.kind"]),
        (EVENT | {"user": "null"}, ["body.user"]),
        ({"user": "u"}, ["body.item"]),
        ({}, ["body.user", "body.item"]),
        ([], ["body"]),
        (None, ["body"]),
        ("text", ["body"]),
    ],
)
def test_events(body: object, places: list[str]) -> None:
    found = problems(EventAsked | EventBatch, body)
    assert [place for place, _ in found] == places


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ({"query": None}, ["body.query"]),
        ({"query": 1}, ["body.query"]),
        ({"query": {"a": 1}}, ["body.query"]),
        ({"query": ["a", 1.5]}, ["body.query.1"]),
        ({"query": ["a\n", []]}, ["body.query.0", "body.query.1"]),
        ({"query": "x" * 20_001}, ["body.query"]),
        ({"documents": [None]}, ["body.documents.0"]),
        ({"documents": ["a", {"id": []}]}, ["body.documents.1.id"]),
        ({"documents": [{"text": 1}, 2]}, ["body.documents.0.text", "body.documents.1"]),
        ({"documents": "a"}, ["body.documents"]),
        ({"top_n": -1}, ["body.top_n"]),
    ],
)
def test_a_query_and_documents(body: dict[str, object], places: list[str]) -> None:
    found = problems(RerankAsked, {"query": "q", "documents": []} | body)
    assert [place for place, _ in found] == places
    assert not [word for _, message in found for word in INTERNALS if word in message.replace("string", "")]


def test_all_forms_are_named_where_none_is_meant() -> None:
    assert problems(RerankAsked, {"query": None, "documents": []}) == [
        ("body.query", "Input should be a valid string or a valid list")
    ]
    assert problems(RerankAsked, {"query": "q", "documents": [None]}) == [
        ("body.documents.0", "Input should be a valid string or an object")
    ]


def test_bodies_of_one_form_stay_as_they_are() -> None:
    found = problems(RecommendAsked, {"history": [[]], "boosts": {"a": "x", "b": 9}, "unknown": 1})
    assert [place for place, _ in found] == ["body.history.0", "body.boosts.a", "body.boosts.b", "body.unknown"]
    assert "U+FFFD" in problems(RecommendAsked, {"user": "\ufffd"})[0][1]
    assert problems(ItemAsked, []) == [("body", "Input should be an object")]


def test_many_faults_are_a_few() -> None:
    assert len(problems(RerankAsked, {"query": "q", "documents": [None] * 1000})) == 20
