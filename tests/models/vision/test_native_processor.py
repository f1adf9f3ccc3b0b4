"""transformers' processors are put together for pictures alone, without the packages that videos need."""

import json
from pathlib import Path

import pytest
from architectures import PROCESSING, gemma3, internvl, llama, qwen3_vl, smolvlm
from tiny import SPECIAL, tiny_tokenizer

from mmsrarec.models.vision.native_processor import make_processor, processor_settings


def test_a_processor_has_the_settings_that_it_knows_and_no_videos() -> None:
    model, tokenizer, image_processor = smolvlm()
    made = make_processor(model.config, tokenizer, image_processor, {"image_seq_len": 16, "auto_map": "elsewhere"})
    assert made.image_seq_len == 16
    assert made.image_processor is image_processor
    assert not hasattr(made, "video_processor")


def test_a_model_without_a_processor_or_without_its_marks_has_none() -> None:
    model, tokenizer, _ = llama()
    assert make_processor(model.config, tokenizer, None, {}) is None
    model, tokenizer, image_processor = internvl()
    assert make_processor(model.config, tokenizer, image_processor, PROCESSING["internvl"]) is not None
    assert make_processor(model.config, tiny_tokenizer(SPECIAL), image_processor, PROCESSING["internvl"]) is None


@pytest.mark.parametrize("make", [smolvlm, gemma3, qwen3_vl])
def test_settings_are_read_from_a_folder_without_those_of_its_parts(make, tmp_path: Path) -> None:
    config = make()[0].config
    assert processor_settings(config, str(tmp_path / "nowhere")) == {}
    wanted = PROCESSING.get(config.model_type, {})
    parts = {"image_processor": {"size": 4}, "chat_template": "{{ messages }}"}
    (tmp_path / "processor_config.json").write_text(json.dumps({**wanted, **parts}))
    read = processor_settings(config, str(tmp_path))
    assert read.items() >= {**wanted, "chat_template": "{{ messages }}"}.items()
    assert "image_processor" not in read
