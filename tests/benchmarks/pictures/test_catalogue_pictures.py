"""The measures of catalogue pictures as a program, on a synthetic catalogue and a tiny model."""

import json
import sys
from pathlib import Path

import catalogue_pictures
import numpy as np
import pytest
from PIL import Image
from tiny import tiny_mllm

from mmsrarec.data.images import is_held_out


def catalogue(folder: Path, pictures: int = 60) -> Path:
    """Red pictures of one kind and blue ones of another, each with some noise."""
    rng = np.random.default_rng(0)
    (folder / "images").mkdir()
    items = []
    for number in range(pictures):
        kind = number % 2
        pixels = rng.integers(0, 60, (32, 32, 3), dtype=np.uint8)
        pixels[..., 2 * kind] += 180
        Image.fromarray(pixels).save(folder / "images" / f"{number}.png")
        items.append({"item_id": str(number), "categories": [("Red", "Blue")[kind]], "image": f"{number}.png"})
    (folder / "items.jsonl").write_text("\n".join(map(json.dumps, items)))
    return folder


@pytest.fixture
def start(monkeypatch, capsys):
    mllm = tiny_mllm()
    monkeypatch.setattr(catalogue_pictures, "load_model", lambda *_: mllm)

    def run(*options: str) -> str:
        monkeypatch.setattr(sys, "argv", ["catalogue_pictures.py", *options])
        catalogue_pictures.main()
        return capsys.readouterr().out

    return run


def test_held_out_pictures_are_measured_and_the_others_teach_the_ceiling(start, tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="comes with the extra tune")
    folder = catalogue(tmp_path)
    result = json.loads(start(str(folder), "--least", "2", "--json"))
    held = sum(is_held_out(path.read_bytes()) for path in (folder / "images").iterdir())
    assert (result["held_out"], result["others"]) == (held, 60 - held)
    assert set(result["labels"]) == {"Red", "Blue"}
    assert sum(row["pictures"] for row in result["labels"].values()) == held
    figures = result["figures"]
    assert figures["AUC of logistic regression"]["value"] > 0.95  # colours are easily told
    assert 0 <= figures["AUC"]["low"] <= figures["AUC"]["value"] <= figures["AUC"]["high"] <= 1
    assert 0 <= figures["image reward of the true labels"]["value"] <= 1
    # with two labels, a share among them orders pictures in opposite ways
    among = [row["AUC among labels"] for row in result["labels"].values()]
    assert among[0] == pytest.approx(among[1])


def test_the_table_names_every_label_and_the_ceiling_can_be_left_out(start, tmp_path: Path) -> None:
    table = start(str(catalogue(tmp_path)), "--least", "2", "--no-ceiling", "--skip", "Blue", "--limit", "8")
    assert "8 held-out pictures" in table
    assert "Red" in table
    assert "Blue" not in table
    assert "logistic" not in table


def test_labels_of_too_few_pictures_end_with_the_reason(start, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no label of categories is on 50 of"):
        start(str(catalogue(tmp_path)), "--least", "50")
