"""The embedded model as a folder to serve: the same weights, and a chat template that renders our own prompts."""

import json
from pathlib import Path

import pytest
from tiny import tiny_mllm, tiny_tokenizer

from mmsrarec.engines.chat_messages import chat_messages
from mmsrarec.engines.prompt_rendering import prompt_ids
from mmsrarec.engines.protocol import Prompt
from mmsrarec.errors import MmsrarecError
from mmsrarec.models.backbone.servable import CHAT_TEMPLATE, write_servable
from mmsrarec.summarize.prompts import image_question, text_question


def converted(folder: Path) -> Path:
    """What stands for a converted model."""
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "config.json").write_text("{}")
    (folder / "chat_template.jinja").write_text("texts only")
    (folder / "processor_config.json").write_text(json.dumps({"chat_template": "texts only", "patch_size": 32}))
    (folder / "tokenizer_config.json").write_text("{}")
    return folder


def test_the_folder_has_the_weights_and_its_own_template(tmp_path: Path) -> None:
    source = converted(tmp_path / "source")
    folder = write_servable(tmp_path / "deep" / "served", source)
    assert (folder / "model.safetensors").read_bytes() == b"weights"
    assert (folder / "chat_template.jinja").read_text() == CHAT_TEMPLATE
    assert json.loads((folder / "processor_config.json").read_text()) == {"patch_size": 32}
    (folder / "config.json").write_text("changed")
    assert (source / "config.json").read_text() == "{}"
    assert (source / "chat_template.jinja").read_text() == "texts only"


def test_a_folder_that_holds_something_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(MmsrarecError, match="not empty: name a new folder"):
        write_servable(tmp_path / "mine", converted(tmp_path / "source"))
    with pytest.raises(MmsrarecError, match="cannot write"):
        write_servable(tmp_path / "mine" / "notes.txt" / "below", tmp_path / "source")
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    "prompt",
    [text_question("Otter mug. Blue clay."), image_question(), Prompt("Why?")],
    ids=["text", "picture", "bare"],
)
@pytest.mark.parametrize("in_parts", [False, True])
def test_a_server_reads_the_prompts_that_this_process_reads(prompt: Prompt, in_parts: bool) -> None:
    messages = chat_messages(prompt, "data:image/png;base64,AA" if prompt.picture else None)
    for message in messages:
        parts = [{"type": "text", "text": message["content"]}] if isinstance(message["content"], str) else [
            {"type": "image"} if part["type"] == "image_url" else part for part in message["content"]
        ]  # fmt: skip
        message["content"] = parts if in_parts or prompt.picture else message["content"]
    rendered = tiny_tokenizer().apply_chat_template(
        messages, chat_template=CHAT_TEMPLATE, tokenize=False, add_generation_prompt=True
    )
    mllm = tiny_mllm()
    assert rendered == mllm.tokenizer.decode(prompt_ids(mllm, prompt, 200, visual_tokens=1))
