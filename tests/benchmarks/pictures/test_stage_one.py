"""Pictures are asked about as stage 1 asks, and the weights that texts depend on have a hash of their own."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from stage_one import ask_about_pictures, frozen_digest, load_model, picture_catalogue
from tiny import talking_mllm, tiny_mllm

from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.backbone.warm_up import projector_of
from mmsrarec.summarize.prompts import image_prompt
from mmsrarec.summarize.settings import SummarizeSettings

SETTINGS = SummarizeSettings()


def files(folder: Path, colours: tuple[str, ...] = ("red", "blue")) -> list[Path]:
    for colour in colours:
        Image.new("RGB", (20, 20), colour).save(folder / f"{colour}.png")
    return [folder / f"{colour}.png" for colour in colours]


def test_a_catalogue_of_pictures_alone(tmp_path: Path) -> None:
    paths = files(tmp_path)
    with picture_catalogue(paths) as dataset:
        shown = [dataset.image_path(code) for code in (0, 1)]
        assert [path and path.read_bytes() for path in shown] == [path.read_bytes() for path in paths]
        assert all(not item.title and not item.text and not item.categories for item in dataset.items)
    assert not shown[0].exists()


def test_keywords_are_those_of_the_models_answer(tmp_path: Path) -> None:
    mllm = tiny_mllm()
    talking_mllm([image_prompt(mllm, SETTINGS.visual_tokens)], ["star, red"], mllm=mllm)
    answered = ask_about_pictures(mllm, files(tmp_path), SETTINGS)
    assert answered.keywords == (("star", "red"), ("star", "red"))
    assert answered.features[0].shape == (SETTINGS.visual_tokens, mllm.hidden_size)
    assert all(set(doubts) <= set(own) for doubts, own in zip(answered.doubtful, answered.keywords, strict=True))


def test_a_file_that_is_no_picture_ends_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(SystemExit, match=r"bad\.png"):
        ask_about_pictures(tiny_mllm(), [tmp_path / "bad.png"], SETTINGS)


def test_the_hash_of_what_texts_depend_on_leaves_the_projector_out() -> None:
    mllm, other = tiny_mllm(), tiny_mllm()
    with torch.no_grad():
        next(projector_of(other).parameters()).add_(1)
    assert frozen_digest(other) == frozen_digest(mllm)
    with torch.no_grad():
        other.model.get_input_embeddings().weight[0].add_(1)
    assert frozen_digest(other) != frozen_digest(mllm)


def test_another_projector_takes_the_place_of_the_shipped_one(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(Mllm, "load", lambda settings, device: tiny_mllm())
    weights = {name: value + 1 for name, value in projector_of(tiny_mllm()).state_dict().items()}
    save_file(weights, tmp_path / "other.safetensors")
    plain, changed = load_model("embedded"), load_model("embedded", projector=tmp_path / "other.safetensors")
    assert changed.fingerprint.startswith(f"{plain.fingerprint}+other.safetensors@")
    for name, value in projector_of(changed).state_dict().items():
        assert torch.equal(value, weights[name])
