"""A recipe reads what is meant, and says in one line what is not understood."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmsrarec.errors import MmsrarecError
from mmsrarec.runs.recipe import SHIPPED, Recipe, _fields, find_recipe, load_recipe, parse_override, to_toml
from mmsrarec.runs.renamed_settings import RENAMED_SETTINGS


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\ndata = "data/mine"\n[evaluate]\nnegatives = 7\n[retrieve]\nk = 4\n')
    return path


def test_a_recipe_is_read_with_defaults(recipe_file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = load_recipe(recipe_file)
    assert (recipe.evaluate.negatives, recipe.retrieve.k, recipe.seed) == (7, 4, 0)
    assert recipe.data == tmp_path / "data/mine"
    assert recipe.model.name == "embedded"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("true", True),
        ("3", 3),
        ('"007"', "007"),
        ('["als", "mmsrarec"]', ["als", "mmsrarec"]),
        ("embedded", "embedded"),
        ("../data/x", "../data/x"),
        ("a=b", "a=b"),
    ],
)
def test_overrides_are_toml_values(text: str, value: Any) -> None:
    assert parse_override(f"some.key={text}") == ("some.key", value)


@pytest.mark.parametrize("text", ["k", "=3", "a..b=3", "a=[1", "a=1\nb=2", 'a="x'])
def test_a_malformed_override_is_refused(text: str) -> None:
    with pytest.raises(MmsrarecError, match="--set"):
        parse_override(text)


def test_overrides_win(recipe_file: Path) -> None:
    recipe = load_recipe(recipe_file, ["evaluate.negatives=9", "evaluate.negatives=10", 'evaluate.rows=["als"]'])
    assert (recipe.evaluate.negatives, recipe.evaluate.rows) == (10, ("als",))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("retrieve.next_item=2", r"--set retrieve\.next_item=2: unknown key .*did you mean retrieve\.next_items\?"),
        ("retreive.k=2", r"unknown key retreive; did you mean retrieve\?"),
        ("negatives=2", r"unknown key negatives; did you mean .*evaluate\.negatives\?"),
        ("xyzzyq=2", r"unknown key xyzzyq; known there: .*seed"),
        ("retrieve.k=0", r"--set retrieve\.k=0: retrieve\.k: .*greater than or equal to 1 \(it is 0\)"),
        ("retrieve=3", r"--set retrieve=3: retrieve: .*dictionary"),
        ("seed.of=3", r"unknown|valid integer"),
        ("name=../up", "name"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(recipe_file: Path, override: str, message: str) -> None:
    with pytest.raises(MmsrarecError, match=message) as caught:
        load_recipe(recipe_file, [override])
    assert "\n" not in str(caught.value)


def test_an_unknown_key_of_the_file_names_the_file(recipe_file: Path) -> None:
    recipe_file.write_text(recipe_file.read_text() + "embedding_sise = 8\n")
    said = r"mine\.toml: unknown key retrieve\.embedding_sise; did you mean retrieve\.embedding_size\?"
    with pytest.raises(MmsrarecError, match=said):
        load_recipe(recipe_file)


@pytest.mark.parametrize("text", ["name = ", "name = 'x'\n", "\xff"])
def test_a_broken_file_names_itself(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(MmsrarecError, match=r"bad\.toml"):
        load_recipe(tmp_path / "bad.toml")


def test_a_recipe_that_is_not_there_lists_the_shipped_ones() -> None:
    with pytest.raises(MmsrarecError, match=r"no recipe nowhere\.toml: name a TOML file, or one of the shipped"):
        find_recipe("nowhere.toml")


@given(seed=st.integers(0, 2**32 - 1), folder=st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_recipe_survives_being_written(tmp_path: Path, seed: int, folder: str) -> None:
    recipe = Recipe.model_validate(
        {"name": "a", "data": f"/data/{folder}", "seed": seed, "retrieve": {"learning_rate": 1e-05}}
    )
    (tmp_path / "b.toml").write_text(to_toml(recipe), encoding="utf-8", newline="")
    assert load_recipe(tmp_path / "b.toml") == recipe


@pytest.mark.parametrize("path", sorted({file for folder in SHIPPED for file in folder.glob("*.toml")}), ids=str)
def test_shipped_recipes_are_valid(path: Path) -> None:
    recipe = load_recipe(path)
    assert recipe.name == path.stem
    assert load_recipe(path.stem).name == recipe.name


@pytest.mark.parametrize("names", [("beauty", "sports", "toys"), ("baby", "games")])
def test_recipes_of_one_family_differ_in_their_data_only(names: tuple[str, ...]) -> None:
    recipes = [load_recipe(f"amazon-{name}") for name in names]
    assert [recipe.evaluate.reference_results for recipe in recipes] in ([None] * 3, ["amazon-baby", "amazon-games"])
    first, *others = (
        recipe.model_dump(exclude={"name": True, "data": True, "evaluate": {"reference_results"}}) for recipe in recipes
    )
    assert others == [first] * len(others)


@pytest.mark.parametrize(("old", "new"), RENAMED_SETTINGS.items())
def test_an_old_name_of_a_setting_is_an_error_that_names_the_new_one(recipe_file: Path, old: str, new: str) -> None:
    said = rf"{re.escape(old)} is now called {re.escape(new)}$"
    with pytest.raises(MmsrarecError, match=said):
        load_recipe(recipe_file, [f"{old}=1"])
    assert new in set(_fields(Recipe))


@pytest.mark.parametrize("model", ["embedded", "embedded-small"])
def test_the_embedded_model_is_not_asked_about_pictures_in_a_way_that_it_has_not(model: str) -> None:
    with pytest.raises(MmsrarecError, match=r"leave summarize.picture_form = \"native\" out"):
        load_recipe("sample", ['summarize.picture_form="native"', f'model.name="{model}"'])
    assert load_recipe("sample", ['summarize.picture_form="native"', 'model.name="other"']).model.name == "other"
