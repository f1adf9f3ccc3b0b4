"""The test of photographs as a program: which files it takes, what it scores, and what it tells."""

import json
import sys
from hashlib import sha256
from pathlib import Path

import photographs
import pytest
from keyword_scoring import Photograph
from PIL import Image
from tiny import talking_mllm, tiny_mllm

from mmsrarec.summarize.prompts import image_prompt


def labelled(folder: Path) -> list[Photograph]:
    """Three pictures, of which the file of the last is not the labelled one."""
    photos = []
    for name, colour, part in (("star", "red", "known"), ("mug", "blue", "near"), ("key", "grey", "known")):
        Image.new("RGB", (30, 20), colour).save(folder / f"{name}.png")
        digest = sha256((folder / f"{name}.png").read_bytes()).hexdigest()
        digest = digest if name != "key" else "0" * 64
        photos.append(Photograph("pictures", "1", f"{name}.png", digest, part, (name,), ("thing",), (colour,)))
    return photos


@pytest.fixture
def start(tmp_path: Path, monkeypatch, capsys):
    labels = labelled(tmp_path)
    monkeypatch.setattr(photographs, "read_labels", lambda: labels)

    def run(*options: str) -> tuple[str, str]:
        monkeypatch.setattr(sys, "argv", ["photographs.py", *options])
        photographs.main()
        return capsys.readouterr()

    return run


def test_keywords_of_a_file_are_scored_without_a_model(start, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(photographs, "load_model", None)
    (tmp_path / "said.json").write_text(json.dumps({"star.png": ["star", "fork"], "mug.png": ["thing"]}))
    options = [str(tmp_path), "--keywords", str(tmp_path / "said.json"), "--sheet", str(tmp_path / "sheet.png")]
    output, errors = start(*options, "--json")
    result = json.loads(output)
    assert result["photographs"] == {"known": 1, "near": 1, "all": 2}
    assert result["figures"]["known"]["named"]["value"] == 1
    assert result["figures"]["near"]["named, near counting half"]["value"] == 0.5
    assert result["most_frequent_wrong"] == [["fork", 1]]
    assert "1 photographs of pictures 1 are not there" in errors
    assert result["left_out"] == {"pictures 1": 1}
    assert Image.open(tmp_path / "sheet.png").width > 500
    table, _ = start(*options)
    assert "wrong among keywords" in table
    assert "known (1)" in table


def test_a_model_is_asked_and_its_keywords_can_be_scored_again(start, tmp_path: Path, monkeypatch) -> None:
    mllm = tiny_mllm()
    talking_mllm([image_prompt(mllm, 9)], ["star, red"], mllm=mllm)
    monkeypatch.setattr(photographs, "load_model", lambda *_: mllm)
    output, _ = start(str(tmp_path), "--json", "--save-keywords", str(tmp_path / "kept.json"))
    asked = json.loads(output)
    assert json.loads((tmp_path / "kept.json").read_text()) == {"star.png": ["star", "red"], "mug.png": ["star", "red"]}
    assert asked["figures"]["known"]["named"]["value"] == 1
    assert asked["figures"]["near"]["wrong among keywords"]["value"] == 1
    assert asked["frozen_weights"]
    again = json.loads(start(str(tmp_path), "--json", "--keywords", str(tmp_path / "kept.json"))[0])
    for part, figures in again["figures"].items():
        assert figures.items() <= asked["figures"][part].items()


def test_no_picture_at_all_ends_with_what_to_do(start, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="unpack the packages"):
        start(str(tmp_path / "nowhere"))


def test_keywords_of_unknown_files_are_refused(start, tmp_path: Path) -> None:
    (tmp_path / "said.json").write_text(json.dumps({"cat.png": ["cat"]}))
    with pytest.raises(SystemExit, match=r"cat\.png"):
        start(str(tmp_path), "--keywords", str(tmp_path / "said.json"))
