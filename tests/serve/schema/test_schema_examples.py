"""The description of the server has an example of every body, every text in an address and every answer; they work."""

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from served import Served

from mmsrarec.serve.schema import schema_examples

Schema = dict[str, Any]
JSON = "application/json"


@pytest.fixture(scope="module")
def description(server: Served) -> Schema:
    return server.ok("GET", "/openapi.json")


def operations(description: Schema) -> Iterator[tuple[str, str, Schema]]:
    """(method, path, operation) of every route that asks or tells something."""
    for path, methods in description["paths"].items():
        if path.startswith("/v1/"):
            yield from ((method.upper(), path, operation) for method, operation in methods.items())


def choices(description: Schema, schema: Schema) -> list[Schema]:
    """The objects that a schema allows."""
    parts = schema.get("anyOf", [schema])
    return [description["components"]["schemas"][part["$ref"].rpartition("/")[2]] for part in parts]


def bodies(description: Schema, operation: Schema) -> list[Schema]:
    content = operation.get("requestBody", {}).get("content", {})
    return choices(description, content[JSON]["schema"]) if content else []


def answers(description: Schema, operation: Schema) -> list[Schema]:
    contents = [answer.get("content", {}) for status, answer in operation["responses"].items() if status < "300"]
    return [one for content in contents if content for one in choices(description, content[JSON]["schema"])]


def test_every_body_and_every_answer_has_an_example_that_it_allows(description: Schema) -> None:
    seen = 0
    for method, path, operation in operations(description):
        for schema in (*bodies(description, operation), *answers(description, operation)):
            examples = schema.get("examples", [])
            assert examples, f"{method} {path}: {schema['title']}"
            validator = Draft202012Validator({**schema, "components": description["components"]})
            assert [error.message for example in examples for error in validator.iter_errors(example)] == []
            seen += len(examples)
    assert seen > 20


def test_every_text_in_an_address_has_an_example(description: Schema) -> None:
    for method, path, operation in operations(description):
        for parameter in operation.get("parameters", []):
            kinds = [part.get("type") for part in parameter["schema"].get("anyOf", [parameter["schema"]])]
            assert "string" not in kinds or parameter["schema"]["examples"], f"{method} {path}: {parameter['name']}"
            named = {"item_id": schema_examples.KNOWN_ITEM["item_id"], "user_id": schema_examples.USER["user"]}
            if parameter["name"] in named:  # of the same kind as in the bodies
                assert parameter["schema"]["examples"] == [named[parameter["name"]]], path


def test_every_example_of_a_body_works(own: Served, description: Schema) -> None:
    for item in ("318", "12", "7"):
        own.ok("PUT", f"/v1/items/{item}", {"title": "A mug"})
    for method, path, operation in operations(description):
        here = path.replace("{item_id}", "318").replace("{user_id}", "42")
        for schema in bodies(description, operation):
            for example in schema["examples"]:  # of all only the other run is not there
                own.ok(method, here, example, 404 if path == "/v1/run" else 200)
