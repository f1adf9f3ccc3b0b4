"""What servers answer: the forms that are read, and that nothing else passes or breaks the reader."""

import json

import pytest
from chat_server import completion
from hypothesis import given
from hypothesis import strategies as st

from mmsrarec.engines.chat_completions import (
    MOST_CHARACTERS,
    UnreadableAnswer,
    error_message,
    read_blame,
    read_completion,
    read_models,
)
from mmsrarec.engines.protocol import Usage

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["choices", "message", "content", "usage"]), inner),
)


def test_a_usual_answer() -> None:
    found = read_completion(json.dumps(completion("mug, clay", model="big@main")).encode())
    assert (found.text, found.model, found.usage) == ("mug, clay", "big@main", Usage(10, 3))
    assert not found.cut
    assert found.refused is None


def test_forms_that_some_servers_use() -> None:
    parts = completion(
        [{"type": "text", "text": "mug, "}, {"type": "thinking", "text": "hm"}, {"type": "text", "text": "clay"}]
    )
    assert read_completion(json.dumps(parts).encode()).text == "mug, clay"
    cut = completion("mug", usage=None)
    cut["choices"][0]["finish_reason"] = "length"
    found = read_completion(json.dumps(cut).encode())
    assert found.cut
    assert found.usage is None
    thought = completion(None)
    thought["choices"][0]["message"]["reasoning_content"] = "The picture shows"
    assert read_completion(json.dumps(thought).encode()).text == ""
    filtered = completion("")
    filtered["choices"][0]["finish_reason"] = "content_filter"
    assert read_completion(json.dumps(filtered).encode()).refused == "by its content filter"


def test_null_means_that_the_server_does_not_tell() -> None:
    body = completion("mug", model=None, usage={"prompt_tokens": 7, "completion_tokens": None})
    body["choices"][0] |= {"index": None, "finish_reason": None}
    found = read_completion(json.dumps(body).encode())
    assert (found.text, found.model, found.usage) == ("mug", "", Usage(7, 0))
    body["usage"] = {"prompt_tokens": None, "completion_tokens": None}
    body["choices"][0]["message"]["content"] = [{"type": None, "text": "mug"}, {"type": "text", "text": None}]
    found = read_completion(json.dumps(body).encode())
    assert (found.text, found.usage) == ("mug", None)


@given(JSON)
def test_any_json_is_read_or_refused(value: object) -> None:
    body = json.dumps(value).encode()
    try:
        text = read_completion(body).text
    except UnreadableAnswer:
        return
    text.encode()


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"1" * 10_000, b"NaN"])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        read_completion(body)
    with pytest.raises(UnreadableAnswer):
        read_models(body)
    assert isinstance(error_message(body), str)


def test_a_long_answer_keeps_its_start() -> None:
    assert len(read_completion(json.dumps(completion("x" * 10**6)).encode()).text) == MOST_CHARACTERS


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error": {"message": "no such model", "type": "x"}}, "no such model"),
        ({"error": "no such model"}, "no such model"),
        ({"detail": "Server is pinned"}, "Server is pinned"),
        ({"detail": [{"loc": ["body"]}]}, '[{"loc": ["body"]}]'),
        ({"object": "error", "message": "too long"}, "too long"),
        (["odd"], '["odd"]'),
        ({"error": {}}, "{}"),
    ],
)
def test_errors_say_what_they_mean(body: object, message: str) -> None:
    assert error_message(json.dumps(body).encode()) == message


ERRORS = {
    "param": ({"error": {"message": "Unsupported", "param": "temperature"}}, True),
    "the param of another": ({"error": {"message": "temperature, max_tokens", "param": "messages"}}, False),
    "loc": ({"detail": [{"loc": ["body", "temperature"], "msg": "Extra inputs are not permitted"}]}, True),
    "the loc of another": ({"detail": [{"loc": ["body", "messages", 0], "msg": "no temperature"}]}, False),
    "a loc of all": ({"detail": [{"loc": ["body"], "msg": "temperature is not allowed"}]}, True),
    "an echo beside": ({"detail": [{"msg": "unsafe words", "input": "Room temperature sensor"}]}, False),
    "a message": ({"error": "this model takes no 'temperature'"}, True),
    "a message with null": ({"error": {"message": "temperature is not supported", "param": None}}, True),
    "an echo within": ({"error": {"message": "unsafe: Room temperature sensor"}}, False),
    "part of a word": ({"error": {"message": "temperature_unit is odd"}}, False),
    "words": (b"no temperature here", True),
}


@pytest.mark.parametrize(("body", "is_named"), ERRORS.values(), ids=ERRORS)
def test_a_parameter_is_blamed_only_where_the_error_names_it(body: object, is_named: bool) -> None:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    assert read_blame(sent).of("temperature", "Room temperature sensor") is is_named


@given(JSON)
def test_any_error_is_read(value: object) -> None:
    for body in (value, {"error": value}, {"detail": [value]}, {"error": {"message": value, "loc": value}}):
        assert read_blame(json.dumps(body).encode()).of("temperature") in (True, False)


def test_models_are_listed_by_name() -> None:
    assert read_models(b'{"object": "list", "data": [{"id": "a", "owned_by": "x"}, {"id": "b"}]}') == ("a", "b")
