"""A plan cuts a picture into the tiles and tokens into which the model's own processor cuts it."""

import json
from pathlib import Path

import pytest
import torch
from architectures import ARCHITECTURES, OTHER_NAMES, tiny_of
from PIL import Image

from mmsrarec.errors import MmsrarecError
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.sizes.model_size import count, model_size
from mmsrarec.models.sizes.native_picture import load_image_processor
from mmsrarec.models.vision.native_pictures import native_inputs

SIDES = (64, 100, 200)


@pytest.fixture(scope="module", params=(*ARCHITECTURES, *OTHER_NAMES))
def mllm(request: pytest.FixtureRequest) -> Mllm:
    return tiny_of(request.param)


def test_a_plan_counts_the_tokens_that_the_model_reads(mllm: Mllm) -> None:
    counts = set()
    for side in SIDES:
        size = count(mllm.model, "tiny", side, mllm.processor.image_processor)
        assert size.vision is not None
        inputs = native_inputs(mllm, [Image.new("RGB", (side, side), "red")], "What?")
        placeholders = int((inputs["input_ids"] == mllm.image_token).sum())
        # LLaVA-OneVision marks the ends of rows
        assert size.vision.native.tokens == pytest.approx(placeholders, rel=0.1 if "one" in mllm.fingerprint else 0)
        patches = inputs["pixel_values"].shape[0] if "image_grid_thw" in inputs else 64
        assert size.vision.native.patches == patches
        counts.add(size.vision.native.tokens)
    assert (len(counts) > 1) == (mllm.fingerprint not in ("smolvlm-0", "idefics3-0", "llava-0", "gemma3-0"))


def test_tiles_are_looks_of_the_vision_encoder() -> None:
    mllm = tiny_of("smolvlm")
    looks: list[int] = []
    hook = mllm.model.model.vision_model.register_forward_pre_hook(
        lambda module, given, named: looks.append(len(named["pixel_values"])), with_kwargs=True
    )
    with torch.no_grad():
        mllm.model(**native_inputs(mllm, [Image.new("RGB", (128, 128), "red")], "What?"))
    hook.remove()
    size = count(mllm.model, "tiny", 128, mllm.processor.image_processor)
    assert size.vision is not None
    assert looks == [size.vision.native.tiles] == [size.vision.looks] == [5]


def test_published_models_are_cut_as_their_papers_say() -> None:
    by_name = {name: model_size(name).vision for name in ("SmolVLM-256M", "Qwen3-VL-4B", "LLaVA-OneVision-0.5B")}
    seen = {name: (vision.native.tiles, vision.native.tokens) for name, vision in by_name.items() if vision}
    assert seen == {"SmolVLM-256M": (17, 17 * 64), "Qwen3-VL-4B": (1, 256), "LLaVA-OneVision-0.5B": (5, 5 * 729)}
    assert model_size("Qwen3-VL-4B").deepstack == 3
    assert model_size("Qwen2.5-VL-3B").deepstack == 0
    wide = model_size("InternVL3-1B", 900).vision
    assert wide is not None
    assert (wide.native.tiles, wide.native.tokens) == (5, 5 * 256)  # four, and the whole picture


def test_a_folder_tells_how_its_model_cuts_pictures(tmp_path: Path) -> None:
    mllm = tiny_of("smolvlm")
    mllm.model.config.save_pretrained(tmp_path)
    whole = model_size(str(tmp_path), 128).vision
    mllm.processor.image_processor.save_pretrained(tmp_path)
    cut = model_size(str(tmp_path), 128).vision
    assert whole is not None
    assert cut is not None
    assert (whole.native.tiles, cut.native.tiles) == (1, 5)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"image_processor_type": "Nobody"}))
    with pytest.raises(MmsrarecError, match="describes no image processor"):
        model_size(str(tmp_path))
    assert load_image_processor(None) is None
