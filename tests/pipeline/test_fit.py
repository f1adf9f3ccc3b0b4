"""`fit` makes a run that answers, from a data set and a time, and tells what it chose; the tiny model stands in."""

import json
import logging
from pathlib import Path

import numpy as np
import pytest

import mmsrarec
from mmsrarec import DataError, Dataset, MmsrarecError, Recommender, fit
from mmsrarec.core.artefacts import is_whole
from mmsrarec.data.folder import load
from mmsrarec.runs.recipe import load_recipe


@pytest.fixture(scope="module")
def made(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Recommender, list[str]]:
    out, lines = tmp_path_factory.mktemp("fit") / "my run", []
    frames = load(finished / "data")
    columns = {"user": [], "item": [], "time": []}
    for row in range(len(frames.interactions)):
        columns["user"].append(frames.user_ids[int(frames.interactions.user[row])])
        columns["item"].append(frames.items[int(frames.interactions.item[row])].item_id)
        columns["time"].append(int(frames.interactions.time[row]))
    items = {
        "item_id": [item.item_id for item in frames.items],
        "title": [item.title for item in frames.items],
        "text": [item.text for item in frames.items],
        "image": [item.image for item in frames.items],
    }
    data = Dataset.from_frames(items, columns, images=finished / "data" / "images")
    model = str(finished / "model")
    return out, fit(data, out, minutes=0.5, progress=lines.append, device="cpu", model=model), lines


def test_it_answers_with_reasons(made: tuple[Path, Recommender, list[str]]) -> None:
    _, recommender, _ = made
    users = recommender.dataset.user_ids[:2]
    table = recommender.recommend(users=users, k=3)
    assert len(table) == 6
    assert any(table["because"].list.len() > 0)
    assert np.isfinite(table["score"].to_numpy()).all()


def test_the_run_is_a_folder_with_its_data_and_its_recipe(made: tuple[Path, Recommender, list[str]]) -> None:
    out, recommender, lines = made
    assert load(out / "data").items == recommender.dataset.items
    recipe = load_recipe(out / "recipe.toml")
    assert (recipe.name, recipe.data) == ("my-run", out / "data")
    record = json.loads((out / "fit.json").read_text())
    assert record["settings"]["recommend"]["n_examples"] == recipe.recommend.n_examples
    assert record["facts"]["items"] == 60
    assert {"reading and retrieval", "ranker", "fusion"} <= record["seconds"].keys()
    for reason in record["reasons"]:
        assert f"chosen: {reason}" in lines
    assert record["costs"]["token_layer"] > 0
    assert Recommender.load(out).recommend(history=["001"], k=1)


def test_what_answers_is_kept_fitted(
    made: tuple[Path, Recommender, list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    out, _, _ = made
    kept = {path.name for path in out.glob("rankers/*/*") if is_whole(path)}
    assert "als" in kept or "sequential-rules" in kept
    with caplog.at_level(logging.WARNING, "mmsrarec"):
        Recommender.load(out)
    assert "keeps no fitted" not in caplog.text


def test_a_second_call_does_nothing_again(
    made: tuple[Path, Recommender, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, _, _ = made
    record = json.loads((out / "fit.json").read_text())
    lines: list[str] = []
    monkeypatch.setattr("mmsrarec.pipeline.fit.measure", None)
    asked = record["asked"]
    fit(out / "data", out, asked["minutes"], progress=lines.append, device="cpu", model=asked["model"])
    assert not [line for line in lines if ": done in" in line]


@pytest.mark.parametrize("minutes", [0, -1, float("nan"), float("inf"), True, "5"])
def test_minutes_that_are_no_time_are_refused(tmp_path: Path, minutes: object) -> None:
    with pytest.raises(MmsrarecError, match="is no time"):
        fit(tmp_path, tmp_path / "out", minutes)  # type: ignore[arg-type]


def test_too_few_users_are_refused(tmp_path: Path) -> None:
    data = Dataset.from_frames(None, {"user": ["a"] * 3, "item": [1, 2, 3]})
    with pytest.raises(DataError, match="1 users have three interactions or more, and fit needs 10"):
        fit(data, tmp_path / "out", 1, progress=False)


def test_run_takes_a_recipe_by_name_and_is_silent_where_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(DataError, match="does not exist"):
        mmsrarec.run("sample", tmp_path / "out", progress=False)
    assert capsys.readouterr().err == ""
