"""A run by a real backbone: pictures in its own way in stage 1, with its deepstack features in ranking."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from architectures import tiny_of
from finished import RECIPE, go, recipe_in
from world import make_evidence

from mmsrarec.data.dataset import Dataset
from mmsrarec.engines.picture_urls import open_shrunk
from mmsrarec.engines.protocol import PictureFile
from mmsrarec.models.vision.native_pictures import native_answers
from mmsrarec.recommend.ranking.scorer import score_packs
from mmsrarec.runs.run_folder import RunFolder
from mmsrarec.summarize.prompts import IMAGE_QUESTION
from mmsrarec.summarize.summarizer import stop_of


@pytest.fixture
def folder(tmp_path: Path, drawn: Dataset) -> Path:
    """model/, a tiny backbone as one is published, and tiny.toml, which names it."""
    mllm = tiny_of("qwen3_vl")
    for part in (mllm.model, mllm.tokenizer, mllm.processor.image_processor):
        part.save_pretrained(tmp_path / "model")
    head, parts = RECIPE.split("[model]")
    text = f'{head}data = "{drawn.folder}"\n[model]\nname = "{tmp_path / "model"}"{parts}'
    (tmp_path / "tiny.toml").write_text(text)
    return tmp_path


@pytest.mark.slow
def test_a_run_shows_pictures_in_the_models_own_way_and_ranks_with_its_features(folder: Path, drawn: Dataset) -> None:
    _, said = go(folder, stages=("pictures", "summarize", "retrieve", "recommend"))
    assert said.count("pictures are shown in the model's own way") == 1
    recipe = recipe_in(folder)
    run_folder, limit = RunFolder(recipe, folder / "run"), recipe.summarize.max_new_tokens_image
    answers = pl.read_parquet(folder / "run" / "summarize" / "keywords.parquet")["image_answer"].to_list()
    features, stop = run_folder.features, stop_of("picture", recipe.summarize)
    for code in sorted(features)[:3]:
        path, root = drawn.image_path(code), drawn.image_folder
        assert path is not None
        assert root is not None
        shown = open_shrunk(PictureFile(path, root))
        assert native_answers(run_folder.mllm, [shown], IMAGE_QUESTION, limit, stop) == [answers[code]]
    assert features[code].shape == (recipe.summarize.visual_tokens, 2 * run_folder.mllm.hidden_size)

    prompts = run_folder.tuned(recipe.evaluate.splits[0], "whole")
    pack = prompts.render(make_evidence(np.random.default_rng(0), 60, 4))
    scores = score_packs(prompts, [pack])[0]
    for each in prompts.features.values():
        each[:, prompts.mllm.hidden_size :] = 0
    assert np.abs(score_packs(prompts, [pack])[0] - scores).max() > 1e-4

    _, said = go(folder, "summarize.picture_form=averaged", stages=("summarize",))
    assert "model's own way" not in said
    again = pl.read_parquet(folder / "run" / "summarize" / "keywords.parquet")["image_answer"].to_list()
    assert again != answers
