"""The pages keep the house's form, every link leads somewhere, and what they name exists."""

import re
import tomllib
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from docs.scripts import DOCS, PAGES, ROOT, load_script
from pydantic import BaseModel

from mmsrarec.runs.recipe import Recipe, load_recipe

ALL = [*PAGES, ROOT / "README.md", ROOT / "CHANGELOG.md"]
WRITTEN = [*(page for page in PAGES if page.name not in ("cli.md", "settings.md")), ROOT / "README.md"]
"""The pages that no script makes."""
LINK = re.compile(r"!?\[(?:[^\]\[]|\[[^\]]*\])*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def prose(path: Path) -> str:
    """The text of a page without its code."""
    return FENCE.sub("", path.read_text(encoding="utf-8"))


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and Python-Markdown make them."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    plain = [re.sub(r"[^\w\s-]", "", heading).strip().lower() for heading in headings]
    return {re.sub(r"[-\s]+", "-", heading) for heading in plain}


@pytest.mark.parametrize("page", ALL, ids=name_of)
def test_every_link_inside_leads_somewhere(page):
    broken = []
    for target in LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        place = (page.parent / file).resolve() if file else page
        if not place.exists() or (anchor and anchor not in anchors(place)):
            broken.append(target)
    assert broken == []


def test_links_are_found_and_broken_ones_are_seen():
    assert LINK.findall("[a](b.md#c) ![d [e]](f.svg)") == ["b.md#c", "f.svg"]
    assert "old-names" in anchors(DOCS / "glossary.md")


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=name_of)
def test_lines_are_short_but_for_tables_and_code(page):
    lines = enumerate(prose(page).splitlines(), start=1)
    long = [number for number, line in lines if len(line) > 100 and not line.startswith("|")]
    assert long == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_page_has_one_title_and_stands_in_the_navigation(page):
    assert len(re.findall(r"^# ", prose(page), re.MULTILINE)) == 1
    navigation = (ROOT / "zensical.toml").read_text(encoding="utf-8")
    assert f'"{page.relative_to(DOCS).as_posix()}"' in navigation


def test_no_sentence_of_the_readme_has_more_than_two_figures():
    text = re.sub(r"^(\||<!--|\*).*|.*-->$", "", prose(ROOT / "README.md"), flags=re.MULTILINE)
    text = re.sub(r"`[^`]*`|\]\([^)]*\)|\b[A-Za-z]+[\d.]+(?:-VL)?\b|@\d+", "", text)
    sentences = re.split(r"(?<=[.:!?])\s+|\n\s*\n|^- ", text, flags=re.MULTILINE)
    assert [one for one in sentences if len(re.findall(r"[\d.,]*\d", one)) > 2] == []


def test_the_readme_names_the_commands_of_a_checkout():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make test" in readme
    assert "make demo" in readme


def settings_of(model: type[BaseModel], prefix: str = "") -> set[str]:
    """Every key and table of a recipe, dotted."""
    reference, names = load_script("docs_reference"), set()
    for name, field in model.model_fields.items():
        names.add(f"{prefix}{name}")
        if nested := reference._nested(field.annotation):
            names |= settings_of(nested, f"{prefix}{name}.")
    return names


@pytest.mark.parametrize("page", [page for page in WRITTEN if "log" not in page.parts], ids=name_of)
def test_settings_that_a_page_names_exist(page):
    known = settings_of(Recipe)
    tables = {name.split(".")[0] for name in known if "." in name}
    named = re.findall(
        rf"`(?:--set )?((?:{'|'.join(tables)})(?:\.[a-z_]+)+)[` =]", prose(page).partition("## Old settings")[0]
    )
    assert [name for name in named if name not in known and not name.endswith(".html")] == []


def test_recipes_in_the_guide_are_recipes(tmp_path):
    texts = re.findall(
        r"^```toml\n(.*?)^```", (DOCS / "recipes.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    assert texts
    for number, text in enumerate(texts):
        file = tmp_path / f"{number}.toml"
        file.write_text(text, encoding="utf-8")
        assert load_recipe(file).name


def test_overrides_in_the_guide_are_settings():
    text = "".join(page.read_text(encoding="utf-8") for page in WRITTEN if page.parent == DOCS)
    named = re.findall(r"--set '?\"?([a-z_]+(?:\.[a-z_]+)+)=", text)
    assert named
    assert set(named) <= settings_of(Recipe)


def rooms() -> set[str]:
    """The rooms that the contract of imports names."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = next(one["layers"] for one in settings["tool"]["importlinter"]["contracts"] if one["type"] == "layers")
    return {name.strip().removeprefix("mmsrarec.") for layer in layers for name in layer.split("|")}


def test_the_picture_and_the_table_of_rooms_are_those_of_the_contract():
    drawn = ET.parse(DOCS / "architecture" / "rooms.svg")
    names = {text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")}
    page = (DOCS / "architecture" / "index.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    assert rooms() - {"errors"} <= names
    assert named == rooms() - {"errors"}


def test_every_dependency_has_its_line():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = settings["optional-dependencies"]
    shipped = [name for extra, names in extras.items() if extra != "dev" for name in names]
    wanted = {re.split(r"[<>=~! ;\[]", name)[0] for name in [*settings["dependencies"], *shipped]}
    page = (DOCS / "architecture" / "dependencies.md").read_text(encoding="utf-8")
    assert {name for name in wanted if not re.search(rf"\| .*\b{re.escape(name)}\b.* \|", page)} == set()
