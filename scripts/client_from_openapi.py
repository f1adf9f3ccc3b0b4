"""Write what of the Python client is made from the server's OpenAPI description: its methods and the types of answers.

Run it after a change of a route or of its fields: python scripts/client_from_openapi.py
"""

import argparse
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmsrarec.serve.app.application import create_app
from mmsrarec.serve.settings import ServeSettings

FOLDER = Path(__file__).parents[1] / "clients" / "python" / "src" / "mmsrarec_client"
NOTE = "Made from the server's OpenAPI description by scripts/client_from_openapi.py; changes here are lost.\n"
TYPES = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
WIDTH = 112
Schema = dict[str, Any]


def description() -> Schema:
    """The OpenAPI description of a server; no run is loaded for it."""
    return create_app(ServeSettings(Path("none"), state="sqlite://")).openapi()


def files(document: Schema) -> dict[str, str]:
    """The name and the text of each file that is made."""
    operations = list(operations_of(document))
    bodies = {operation.body_name for operation in operations} - {operation.answer for operation in operations}
    schemas = {name: schema for name, schema in document["components"]["schemas"].items() if name not in bodies}
    return {
        "answer_types.py": formatted(types_file(schemas)),
        "api.py": formatted(client_file(operations, schemas)),
        "server_version.py": formatted(version_file(document["info"]["version"])),
    }


def version_file(version: str) -> str:
    """The version of the server that the client was made for."""
    return f'"""The version of the server.\n\n{NOTE}"""\n\n__version__ = "{version}"\n'


def type_of(schema: Schema) -> str:
    """A schema as a Python type."""
    if "$ref" in schema:
        return schema["$ref"].rpartition("/")[2]
    if "enum" in schema or "const" in schema:
        return f"Literal[{', '.join(map(repr, schema.get('enum', [schema.get('const')])))}]"
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(type_of(one) for one in schema["anyOf"]))
    match schema.get("type"):
        case "array":
            return f"list[{type_of(schema['items'])}]"
        case "object":
            values = schema.get("additionalProperties", {})
            return f"dict[str, {type_of(values) if isinstance(values, dict) else 'Any'}]"
        case "string" if schema.get("format") == "base64":
            return "bytes"
        case str(name):
            return TYPES[name]
        case _:
            return "Any"


def types_file(schemas: dict[str, Schema]) -> str:
    """The types of answers, and of what bodies hold."""
    text = f'"""The types of answers, and of the parts of questions.\n\n{NOTE}"""\n\n'
    text += "from typing import Any, Literal, NotRequired, TypedDict\n\n"
    for name, schema in in_order(schemas):
        optional = set(schema["properties"]) - set(schema.get("required", []))
        lines = [
            f"{field}: {f'NotRequired[{type_of(one)}]' if field in optional else type_of(one)}"
            for field, one in schema["properties"].items()
        ]
        attributes = {field: one["description"] for field, one in schema["properties"].items() if "description" in one}
        about = docstring(schema["description"].partition("\n\nAttributes:")[0], "Attributes", attributes)
        text += f"class {name}(TypedDict):\n{indented(about)}\n\n{indented(chr(10).join(lines))}\n\n"
    return without_unused(text, "Any", "Literal", "NotRequired")


def in_order(schemas: dict[str, Schema]) -> Iterator[tuple[str, Schema]]:
    """The schemas, each after those that it names."""
    left = dict(schemas)
    while left:
        named = {name: " ".join(map(type_of, schema["properties"].values())) for name, schema in left.items()}
        ready = [name for name, text in named.items() if not set(re.findall(r"\w+", text)) & set(left)]
        if not ready:
            raise SystemExit(f"types that hold each other: {', '.join(left)}")
        for name in ready:
            yield name, left.pop(name)


class Operation:
    """One call of the server.

    Attributes:
        name: Of the method.
        parameters: Name -> schema of what the address holds, and where: path or query.
        fields: Name -> schema of what the body holds.
        required: Names of the fields that must be given.
        body_name: The schema of the body; None without one.
        keyed: The field whose parts have a key of their own, by which they count once.
        answer: The type of the answer.
        repeatable: Whether sending the call twice does no harm.
    """

    def __init__(self, path: str, method: str, operation: Schema, schemas: dict[str, Schema]) -> None:
        self.path, self.method, self.about = path, method, operation["description"]
        self.name = operation["operationId"].removesuffix(f"{re.sub(r'[^a-zA-Z0-9]', '_', path)}_{method}")
        self.parameters = {one["name"]: one for one in operation.get("parameters", [])}
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        self.body_name = None if body is None else largest(body, schemas)
        schema = schemas.get(self.body_name or "", {})
        self.fields: dict[str, Schema] = schema.get("properties", {})
        self.required: list[str] = schema.get("required", [])
        parts = {name: one["items"].get("$ref", "") for name, one in self.fields.items() if "items" in one}
        named = {name: schemas[ref.rpartition("/")[2]]["properties"] for name, ref in parts.items() if ref}
        self.keyed = next((name for name, properties in named.items() if "key" in properties), None)
        answers = next(answer for status, answer in operation["responses"].items() if status.startswith("2"))
        content = answers.get("content", {}).get("application/json", {"schema": {"type": "null"}})
        self.answer = type_of(content["schema"])
        reads = method in ("get", "put", "patch") or "answers" in operation["tags"]
        self.repeatable = reads or self.keyed is not None

    def method_text(self) -> str:
        """The method of the client."""
        in_path = [name for name, one in self.parameters.items() if one["in"] == "path"]
        in_query = [name for name in self.parameters if name not in in_path]
        needed = [name for name in self.fields if name in self.required]
        others = [*(name for name in self.fields if name not in self.required), *in_query]
        arguments = ["self", *(f"{name}: str" for name in in_path)]
        arguments += [f"{name}: {type_of(self.fields[name])}" for name in needed]
        arguments += ["*"] if others else []
        arguments += [f"{name}: {optional(type_of(self._schema(name)))} = None" for name in others]
        said = {name: self._about(name) for name in (*in_path, *needed, *others)}
        path = re.sub(r"\{(\w+)\}", r"{in_path(\1)}", self.path)
        values = {name: f"with_keys({name})" if name == self.keyed else name for name in self.fields}
        call = f'"{self.method.upper()}", {"f" if in_path else ""}"{path}", repeatable={self.repeatable}'
        call += f", query={mapping({name: name for name in in_query})}" if in_query else ""
        call += f", body={mapping(values)}" if values else ""
        call = f"self._call({call})"
        lines = docstring(self.about, "Args", said) + "\n" + (call if self.answer == "None" else f"return {call}")
        return f"def {self.name}({', '.join(arguments)}) -> {self.answer}:\n{indented(lines)}\n"

    def _schema(self, name: str) -> Schema:
        return self.fields[name] if name in self.fields else self.parameters[name]["schema"]

    def _about(self, name: str) -> str:
        text = self.fields.get(name, self.parameters.get(name, {})).get("description")
        if text is None:
            raise SystemExit(f"{self.path}: {name} has no description: give it one in mmsrarec.serve")
        return text


def operations_of(document: Schema) -> Iterator[Operation]:
    """Every call."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield Operation(path, method, operation, document["components"]["schemas"])


def largest(body: Schema, schemas: dict[str, Schema]) -> str:
    """The name of a body's schema; where one holds a list of another, that which holds the list."""
    names = [type_of(one) for one in body.get("anyOf", [body])]
    holding = [name for name in names if any(f"list[{other}]" in map(type_of, schemas[name]["properties"].values())
                                             for other in names)]  # fmt: skip
    return [*holding, *names][0]


def client_file(operations: list[Operation], schemas: dict[str, Schema]) -> str:
    """The client."""
    methods = "\n".join(operation.method_text() for operation in operations)
    used = [name for name in schemas if re.search(rf"\b{name}\b", methods)]
    text = f'"""The calls of the server.\n\n{NOTE}"""\n\nfrom typing import Any\n\n'
    text += f"from mmsrarec_client.answer_types import {', '.join(used)}\n"
    text += "from mmsrarec_client.http_calls import Calls, in_path, with_keys\n\n"
    about = "A server's calls, each a method. What is None is not sent, and the server's own default holds."
    return f'{text}\nclass Client(Calls):\n    """{about}"""\n\n{indented(methods)}'


def optional(kind: str) -> str:
    """The type of an argument that may be left out."""
    return kind if kind.endswith(" | None") or kind == "Any" else f"{kind} | None"


def mapping(values: dict[str, str]) -> str:
    """The text of a dictionary."""
    return "{" + ", ".join(f'"{name}": {value}' for name, value in values.items()) + "}"


def docstring(text: str, heading: str, parts: dict[str, str]) -> str:
    """A docstring in Google's style."""
    first, _, rest = text.strip().partition("\n")
    lines = [first, *rest.splitlines()]
    if parts:
        entries = [f"    {name}: {about[:1].upper()}{about[1:].rstrip('.')}." for name, about in parts.items()]
        wrapped = [textwrap.fill(entry, WIDTH, subsequent_indent=" " * 8) for entry in entries]
        lines += ["", f"{heading}:", *wrapped]
    inside = "\n".join(lines)
    return f'"""{inside}\n"""' if len(lines) > 1 else f'"""{inside}"""'


def indented(text: str) -> str:
    """The text, four blanks to the right."""
    return textwrap.indent(text, "    ")


def without_unused(text: str, *names: str) -> str:
    """The text, without imports of names that it does not use."""
    for name in names:
        if len(re.findall(rf"\b{name}\b", text)) == 1:
            text = re.sub(rf"\b{name}, ", "", text, count=1)
    return text


def formatted(text: str) -> str:
    """The text as ruff formats it."""
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(FOLDER / "api.py"), "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True, encoding="utf-8").stdout


def main() -> None:
    """Write the files, or say which ones are old."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; end with 1 where a file is old")
    check = parser.parse_args().check
    for name, text in files(description()).items():
        if check and (FOLDER / name).read_text(encoding="utf-8") != text:
            raise SystemExit(f"{name} is old: run python scripts/client_from_openapi.py")
        if not check:
            (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
