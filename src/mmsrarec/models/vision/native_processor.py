"""A model's own processor, as transformers has it: from words and pictures to what the model was trained to read.

It cuts pictures into tiles, and writes marks around a picture, between its tiles and at the end of its rows. Only
pictures are processed here. The part that reads videos needs further packages, and is left out.
"""

import inspect
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, cast

from mmsrarec.models.loading_lock import LOADING

NATIVE_FAMILIES = {
    *("gemma3", "idefics3", "internvl", "llava", "llava_onevision"),
    *("qwen2_5_vl", "qwen3_vl", "smolvlm"),
}
"""The model_type of models that tests compare with transformers' own answer about a picture."""

LONGEST_SIDE = 768
"""Pixels of the longest side of a picture that stage 1 shows in a model's own way, sends to a server, or pads."""
PICTURES_AT_ONCE = 8
"""Pictures that a model sees in its own way in one forward pass: one may be 17 tiles, and all are in memory at once."""


def make_processor(config: Any, tokenizer: Any, image_processor: Any, settings: Mapping[str, Any]) -> Any:
    """Put a processor for pictures together.

    Args:
        config: The configuration of the model.
        tokenizer: Its tokenizer.
        image_processor: Its image processor, whose switches the processor obeys.
        settings: Of the processor, as `processor_settings` reads them; what it does not know is left out.

    Returns:
        A processor of transformers; None for a model that has none, or whose tokenizer lacks the marks it writes.
    """
    with LOADING:
        from transformers import PROCESSOR_MAPPING

        try:
            kind: Any = PROCESSOR_MAPPING[type(config)]
            pictures_only = _of_pictures(kind)
        except (KeyError, ImportError):
            return None
        known = {name: settings[name] for name in _parameters(kind) if name in settings}
        try:
            return pictures_only(image_processor, tokenizer, **known)
        except (AttributeError, TypeError, ValueError):
            return None


def processor_settings(config: Any, folder: str) -> dict[str, Any]:
    """Read the settings of a model's processor.

    Args:
        config: The configuration of the model.
        folder: A folder, or a name that transformers can resolve.

    Returns:
        The settings by name; empty where there are none.
    """
    with LOADING:
        from transformers import PROCESSOR_MAPPING

        try:
            kind: Any = PROCESSOR_MAPPING[type(config)]
            settings, _ = kind.get_processor_dict(folder)
        except (KeyError, ImportError, OSError, ValueError):
            return {}
    return {name: value for name, value in settings.items() if name not in kind.get_attributes()}


@cache
def _of_pictures(kind: type[Any]) -> type[Any]:
    """A class of processors without the part that reads videos, which transformers finds in the arguments."""
    module: Any = sys.modules[kind.__module__]
    if getattr(module, "num2words", True) is None:  # SmolVLM's asks for it, and writes lengths of videos with it
        module.num2words = str
    videos = {"video_processor": None} if "video_processor" in _parameters(kind) else {}

    class PictureProcessor(kind):
        """A processor of pictures and words."""

        def __init__(self, image_processor: Any, tokenizer: Any, **settings: Any) -> None:
            cast(Any, kind).__init__(self, image_processor=image_processor, tokenizer=tokenizer, **videos, **settings)

    return PictureProcessor


def _parameters(kind: type[Any]) -> Sequence[str]:
    """Names of the arguments that a class takes."""
    return list(inspect.signature(cast(Any, kind)).parameters)
