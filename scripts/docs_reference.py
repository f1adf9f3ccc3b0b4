"""Write the pages that are made from the code: docs/cli.md from the command line, docs/settings.md from the recipe.

Run it after a change of an option or a setting: python scripts/docs_reference.py
"""

import argparse
import html
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mmsrarec.runs.recipe import Recipe

DOCS = Path(__file__).parents[1] / "docs"
CLI_MODULE = "mmsrarec.cli.commands"
MAX_COLUMNS = 100
BOUNDS = {"ge": "", "gt": "above ", "le": "", "lt": "below "}
"""Pydantic's bounds, lower ones first, and the words before their values."""

CLI_INTRODUCTION = """# Command line

This page is made from the help texts of the commands by `scripts/docs_reference.py`.

Every command takes `--json`: one JSON object goes to standard output, everything else to standard
error. A command ends with 0, with 1 where what it looked at is not in order, and with 2 for wrong
use, after one line that says what to do. A stopped command goes on from what is finished.
"""
SETTINGS_INTRODUCTION = """# Settings

This page is made from the settings' own models by `scripts/docs_reference.py`.

A recipe is a TOML file with these keys. Only `name` and `data` have no default. An unknown key is
an error that names the nearest known one. `--set recommend.history=8` overrides a key on the
command line. Settings marked "ours" or "extension" are decisions of this project; the paper does
not have them.
"""


def cli_page() -> str:
    """Return the page of all commands, from what Typer knows of them."""
    command = [sys.executable, "-m", "typer", CLI_MODULE, "utils", "docs", "--name", "mmsrarec"]
    made = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    _, *sections = re.split(r"^(?=## )", made, flags=re.MULTILINE)
    return "\n".join([CLI_INTRODUCTION, *(_wrapped(html.unescape(section)) for section in sections)]).rstrip() + "\n"


def _wrapped(section: str) -> str:
    """The section with lines of at most MAX_COLUMNS, and usage lines as they are."""
    lines = section.replace("$ mmsrarec", "mmsrarec").splitlines()
    return "\n".join(_wrapped_line(_without_comparison(line)) for line in lines).rstrip() + "\n"


def _without_comparison(line: str) -> str:
    """A range such as 0<=x<=1 would read as a tag."""
    return line.replace("<=", "≤").replace(">=", "≥") if line.startswith("*") else line


def _wrapped_line(line: str) -> str:
    if len(line) <= MAX_COLUMNS or not line.strip() or line.startswith(("#", "`", "mmsrarec")):
        return line
    indent = "  " if line.startswith("*") else ""
    return textwrap.fill(line, MAX_COLUMNS, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def settings_page() -> str:
    """Return the page of all settings, a section for each table of a recipe."""
    return "\n".join([SETTINGS_INTRODUCTION, *_sections(Recipe, "")])


def _sections(model: type[BaseModel], path: str) -> Iterator[str]:
    """The section of a table, then those of the tables within it."""
    tables = {name: nested for name, field in model.model_fields.items() if (nested := _nested(field.annotation))}
    rows = [_row(name, field) for name, field in model.model_fields.items() if name not in tables]
    if rows or not path:
        heading = f"## `[{path}]`" if path else "## Top of the file"
        yield "\n".join([heading, "", *textwrap.wrap(_first_paragraph(model), MAX_COLUMNS), ""])
    if rows:
        yield "\n".join([*rows, ""])
    for name, nested in tables.items():
        yield from _sections(nested, f"{path}.{name}".lstrip("."))


def _nested(annotation: Any) -> type[BaseModel] | None:
    """The model of a table, also where the table may be missing; None for a plain value."""
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def _first_paragraph(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").strip().split("\n\n")[0].split())


def _row(name: str, field: FieldInfo) -> str:
    """A list item: name, type, default and range, then what the setting is."""
    facts = [_type(field.annotation), _default(field), *([bounds] if (bounds := _range(field)) else [])]
    text = f"**`{name}`**: {', '.join(facts)}. {_sentence(field.description or '')}"
    options = {"initial_indent": "- ", "subsequent_indent": "  "}
    return textwrap.fill(text, MAX_COLUMNS, break_long_words=False, break_on_hyphens=False, **options)


def _sentence(text: str) -> str:
    """The description with a capital and a full stop; a name that stands first keeps its small letter."""
    text = " ".join(text.split())
    text = text if re.match(r"[\w.]+:|\w*_", text) else text[:1].upper() + text[1:]
    return f"{text}." if text and text[-1] not in ".]" else text


def _type(annotation: Any) -> str:
    """The type in words that a writer of TOML knows."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f'`"{value}"`' for value in arguments)
    if origin in (Union, UnionType):
        return " or ".join(_type(argument) for argument in arguments if argument is not type(None))
    if origin in (tuple, list):
        return f"list of {_type(arguments[0])}"
    names = {int: "integer", float: "number", str: "text", bool: "true or false", Path: "path"}
    return names.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    value = field.get_default(call_default_factory=True)
    if value is None:
        return "not set by default"
    if isinstance(value, bool):
        return f"default `{str(value).lower()}`"
    if isinstance(value, str):
        return f'default `"{value}"`'
    if isinstance(value, tuple | list):
        return "default " + (", ".join(f'`"{one}"`' for one in value) or "`[]`")
    return f"default `{value}`"


def _range(field: FieldInfo) -> str:
    """The bounds that pydantic checks, in words: "1 to 50", "above 0", "0 to below 1"."""
    bounds = {
        name: value for rule in field.metadata for name in BOUNDS if (value := getattr(rule, name, None)) is not None
    }
    patterns = [f"matches `{rule.pattern}`" for rule in field.metadata if getattr(rule, "pattern", None)]
    words = [f"{BOUNDS[name]}{value:,}".replace(",", " ") for name, value in bounds.items()]
    if "ge" in bounds and len(words) == 1:
        words = [f"at least {words[0]}"]
    return ", ".join([*([" to ".join(words)] if words else []), *patterns])


PAGES = {"cli.md": cli_page, "settings.md": settings_page}


def main() -> int:
    """Write the pages, or with --check only look whether they are current."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="write nothing; end with 1 where a page is out of date")
    check = parser.parse_args().check
    outdated = [name for name, page in PAGES.items() if _read(DOCS / name) != page()]
    for name in outdated:
        print(f"docs/{name} is out of date" if check else f"docs/{name} written")
        if not check:
            (DOCS / name).write_text(PAGES[name](), encoding="utf-8")
    return 1 if check and outdated else 0


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


if __name__ == "__main__":
    sys.exit(main())
