"""What the vision encoder of a model computes for one picture.

A tower of convolutions is run once on shapes without numbers, and torch counts. A transformer is counted by its
weights: each linear map multiplies each patch once, and patches attend to one another.
"""

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mmsrarec.models.sizes.native_picture import NativePicture, native_picture
from mmsrarec.models.untyped import named_modules
from mmsrarec.models.vision.native_processor import LONGEST_SIDE

TOWERS = ("visual", "vision_model", "vision_tower")
"""Names of the vision encoder in models of transformers."""
JOINTS = ("connector", "multi_modal_projector")
"""Names of what maps its output to the language model, where it is a part of its own."""

MAPS = 48.0
"""Numbers for each pixel that a tower of convolutions holds at once: its widest maps, at half and quarter size."""


@dataclass(frozen=True)
class VisionWork:
    """The work of one picture, seen whole and once; `native` says how often it is seen in the model's own way.

    Attributes:
        parameters: Of the tower and the map to the language model.
        patches: That the tower reads; 0 for a tower of convolutions.
        flops: Products with weights.
        attention_flops: Products of patches with one another.
        activations: Numbers in memory at once, about, for one picture.
        native: The picture in the model's own way.
        deepstack: Layers of the language model after which features of the picture are added.
    """

    parameters: int
    patches: int
    flops: float
    attention_flops: float
    activations: float
    native: NativePicture
    deepstack: int = 0

    @property
    def looks(self) -> float:
        """Pictures seen whole and once that take as long as one in the model's own way."""
        return self.native.tiles * self.native.patches / max(self.patches, 1)


def vision_work(model: nn.Module, picture_side: int, image_processor: Any = None) -> VisionWork | None:
    """Count the vision encoder of a model.

    Args:
        model: A model of transformers.
        picture_side: Pixels of a picture's side, where the grid follows the picture.
        image_processor: Of the model, which cuts pictures into tiles; None for a model that sees them whole.

    Returns:
        The work of one picture; None for a model of texts alone.
    """
    parts = dict(cast(nn.Module, cast(Any, model).model).named_children())
    tower = next((parts[name] for name in TOWERS if name in parts), None)
    if tower is None:
        return None
    joint = next((parts[name] for name in JOINTS if name in parts), None)
    parameters = sum(weight.numel() for part in (tower, joint) if part for weight in part.parameters())
    config: Any = cast(Any, model).config
    vision: Any = config.vision_config
    convolutions = [part for _, part in named_modules(tower) if isinstance(part, nn.Conv2d)]
    if len(convolutions) > 1:
        side = _side(vision.image_size)
        return VisionWork(
            parameters,
            0,
            _counted(tower, side),
            0.0,
            MAPS * side**2,
            NativePicture(1, 1, float(getattr(config, "image_seq_length", 0))),
        )
    patch = _side(vision.patch_size)
    fixed = getattr(vision, "image_size", None)
    patches = (_side(fixed if fixed is not None else min(picture_side, LONGEST_SIDE)) // patch) ** 2
    maps = [part for _, part in named_modules(tower) if isinstance(part, nn.Linear | nn.Conv2d | nn.Conv3d)]
    merged = {id(part) for name, part in named_modules(tower) if "merger" in name}
    merge = int(getattr(vision, "spatial_merge_size", 1)) ** 2
    flops = sum(2.0 * part.weight.numel() * patches / (merge if id(part) in merged else 1) for part in maps)
    if joint is not None:
        own = [part for _, part in named_modules(joint) if isinstance(part, nn.Linear)]
        flops += sum(2.0 * part.weight.numel() for part in own) * patches / _joined(config)
    activations = float(patches * (4 * vision.hidden_size + 2 * vision.intermediate_size))
    tokens: float = getattr(config, "mm_tokens_per_image", None) or patches / (merge * _joined(config))
    native = native_picture(config, image_processor, picture_side, patches, tokens)
    levels = len(getattr(vision, "deepstack_visual_indexes", None) or ())
    return VisionWork(parameters, patches, flops, _attention(vision, patches, patch), activations, native, levels)


def _attention(vision: Any, patches: int, patch: int) -> float:
    """Products of patches with one another; with windows, of those that see each other."""
    layers: int = getattr(vision, "num_hidden_layers", None) or vision.depth
    whole: list[int] | None = getattr(vision, "fullatt_block_indexes", None)
    window = (int(getattr(vision, "window_size", 0)) // patch) ** 2
    if whole is None or not window:
        return 4.0 * vision.hidden_size * patches**2 * layers
    return 4.0 * vision.hidden_size * patches * (len(whole) * patches + (layers - len(whole)) * min(window, patches))


def _joined(config: Any) -> float:
    """Patches that become one token before the map to the language model."""
    if scale := getattr(config, "scale_factor", None):
        return float(scale) ** 2
    if ratio := getattr(config, "downsample_ratio", None):
        return 1 / float(ratio) ** 2
    return 1.0


def _side(size: Any) -> int:
    return int(size[0] if isinstance(size, list | tuple) else size)  # pyright: ignore[reportUnknownArgumentType]


def _counted(tower: nn.Module, side: int) -> float:
    """Operations of a tower of convolutions, as torch counts them on shapes."""
    device = next(tower.parameters()).device
    dtype = next(tower.parameters()).dtype
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        tower(torch.empty(1, 3, side, side, device=device, dtype=dtype))
    return float(counter.get_total_flops())
