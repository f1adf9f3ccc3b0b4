"""The pages of commands and settings are current and whole."""

from typing import Literal

import pytest
from docs.scripts import DOCS, load_script
from pydantic import BaseModel, Field

from mmsrarec.runs.recipe import Recipe

reference = load_script("docs_reference")
REMEDY = "run python scripts/docs_reference.py"


@pytest.fixture(scope="module")
def cli_page() -> str:
    return reference.cli_page()


def test_the_page_of_commands_is_current(cli_page):
    assert (DOCS / "cli.md").read_text(encoding="utf-8") == cli_page, REMEDY


def test_the_page_of_settings_is_current():
    assert (DOCS / "settings.md").read_text(encoding="utf-8") == reference.settings_page(), REMEDY


@pytest.mark.parametrize("verb", ["demo", "import", "check", "run", "recommend", "explain", "doctor"])
def test_every_command_has_a_section_with_its_options(cli_page, verb):
    section = cli_page.split(f"## `mmsrarec {verb}`")[1].split("\n## ")[0]
    assert "* `--json`" in section
    assert f"mmsrarec {verb}" in section.split("```console")[1]


def test_the_page_of_commands_holds_no_entities_and_no_long_lines(cli_page):
    assert "&#x27;" not in cli_page
    assert "&lt;" not in cli_page
    prose = [line for line in cli_page.splitlines() if not line.startswith("mmsrarec")]
    assert max(map(len, prose)) <= 100


def keys(model: type[BaseModel]) -> list[str]:
    return [
        name if nested is None else inner
        for name, field in model.model_fields.items()
        for nested in [reference._nested(field.annotation)]
        for inner in ([name] if nested is None else keys(nested))
    ]


def test_every_setting_of_a_recipe_is_on_the_page():
    page = reference.settings_page()
    assert len(keys(Recipe)) > 100
    assert [name for name in keys(Recipe) if f"- **`{name}`**" not in page] == []
    assert page.count("- **`") == len(keys(Recipe))


class Inner(BaseModel):
    """What is inside.

    More of it.
    """

    rate: float = Field(default=0.5, gt=0, le=1, description="share kept")
    size: int | None = Field(default=None, ge=2, description="not set: all")


class Outer(BaseModel):
    """What is outside."""

    name: str = Field(description="of the run", pattern="^a")
    kind: Literal["x", "y"] = Field(default="x", description="x: the first; y: the second")
    names: tuple[str, ...] = Field(default=("p", "q"), description="in order")
    inner: Inner | None = None
    on: bool = Field(default=True, description="off: an ablation")


def test_a_section_for_each_table_even_where_it_may_be_missing():
    text = "\n".join(reference._sections(Outer, ""))
    assert "## Top of the file\n\nWhat is outside." in text
    assert "## `[inner]`\n\nWhat is inside.\n\n- **`rate`**" in text
    assert "More of it" not in text


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("name", "text, **required**, matches `^a`. Of the run."),
        ("kind", '`"x"` or `"y"`, default `"x"`. x: the first; y: the second.'),
        ("names", 'list of text, default `"p"`, `"q"`. In order.'),
        ("on", "true or false, default `true`. Off: an ablation.".replace("Off:", "off:")),
    ],
)
def test_type_default_range_and_description_of_a_setting(name, said):
    assert reference._row(name, Outer.model_fields[name]).replace("\n ", "") == f"- **`{name}`**: {said}"


def test_ranges_are_said_in_words():
    fields = Inner.model_fields
    assert reference._range(fields["rate"]) == "above 0 to 1"
    assert reference._range(fields["size"]) == "at least 2"
    assert "not set by default" in reference._row("size", fields["size"])


def test_check_names_an_outdated_page_and_writes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(reference, "DOCS", tmp_path)
    monkeypatch.setattr(reference, "PAGES", {"settings.md": lambda: "new\n"})
    monkeypatch.setattr("sys.argv", ["docs_reference.py", "--check"])
    (tmp_path / "settings.md").write_text("old\n")
    assert reference.main() == 1
    assert capsys.readouterr().out == "docs/settings.md is out of date\n"
    assert (tmp_path / "settings.md").read_text() == "old\n"
    monkeypatch.setattr("sys.argv", ["docs_reference.py"])
    assert reference.main() == 0
    assert (tmp_path / "settings.md").read_text() == "new\n"
    monkeypatch.setattr("sys.argv", ["docs_reference.py", "--check"])
    assert reference.main() == 0
