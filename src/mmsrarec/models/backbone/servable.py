"""Writes the embedded model as a folder that other programs can serve: the same weights, with a chat template for them.

The template of the language model takes texts only and adds a system message of its own. This one takes messages in
parts, pictures among them, and renders what `Mllm.frame` renders. So a server reads the prompts of this process.
"""

import json
import shutil
from pathlib import Path

from mmsrarec.core.files import link_or_copy
from mmsrarec.errors import MmsrarecError
from mmsrarec.models.backbone.embedded import IMAGE_TOKEN, embedded_folder

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'text' %}{{ part['text'] }}{% else %}" + IMAGE_TOKEN + "{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""Renders messages as the embedded model was trained on them."""
TEMPLATE_FILE, PROCESSOR_FILE, TOKENIZER_FILE = "chat_template.jinja", "processor_config.json", "tokenizer_config.json"


def write_servable(folder: Path, source: Path | None = None) -> Path:
    """Write a folder that a server can serve. Files of weights are linked where the disk allows it.

    Args:
        folder: A new or empty folder.
        source: The folder of a converted model; the embedded one unless given.

    Returns:
        The whole path of the folder.

    Raises:
        MmsrarecError: The folder holds something, or cannot be written.
    """
    source = source or embedded_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise MmsrarecError(f"{folder} is not empty: name a new folder")
        for file in source.iterdir():
            if file.suffix == ".safetensors":
                link_or_copy(str(file), str(folder / file.name))
            elif file.name != TEMPLATE_FILE:
                shutil.copy(file, folder / file.name)
        for name in (PROCESSOR_FILE, TOKENIZER_FILE):  # older folders keep the template there
            settings = json.loads((source / name).read_bytes())
            if settings.pop("chat_template", None) is not None:
                (folder / name).write_text(json.dumps(settings, indent=2), encoding="utf-8")
        (folder / TEMPLATE_FILE).write_text(CHAT_TEMPLATE, encoding="utf-8")
    except OSError as error:
        raise MmsrarecError(f"cannot write {folder}: {error.strerror or error}") from None
    return folder.resolve()
