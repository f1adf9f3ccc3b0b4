"""Asks a model about pictures in the way of stage 1: each picture is an item that has nothing else."""

import hashlib
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from mmsrarec.data.dataset import Dataset, Item, make_interactions
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.backbone.settings import ModelSettings
from mmsrarec.models.backbone.warm_up import projector_of
from mmsrarec.models.untyped import load_tensors
from mmsrarec.models.vision.image_features import Features, encode_catalogue_images
from mmsrarec.summarize.answer_reading import UNSUPPORTED
from mmsrarec.summarize.keywords import Keywords
from mmsrarec.summarize.settings import SummarizeSettings
from mmsrarec.summarize.summarizer import summarize

PROJECTOR_NAME = "multi_modal_projector"


def tell(done: int, total: int, label: str) -> None:
    print(f"{label}: {done} of {total}", file=sys.stderr)


def load_model(name: str, device: str = "cpu", projector: Path | None = None) -> Mllm:
    """A model; with other weights of the embedded model's projector if a file of them is given."""
    mllm = Mllm.load(ModelSettings(name=name), device)
    if projector is not None:
        weights = {key: value.to(device, mllm.dtype) for key, value in load_tensors(projector).items()}
        projector_of(mllm).load_state_dict(weights)
        mllm.fingerprint += f"+{projector.name}@{hashlib.sha256(projector.read_bytes()).hexdigest()[:12]}"
    return mllm


def frozen_digest(mllm: Mllm) -> str:
    """A hash of all weights but the projector's.

    A question about a text has no picture in it, so its answer depends on these weights only: two models with the same
    hash say the same about every text.
    """
    digest = hashlib.sha256()
    for name, value in sorted(mllm.model.state_dict().items()):
        if PROJECTOR_NAME not in name:
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


@contextmanager
def picture_catalogue(paths: Sequence[Path]) -> Iterator[Dataset]:
    """A catalogue of n items without any text, in a folder that is gone afterwards; item n shows the n-th picture."""
    none = np.zeros(0, dtype=np.int64)
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder) / "images"
        images.mkdir()
        items: list[Item] = []
        for code, path in enumerate(paths):
            image = f"{code}{path.suffix}"
            (images / image).write_bytes(path.read_bytes())
            items.append(Item(str(code), image=image))
        yield Dataset("pictures", tuple(items), (), make_interactions(none, none, none, 0, len(items)), Path(folder))


@dataclass(frozen=True)
class Answered:
    """What stage 1 made of n pictures.

    Attributes:
        dataset: The catalogue; its folder is gone.
        features: The visual tokens of each picture, by its number.
        keywords: The keywords of each picture.
        doubtful: Those among them that the grounding check doubts.
    """

    dataset: Dataset
    features: Features
    keywords: tuple[tuple[str, ...], ...]
    doubtful: tuple[tuple[str, ...], ...]


def ask_about_pictures(mllm: Mllm, paths: Sequence[Path], settings: SummarizeSettings) -> Answered:
    """Let stage 1 summarise pictures.

    Raises:
        SystemExit: A picture cannot be used.
    """
    with picture_catalogue(paths) as dataset:
        seen = encode_catalogue_images(mllm, dataset, settings.visual_tokens, progress=tell)
        if seen.rejected:
            reasons = [(paths[int(code)].name, why) for code, why in seen.rejected.items()]
            raise SystemExit(f"pictures that cannot be used: {reasons}")
        assert dataset.folder is not None
        store = dataset.folder / "store"
        kept: Keywords = summarize(dataset, mllm, settings, store, seen.features, progress=tell, image_words=seen.words)
    doubtful = tuple(
        tuple(flag.removeprefix(UNSUPPORTED) for flag in row if flag.startswith(UNSUPPORTED)) for row in kept.flags
    )
    return Answered(dataset, seen.features, kept.image, doubtful)
