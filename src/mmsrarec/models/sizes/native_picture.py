"""How many tiles and tokens a picture is in a model's own way: its image processor is given one, and says.

Nothing of the model is run: the processor cuts and scales a grey picture. The marks around tiles are not counted.
"""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from mmsrarec.models.loading_lock import LOADING
from mmsrarec.models.vision.native_processor import LONGEST_SIDE


@dataclass(frozen=True)
class NativePicture:
    """A picture as the model was trained to see it.

    Attributes:
        tiles: That the vision encoder reads.
        patches: That it reads of a tile.
        tokens: That the language model reads of the whole picture.
    """

    tiles: int
    patches: int
    tokens: float


def load_image_processor(settings: Mapping[str, Any] | Path | None) -> Any:
    """Load an image processor.

    Args:
        settings: As a published model has them in preprocessor_config.json, or the folder of a model.

    Returns:
        The image processor; None where there are no settings.

    Raises:
        OSError: The settings cannot be read.
        ValueError: They describe no image processor.
    """
    if not settings:
        return None
    if isinstance(settings, Path):
        if not any((settings / name).is_file() for name in ("preprocessor_config.json", "processor_config.json")):
            return None
        return _load(settings)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "preprocessor_config.json").write_text(json.dumps(settings))
        return _load(Path(folder))


def _load(folder: Path) -> Any:
    with LOADING:
        from transformers import AutoImageProcessor

        return cast(Any, AutoImageProcessor).from_pretrained(folder)


def native_picture(config: Any, image_processor: Any, side: int, patches: int, tokens: float) -> NativePicture:
    """Cut a square picture as the model's processor would.

    Args:
        config: The configuration of the model.
        image_processor: Its image processor; None takes the picture whole and once.
        side: Pixels of the picture's side; a larger picture is shrunk first.
        patches: Patches of a picture that is seen whole and once.
        tokens: Tokens of such a picture.

    Returns:
        Its tiles and tokens.
    """
    if image_processor is None:
        return NativePicture(1, patches, tokens)
    with LOADING:
        from PIL import Image
        from transformers import PROCESSOR_MAPPING

    options: dict[str, Any] = getattr(cast(Any, PROCESSOR_MAPPING[type(config)]), "images_kwargs", {})
    side = min(side, LONGEST_SIDE)
    sizes = image_processor([[Image.new("RGB", (side, side), (128, 128, 128))]], return_tensors="pt", **options)
    if "image_grid_thw" in sizes:
        own = int(sizes["image_grid_thw"].prod())
        return NativePicture(1, own, tokens * own / patches)
    pixels = sizes["pixel_values"]
    tiles = int(pixels.shape[0] if pixels.dim() == 4 else pixels.shape[1])
    return NativePicture(tiles, patches, tiles * tokens)
