"""The client is what the server's description makes of it now; the script refuses what it cannot express."""

import pytest

pytest.importorskip("fastapi")
from docs.scripts import load_script


@pytest.fixture(scope="module")
def script():
    return load_script("client_from_openapi")


def test_the_client_is_up_to_date(script) -> None:
    for name, text in script.files(script.description()).items():
        assert (script.FOLDER / name).read_text(encoding="utf-8") == text, f"run scripts/client_from_openapi.py: {name}"


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string", "maxLength": 3}, "str"),
        ({"type": "string", "format": "base64"}, "bytes"),
        ({"anyOf": [{"anyOf": [{"type": "string"}, {"type": "integer"}]}, {"type": "null"}]}, "str | int | None"),
        ({"type": "array", "items": {"$ref": "#/components/schemas/Item"}}, "list[Item]"),
        ({"type": "object", "additionalProperties": {"type": "number"}}, "dict[str, float]"),
        ({"enum": ["a", "b"], "type": "string"}, "Literal['a', 'b']"),
        ({"const": 1}, "Literal[1]"),
        ({}, "Any"),
    ],
)
def test_types(script, schema: dict, expected: str) -> None:
    assert script.type_of(schema) == expected


def test_a_type_stands_after_those_that_it_names(script) -> None:
    schemas = {
        "Cart": {"properties": {"items": {"type": "array", "items": {"$ref": "#/components/schemas/Item"}}}},
        "Item": {"properties": {"id": {"type": "string"}}},
    }
    assert [name for name, _ in script.in_order(schemas)] == ["Item", "Cart"]
    schemas["Item"]["properties"]["cart"] = {"$ref": "#/components/schemas/Cart"}
    with pytest.raises(SystemExit, match="hold each other: Cart, Item"):
        list(script.in_order(schemas))


def test_a_field_needs_a_description(script) -> None:
    document = script.description()
    document["components"]["schemas"]["SimilarAsked"]["properties"]["k"].pop("description")
    with pytest.raises(SystemExit, match=r"/v1/similar: k has no description"):
        script.files(document)
