"""What the language model gets for the catalogue's pictures, computed once per item."""

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from mmsrarec.data.dataset import Dataset
from mmsrarec.data.images import BadPicture, open_picture
from mmsrarec.models.mllm import Mllm, pool_grid

Features = dict[int, Tensor]
"""Item code -> (v, d). An item without a usable picture has no entry."""


def see_catalogue(
    mllm: Mllm,
    dataset: Dataset,
    visual_tokens: int,
    batch: int = 32,
    progress: Callable[[int, int, str], None] = lambda done, total, label: None,
) -> tuple[Features, dict[str, str]]:
    """Features of all pictures, and item id -> reason for those that cannot be used: those items are text-only."""
    assert dataset.folder is not None
    features: Features = {}
    rejected: dict[str, str] = {}
    codes = [code for code in range(len(dataset.items)) if dataset.image_path(code) is not None]
    for start in range(0, len(codes), batch):
        seen, pictures = [], []
        for code in codes[start : start + batch]:
            try:
                path = dataset.image_path(code)
                assert path is not None
                pictures.append(open_picture(path, dataset.folder / "images"))
                seen.append(code)
            except BadPicture as bad:
                rejected[dataset.items[code].item_id] = str(bad)
        if pictures:
            features.update(zip(seen, mllm.see(pictures, visual_tokens), strict=True))
        progress(min(start + batch, len(codes)), len(codes), "pictures")
    return features, rejected


def pool(features: Features, visual_tokens: int) -> Features:
    """The same pictures in fewer tokens."""
    return {code: pool_grid(value, visual_tokens) for code, value in features.items()}


def save(features: Features, file: Path) -> None:
    """One (n, v, d) tensor and the n item codes."""
    codes = torch.tensor(list(features), dtype=torch.int64)
    stacked = torch.stack(list(features.values())) if features else torch.zeros(0)
    save_file({"codes": codes, "features": stacked.contiguous()}, file)


def load(file: Path) -> Features:
    tensors = load_file(file)
    return dict(zip(tensors["codes"].tolist(), tensors["features"], strict=True))
