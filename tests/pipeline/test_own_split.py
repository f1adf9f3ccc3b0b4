"""A run on a split of the user's own: what it trains on and asks, when it is done again, what it keeps."""

from pathlib import Path

import pytest
from finished import RECIPE, done, go, recipe_in
from world import save_tiny

from mmsrarec.data.split_file import KEPT, saved_parts
from mmsrarec.data.synthetic.catalogue import draw_catalogue
from mmsrarec.errors import MmsrarecError
from mmsrarec.runs.run_folder import RunFolder

FEW = ("evaluate.splits=['file']", "evaluate.rows=['popularity', 'sasrec']", "evaluate.shown_users=0")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with data and a recipe, in which nothing was run."""
    draw_catalogue(tmp_path / "data", seed=3, items=60, shoppers=60)
    save_tiny(tmp_path / "model")
    head, parts = RECIPE.split("[model]")
    text = f'{head}data = "{tmp_path / "data"}"\n[model]\nname = "{tmp_path / "model"}"{parts}'
    (tmp_path / "tiny.toml").write_text(text)
    return tmp_path


def test_a_run_follows_the_file_and_keeps_it(place: Path) -> None:
    path = place / "split.csv"
    settings = (*FEW, f"evaluate.split_file={path}")

    def write(test: tuple[str, ...]) -> None:
        parts = dict.fromkeys(users[:8], "validation") | dict.fromkeys(users[20:55], "train")
        lines = (f"{user},{part}" for user, part in (parts | dict.fromkeys(test, "test")).items())
        path.write_text("\n".join(["user_id,part", *lines]) + "\n")

    recipe = recipe_in(place, *settings)
    users = RunFolder(recipe, place / "run").dataset.user_ids
    write(users[8:20])
    _, said = go(place, *settings, stages=("retrieve",))
    assert "35 users in train, 8 users in validation, 12 users in test" in said
    assert "5 users with" in said
    assert done(said) == {"retrieve/file"}
    assert not done(go(place, *settings, stages=("retrieve",))[1])
    split = RunFolder(recipe, place / "run").split("file")
    assert {users[code] for code in split.test.user} == {*users[8:20]}
    assert {users[code] for code in split.train.user} == {*users[20:55]}
    assert set(saved_parts(place / "run" / "retrieve" / "file")) == {*users[:55]}
    write(users[8:19])
    assert done(go(place, *settings, stages=("retrieve",))[1]) == {"retrieve/file"}
    assert users[19] not in (place / "run" / "retrieve" / "file" / KEPT).read_text()
    write((*users[8:20], "nobody"))
    with pytest.raises(MmsrarecError, match="user 'nobody' has no interaction"):
        go(place, *settings, stages=("retrieve",))


@pytest.mark.parametrize(
    ("setting", "message"),
    [("evaluate.splits=['file']", "name the file"), ("evaluate.split_file=split.csv", "is not used")],
)
def test_the_split_and_its_file_belong_together(setting: str, message: str, place: Path) -> None:
    with pytest.raises(MmsrarecError, match=message):
        go(place, setting)
