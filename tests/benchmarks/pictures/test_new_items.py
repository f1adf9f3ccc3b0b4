"""The benchmark of new items: a catalogue in which only the pictures tell taste shows it, and the control does not."""

import json
import sys
from pathlib import Path

import new_items
import numpy as np
import pytest
from PIL import Image
from tiny import tiny_mllm

from mmsrarec.data.dataset import Dataset, Item, make_interactions


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each of 120 items is a picture in one of four colours; each of 60 users takes items of one colour."""
    folder = tmp_path_factory.mktemp("drawn")
    rng, colours = np.random.default_rng(0), ("red", "blue", "green", "white")
    source = folder / "source"
    (source / "images").mkdir(parents=True)
    items: list[Item] = []
    for code in range(120):
        grey = rng.integers(0, 255, (12, 12, 3), dtype=np.uint8)
        picture = Image.blend(Image.new("RGB", (12, 12), colours[code % 4]), Image.fromarray(grey), 0.2)
        picture.save(source / "images" / f"{code}.png")
        items.append(Item(f"i{code}", f"mug {rng.integers(1000)}", "clay " * int(code % 5), image=f"{code}.png"))
    taken = np.concatenate([rng.permutation(np.arange(user % 4, 120, 4))[:16] for user in range(60)])
    log = make_interactions(np.repeat(np.arange(60), 16), taken, np.tile(np.arange(16), 60), 60, 120)
    data = Dataset("drawn", tuple(items), tuple(f"u{code}" for code in range(60)), log, source)
    data.save(folder / "data")
    return folder / "data"


def run(folder: Path, states: Path, monkeypatch, capsys, *more: str) -> dict:
    monkeypatch.setattr(new_items, "load_model", lambda *_: tiny_mllm())
    monkeypatch.setattr(sys, "argv", ["new_items.py", str(folder), "--states", str(states), "--dims", "8", *more])
    assert new_items.main() == 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_pictures_that_tell_taste_gain_and_those_of_other_items_do_not(folder, tmp_path, monkeypatch, capsys) -> None:
    rows = ["title", "title & eye", "title & eye of another item"]
    result = run(folder, tmp_path, monkeypatch, capsys, "--models", "ridge", "--only-pictured", "--rows", *rows)
    found, key = result["models"]["ridge"], "AUC, 1 + 20 new"
    figures = found["figures"]
    assert figures["title & eye"]["all"][key]["value"] > 0.9
    assert abs(figures["title"]["all"][key]["value"] - 0.5) < 0.12
    assert abs(figures["title & eye of another item"]["all"][key]["value"] - 0.5) < 0.12
    gain = found["differences"]["title & eye - title"]["all"][key]
    assert gain["low"] > 0.2
    assert gain["p"] <= gain["p_holm"] < 0.01
    assert gain["difference"] == pytest.approx(
        figures["title & eye"]["all"][key]["value"] - figures["title"]["all"][key]["value"], abs=2e-5
    )
    assert result["new_items"] == result["new_items_with_a_picture"] > 12


@pytest.mark.parametrize("more", [[], ["--validation"]])
def test_a_sequence_model_is_measured_on_users_of_its_own(folder, tmp_path, monkeypatch, capsys, more) -> None:
    told = [
        "--models",
        "content-sasrec",
        "--set",
        "embedding_size=8",
        "--set",
        "epochs=2",
        "--rows",
        "eye",
        "--out",
        str(tmp_path / "out.json"),
    ]
    result = run(folder, tmp_path, monkeypatch, capsys, *told, *more)
    assert result["asked"] == ("validation" if more else "test")
    assert 0 < result["users"] <= 60 * (0.5 if more else 1)
    assert json.loads((tmp_path / "out.json").read_text()) == result
    assert set(result["models"]["content-sasrec"]["figures"]["eye"]) == {"all", "poor text", "picture of its own"}
    assert result["slices"]["poor text"] < result["slices"]["all"] == result["slices"]["picture of its own"]


def test_keywords_of_pictures_are_asked_for_once(folder, tmp_path, monkeypatch, capsys) -> None:
    told = ["--models", "ridge", "--validation", "--rows", "title+picture keywords", "--seeds", "0", "1"]
    first = run(folder, tmp_path, monkeypatch, capsys, *told)
    assert (tmp_path / "keywords.sqlite").is_file()
    monkeypatch.setattr("mmsrarec.models.backbone.mllm.Mllm.generate", None)
    assert run(folder, tmp_path, monkeypatch, capsys, *told) == first


def test_a_user_counts_once() -> None:
    users, values = np.array([7, 2, 7, 7]), np.array([1.0, 0.5, 0.0, 0.5])
    np.testing.assert_allclose(new_items.by_user(values, users), [0.5, 0.5])


def test_slices_are_of_the_targets() -> None:
    texts = ["", "one", "one two three", "a b c d", "", "one two"]
    images = ["a.png", "b.png", "a.png", "c.png", None, None]
    rows = enumerate(zip(texts, images, strict=True))
    items = tuple(Item(str(code), text=text, image=image) for code, (text, image) in rows)
    none = np.zeros(0, dtype=np.int64)
    found = new_items.slices_of(Dataset("d", items, (), make_interactions(none, none, none, 0, 6)), np.array([2, 1, 0]))
    assert found["all"].tolist() == [True, True, True]
    assert found["poor text"].tolist() == [False, True, True]
    assert found["picture of its own"].tolist() == [False, True, False]
