"""A language model that reads no pictures does the whole work by texts, and says so once."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from architectures import tiny_of
from finished import RECIPE, go, recipe_in
from PIL import Image
from world import make_evidence

from mmsrarec.data.dataset import Dataset
from mmsrarec.errors import MmsrarecError
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.backbone.settings import ModelSettings
from mmsrarec.models.vision.image_features import EncodedImages, encode_catalogue_images
from mmsrarec.recommend.ranking.scorer import score_packs
from mmsrarec.runs.run_folder import RunFolder


@pytest.fixture
def folder(tmp_path: Path, drawn: Dataset) -> Path:
    """model/, a language model alone, and tiny.toml, which names it."""
    mllm = tiny_of("llama")
    mllm.model.save_pretrained(tmp_path / "model")
    mllm.tokenizer.save_pretrained(tmp_path / "model")
    head, parts = RECIPE.split("[model]")
    text = f'{head}data = "{drawn.folder}"\n[model]\nname = "{tmp_path / "model"}"{parts}'
    (tmp_path / "tiny.toml").write_text(text)
    return tmp_path


def test_it_loads_and_looks_at_nothing(folder: Path, drawn: Dataset) -> None:
    mllm = Mllm.load(ModelSettings(name=str(folder / "model"), dtype="float32"))
    assert not mllm.sees
    assert encode_catalogue_images(mllm, drawn, 4) == EncodedImages({}, {}, {})
    with pytest.raises(MmsrarecError, match="reads no pictures"):
        mllm.encode_images([Image.new("RGB", (8, 8))], 4)


def test_every_stage_goes_by_texts_alone(folder: Path) -> None:
    _, said = go(folder, stages=("pictures", "summarize", "retrieve", "recommend"))
    assert said.count("this model reads no pictures") == 1
    keywords = pl.read_parquet(folder / "run" / "summarize" / "keywords.parquet")
    assert keywords["text"].list.len().max() > 0 == keywords["image"].list.len().max()
    recipe = recipe_in(folder)
    prompts = RunFolder(recipe, folder / "run").tuned(recipe.evaluate.splits[0], "whole")
    assert prompts.settings.prompt_fields.pictures
    pack = prompts.render(make_evidence(np.random.default_rng(0), 60, 4))
    assert not any(candidate.pictures for candidate in pack.candidates)
    assert np.isfinite(score_packs(prompts, [pack])[0]).all()


def test_a_base_model_without_a_chat_template_is_asked_plainly(folder: Path) -> None:
    mllm = tiny_of("llama")
    template, mllm.tokenizer.chat_template = mllm.tokenizer.chat_template, None
    try:
        assert [mllm.tokenizer.decode(part) for part in mllm.frame] == ["", "\nAnswer:"]
    finally:
        mllm.tokenizer.chat_template = template  # the tokenizer is shared
