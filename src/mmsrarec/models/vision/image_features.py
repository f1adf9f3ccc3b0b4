"""Computes the visual tokens of the catalogue's pictures, once for each picture, and keeps them in a file.

The embedded model's classifier names what it sees beside (`image_classifier`, `second_look`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from PIL import Image
from safetensors import SafetensorError
from torch import Tensor

from mmsrarec.core.files import file_hash
from mmsrarec.core.progress import Count
from mmsrarec.data.dataset import Dataset
from mmsrarec.data.images import BadPicture, open_picture
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.untyped import open_tensors, save_tensors, to_list
from mmsrarec.models.vision.class_words import WordProbabilities
from mmsrarec.models.vision.image_classifier import ImageClassifier, classifier_of, has_classifier
from mmsrarec.models.vision.pooling import pool_grid
from mmsrarec.models.vision.second_look import words_at_second_look

Features = dict[int, Tensor]
"""Item code -> (v, d) visual tokens. An item without a usable picture has no entry."""

HASHES, ITEMS = "hashes", "items"
"""Keys of the file's metadata: the hashes of the pictures and the ids of the items."""
FEATURES, WORDS = "features.safetensors", "words.json"
"""The files of a folder of encoded pictures."""


@dataclass(frozen=True)
class EncodedPicture:
    """What the model sees of one picture.

    Attributes:
        feature: (v, d) visual tokens.
        words: The words of the vision encoder's classifier; empty for a model without one.
    """

    feature: Tensor
    words: WordProbabilities = field(default_factory=WordProbabilities)


@dataclass(frozen=True)
class EncodedImages:
    """What the model sees of a catalogue's pictures.

    Attributes:
        features: (v, d) visual tokens by item code.
        words: The words of the vision encoder's classifier by item code; empty for a model without one.
        rejected: Item id -> reason for each picture that cannot be used; these items have no picture.
    """

    features: Features
    words: dict[int, WordProbabilities]
    rejected: dict[str, str]


def encode_catalogue_images(
    mllm: Mllm,
    dataset: Dataset,
    visual_tokens: int,
    batch: int = 32,
    progress: Count = lambda done, total, label: None,
    known: Mapping[str, EncodedPicture] | None = None,
) -> EncodedImages:
    """Encode the pictures of a catalogue; a picture that several items share is encoded once.

    Args:
        mllm: The model. A model of texts alone encodes nothing.
        dataset: The data set.
        visual_tokens: v, the number of tokens of each picture.
        batch: The number of pictures that are encoded at once.
        progress: Receives the number of pictures that are done.
        known: sha256 of a picture's bytes -> what the same model saw of it before (`load_known`).

    Returns:
        What the model sees of each picture, and why pictures cannot be used.
    """
    if not mllm.sees:
        return EncodedImages({}, {}, {})
    root = dataset.image_folder
    encoded = dict(known or {})
    digests: dict[int, str] = {}
    rejected: dict[str, str] = {}
    waiting: dict[str, Image.Image] = {}
    classifier: ImageClassifier | None = None
    paths = {code: path for code in range(len(dataset.items)) if (path := dataset.image_path(code)) is not None}
    for done, (code, path) in enumerate(paths.items(), start=1):
        assert root is not None  # else no item has a path
        try:
            picture = open_picture(path, root)
            digests[code] = file_hash(path)
            if digests[code] not in encoded:
                waiting[digests[code]] = picture
        except BadPicture as reason:
            rejected[dataset.items[code].item_id] = str(reason)
        if waiting and (len(waiting) == batch or done == len(paths)):
            features, states = mllm.encode_images_with_states(list(waiting.values()), visual_tokens)
            classifier = classifier or classifier_of(mllm)  # its weights are read only where a picture is new
            words: list[WordProbabilities] = [{} for _ in waiting]
            if classifier and states is not None:
                words = words_at_second_look(mllm, classifier, list(waiting.values()), states)
            encoded.update(zip(waiting, map(EncodedPicture, features, words), strict=True))
            waiting.clear()
        if done % batch == 0 or done == len(paths):
            progress(done, len(paths), "pictures")
    seen = {code: encoded[digest] for code, digest in digests.items()}
    return EncodedImages(
        {code: picture.feature for code, picture in seen.items()},
        {code: picture.words for code, picture in seen.items()} if has_classifier(mllm) else {},
        rejected,
    )


def blank(mllm: Mllm, visual_tokens: int) -> Tensor:
    """The (v, d) visual tokens of an empty picture, which is grey all over."""
    return mllm.encode_images([grey_picture()], visual_tokens)[0]


def grey_picture() -> Image.Image:
    """An empty picture, which is grey all over."""
    return Image.new("RGB", (224, 224), (128, 128, 128))


def pool(features: Features, visual_tokens: int) -> Features:
    """Average the visual tokens of all pictures to a smaller number (`pooling.pool_grid`)."""
    return {code: pool_grid(value, visual_tokens) for code, value in features.items()}


def save(features: Features, file: Path, dataset: Dataset | None = None) -> None:
    """Write features to a safetensors file: one (n, v, d) tensor and the n item codes.

    Args:
        features: The features of n items.
        file: The file.
        dataset: The data set of the items; its ids and the hashes of its pictures are then saved too.
    """
    codes = torch.tensor(list(features), dtype=torch.int64)
    stacked = torch.stack(list(features.values())) if features else torch.zeros(0)
    paths = [dataset.image_path(code) for code in features] if dataset else []
    metadata = {HASHES: json.dumps([file_hash(path) for path in paths if path is not None])}
    if dataset:
        metadata[ITEMS] = json.dumps([dataset.items[code].item_id for code in features])
    save_tensors({"codes": codes, "features": stacked.contiguous()}, file, metadata)


def load(file: Path, dataset: Dataset | None = None) -> Features:
    """Read what `save` wrote.

    Args:
        file: The file.
        dataset: The data set whose item codes the result has; other items are left out. None keeps the saved codes.

    Returns:
        The features.
    """
    with open_tensors(file) as tensors:
        features = tensors.get_tensor("features")
        saved_codes: list[int] = to_list(tensors.get_tensor("codes"))
        ids: list[str] | None = json.loads((tensors.metadata() or {}).get(ITEMS, "null"))
    if dataset is None or ids is None:
        return dict(zip(saved_codes, features, strict=True))
    codes = dataset.item_code
    return {codes[item_id]: value for item_id, value in zip(ids, features, strict=True) if item_id in codes}


def load_hashes(file: Path, dataset: Dataset) -> dict[int, str]:
    """Item code -> sha256 of the bytes of the picture that was encoded, as `save` wrote it."""
    with open_tensors(file) as tensors:
        metadata = tensors.metadata() or {}
    ids, hashes = (json.loads(metadata.get(name, "[]")) for name in (ITEMS, HASHES))
    codes = dataset.item_code
    return {codes[item_id]: digest for item_id, digest in zip(ids, hashes, strict=True) if item_id in codes}


def load_known(folder: Path) -> dict[str, EncodedPicture]:
    """sha256 of a picture's bytes -> what was seen of it, as `save` and `save_words` wrote them into a folder.

    Empty where a file is absent, damaged or too old.
    """
    try:
        with open_tensors(folder / FEATURES) as tensors:
            metadata = tensors.metadata() or {}
            hashes, ids = (json.loads(metadata.get(name, "[]")) for name in (HASHES, ITEMS))
            features = tensors.get_tensor("features")
        words: dict[str, WordProbabilities] = json.loads((folder / WORDS).read_bytes())
    except (OSError, SafetensorError, ValueError):
        return {}
    if not len(hashes) == len(ids) == len(features):
        return {}
    return {
        digest: EncodedPicture(feature, words.get(item_id, {}))
        for digest, item_id, feature in zip(hashes, ids, features, strict=True)
    }


def save_words(words: Mapping[int, WordProbabilities], file: Path, dataset: Dataset) -> None:
    """Write the classifier's words to a JSON file, by item id."""
    by_id = {dataset.items[code].item_id: value for code, value in words.items()}
    file.write_text(json.dumps(by_id, ensure_ascii=False, indent=1), encoding="utf-8")


def load_words(file: Path, dataset: Dataset) -> dict[int, WordProbabilities]:
    """Read what `save_words` wrote, by item code; empty where the file is absent, as in older runs."""
    if not file.is_file():
        return {}
    codes = dataset.item_code
    by_id: dict[str, WordProbabilities] = json.loads(file.read_bytes())
    return {codes[item_id]: value for item_id, value in by_id.items() if item_id in codes}
