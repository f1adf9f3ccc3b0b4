"""What the language model gets for the catalogue's pictures, computed once per picture."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mmsrarec.core.progress import Count
from mmsrarec.data.dataset import Dataset
from mmsrarec.data.images import BadPicture, open_picture
from mmsrarec.models.backbone.mllm import Mllm, pool_grid

Features = dict[int, Tensor]
"""Item code -> (v, d). An item without a usable picture has no entry."""

HASHES, ITEMS = "hashes", "items"


def encode_catalogue_images(
    mllm: Mllm,
    dataset: Dataset,
    visual_tokens: int,
    batch: int = 32,
    progress: Count = lambda done, total, label: None,
    known: Mapping[str, Tensor] | None = None,
) -> tuple[Features, dict[str, str]]:
    """Features of all pictures, and item id -> reason for those that cannot be used: those items are text-only.

    known: sha256 of a picture's bytes -> (v, d), of this very model and `visual_tokens` (`load_known`). Every other
    picture is looked at once, however many items show it. A model of texts alone looks at none.
    """
    if not mllm.sees:
        return {}, {}
    assert dataset.folder is not None
    found = dict(known or {})
    digests: dict[int, str] = {}
    rejected: dict[str, str] = {}
    waiting: dict[str, Image.Image] = {}
    paths = {code: path for code in range(len(dataset.items)) if (path := dataset.image_path(code)) is not None}
    for done, (code, path) in enumerate(paths.items(), start=1):
        try:
            picture = open_picture(path, dataset.folder / "images")
            digests[code] = sha256(path)
            if digests[code] not in found:
                waiting[digests[code]] = picture
        except BadPicture as bad:
            rejected[dataset.items[code].item_id] = str(bad)
        if waiting and (len(waiting) == batch or done == len(paths)):
            found.update(zip(waiting, mllm.see(list(waiting.values()), visual_tokens), strict=True))
            waiting.clear()
        if done % batch == 0 or done == len(paths):
            progress(done, len(paths), "pictures")
    return {code: found[digest] for code, digest in digests.items()}, rejected


def blank(mllm: Mllm, visual_tokens: int) -> Tensor:
    """(v, d): what the language model gets for a picture that shows nothing, grey all over."""
    return mllm.see([Image.new("RGB", (224, 224), (128, 128, 128))], visual_tokens)[0]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def pool(features: Features, visual_tokens: int) -> Features:
    """The same pictures in fewer tokens."""
    return {code: pool_grid(value, visual_tokens) for code, value in features.items()}


def save(features: Features, file: Path, dataset: Dataset | None = None) -> None:
    """One (n, v, d) tensor and the n item codes; of a dataset's pictures also the items' ids, and the pictures' hashes
    for `load_known`."""
    codes = torch.tensor(list(features), dtype=torch.int64)
    stacked = torch.stack(list(features.values())) if features else torch.zeros(0)
    paths = [dataset.image_path(code) for code in features] if dataset else []
    facts = {HASHES: json.dumps([sha256(path) for path in paths if path is not None])}
    if dataset:
        facts[ITEMS] = json.dumps([dataset.items[code].item_id for code in features])
    save_file({"codes": codes, "features": stacked.contiguous()}, file, facts)


def load(file: Path, dataset: Dataset | None = None) -> Features:
    """What `save` wrote. dataset: whose codes are meant, by the ids of its items; items it has not are left out."""
    with safe_open(file, framework="pt") as opened:
        features, codes = opened.get_tensor("features"), opened.get_tensor("codes").tolist()
        ids = json.loads((opened.metadata() or {}).get(ITEMS, "null"))
    if dataset is None or ids is None:
        return dict(zip(codes, features, strict=True))
    places = dataset.item_code
    return {places[name]: value for name, value in zip(ids, features, strict=True) if name in places}


def load_hashes(file: Path, dataset: Dataset) -> dict[int, str]:
    """Item code -> sha256 of the bytes of the picture that was seen, as `save` wrote it."""
    with safe_open(file, framework="pt") as opened:
        facts = opened.metadata() or {}
    ids, hashes = (json.loads(facts.get(name, "[]")) for name in (ITEMS, HASHES))
    codes = dataset.item_code
    return {codes[name]: digest for name, digest in zip(ids, hashes, strict=True) if name in codes}


def load_known(file: Path) -> dict[str, Tensor]:
    """sha256 of a picture's bytes -> (v, d), as `save` wrote it. Empty where the file is absent, damaged or older."""
    try:
        with safe_open(file, framework="pt") as opened:
            hashes = json.loads((opened.metadata() or {}).get(HASHES, "[]"))
            features = opened.get_tensor("features")
    except (OSError, SafetensorError):
        return {}
    return dict(zip(hashes, features, strict=True)) if len(hashes) == len(features) else {}
