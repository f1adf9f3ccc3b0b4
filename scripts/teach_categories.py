"""Teach a trained projector what pictures of catalogues tell of their categories: films' genres, games' platforms.

    python scripts/teach_categories.py --font NotoColorEmoji.ttf --photographs backgrounds \
        --catalogue FILMS GAMES --features features.safetensors

It goes on from the shipped projector, after `train_projector.py`, in three steps:

1. The teacher: a logistic regression on the vision encoder's features for each category (`catalogue_teacher.py`).
2. Directions: what is added to the visual tokens of a catalogue's pictures, so that the language model's first token
   follows the teacher (`category_directions.py`).
3. The projector learns to make the moved tokens itself, of the catalogue's pictures only. Drawn products, emoji,
   photographs and features made up for each class keep their visual tokens. No language model is asked here.

A fifth of the catalogue's pictures is held out as everywhere (`mmsrarec.data.images.is_held_out`). The features of all
pictures are kept in a file, so that a second try starts at once.
"""

import argparse
import copy
import json
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from catalogue_teacher import CategoryTeacher
from category_directions import CategoryDirections, Taught, learn_directions
from PIL.Image import Image
from projector_pictures import drawn_products, emoji_of_font, photographs
from safetensors.torch import save_file
from synthetic_features import FeatureSynthesizer
from torch import Tensor, nn

from mmsrarec.core.progress import Count
from mmsrarec.data.folder import load
from mmsrarec.data.images import BadPicture, is_held_out, open_picture
from mmsrarec.models.backbone.embedded import PROJECTOR
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.backbone.settings import ModelSettings
from mmsrarec.models.backbone.warm_up import VISUAL_TOKENS, grids, projector_of
from mmsrarec.models.untyped import backward, open_tensors, optimizer_step, save_tensors
from mmsrarec.models.vision.image_classifier import ImageClassifier
from mmsrarec.models.vision.pooling import pool_grid

KEPT = "kept"
"""The pictures whose visual tokens stay."""
FAST = torch.autocast("cpu", torch.bfloat16)
EVERY_POSITION = 0.1
"""Weight of the error of single positions beside that of the visual tokens, which are means of positions."""


def category_pictures(folder: Path) -> Iterator[tuple[Image, tuple[str, ...]]]:
    """The pictures of a data folder that are not held out, each once, with the categories of all items that show it."""
    dataset = load(folder)
    categories: dict[bytes, list[str]] = {}
    paths: dict[bytes, Path] = {}
    for code, item in enumerate(dataset.items):
        path = dataset.image_path(code)
        if path is None or not path.is_file() or is_held_out(content := path.read_bytes()):
            continue
        paths.setdefault(content, path)
        categories.setdefault(content, []).extend(category.lower() for category in item.categories)
    for content, path in paths.items():
        try:
            yield open_picture(path, path.parent), tuple(dict.fromkeys(categories[content]))
        except BadPicture:
            continue


def kept_pictures(font: Path, folders: Sequence[Path], n: int, rng: np.random.Generator) -> Iterator[Image]:
    """Drawn products, emoji and photographs."""
    yield from (each.picture for each in drawn_products(rng, n))
    yield from (each.picture for each in emoji_of_font(font, rng, variants=1))
    for folder in folders:
        yield from (each.picture for each in photographs(folder, rng))


def encoded(mllm: Mllm, pictures: Iterator[Image]) -> Tensor:
    """(n, v, c) float16 features."""
    parts: list[Tensor] = []
    while batch := list(islice(pictures, 64)):
        parts.append(grids(mllm, batch).half().cpu())
    return torch.cat(parts)


def move(
    projector: nn.Module,
    catalogues: Sequence[Taught],
    kept: Tensor,
    steps: int,
    classifier: ImageClassifier,
    lr: float = 1e-3,
    batch: int = 16,
    seed: int = 0,
    progress: Count = lambda done, total, label: None,
) -> list[float]:
    """Teach a projector in place to make the moved visual tokens of catalogues, and its own of everything else.

    Args:
        projector: The projector, float32.
        catalogues: The catalogues with their learned directions.
        kept: (n, v, c) features whose visual tokens stay.
        steps: The number of steps.
        classifier: Says which features are made up.
        lr: The highest learning rate.
        batch: Pictures of each source in a step.
        seed: Of the order of pictures.
        progress: Receives the number of steps that are done.

    Returns:
        The loss of every step.
    """
    rng, before = np.random.default_rng(seed), copy.deepcopy(projector).requires_grad_(False)
    made_up = FeatureSynthesizer.fit(classifier, kept)
    projector.requires_grad_(True)
    optimizer = torch.optim.AdamW(projector.parameters(), lr=lr, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=max(steps, 2), pct_start=0.1)
    losses: list[float] = []
    for step in range(steps):
        features: list[Tensor] = []
        targets: list[Tensor] = []
        with torch.no_grad(), FAST:
            for one in catalogues:
                own = one.features[torch.from_numpy(rng.choice(len(one.features), batch))].float()
                features.append(own)
                targets.append(one.directions.moved(before(own), one.directions.scores(own)))
            same = torch.cat([kept[torch.from_numpy(rng.choice(len(kept), batch))].float(), made_up.draw(batch, rng)])
            features.append(same)
            targets.append(before(same))
        with FAST:
            made = projector(torch.cat(features))
        error = made.float() - torch.cat(targets).float()
        tokens = torch.stack([pool_grid(row, max(VISUAL_TOKENS)) for row in error])
        loss = tokens.pow(2).mean() + EVERY_POSITION * error.pow(2).mean()
        optimizer.zero_grad()
        backward(loss)
        optimizer_step(optimizer)
        schedule.step()
        losses.append(loss.item())
        progress(step + 1, steps, "moving the projector")
    projector.requires_grad_(False)
    return losses


def read_features(mllm: Mllm, args: argparse.Namespace) -> tuple[dict[str, Tensor], dict[str, list[list[str]]]]:
    """The features of each catalogue and of the kept pictures, and the categories; encoded where there is no file."""
    if args.features and args.features.is_file():
        with open_tensors(args.features) as tensors:
            metadata = tensors.metadata() or {}
            names = list(tensors.keys())
            return {name: tensors.get_tensor(name) for name in names}, json.loads(metadata["categories"])
    features: dict[str, Tensor] = {}
    categories: dict[str, list[list[str]]] = {}
    for folder in args.catalogue:
        known: list[list[str]] = []

        def noted(pairs: Iterator[tuple[Image, tuple[str, ...]]], known: list[list[str]] = known) -> Iterator[Image]:
            for picture, own in pairs:
                known.append(list(own))
                yield picture

        features[folder.name], categories[folder.name] = encoded(mllm, noted(category_pictures(folder))), known
    rng = np.random.default_rng(0)
    features[KEPT] = encoded(mllm, kept_pictures(args.font, args.photographs, args.drawn, rng))
    if args.features:
        save_tensors(features, args.features, {"categories": json.dumps(categories)})
    return features, categories


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--font", type=Path, required=True, help="a colour emoji font file")
    options.add_argument("--photographs", type=Path, nargs="*", default=[], help="folders of photographs")
    options.add_argument("--catalogue", type=Path, nargs="+", required=True, help="data folders with pictures")
    options.add_argument("--features", type=Path, help="a file that keeps the features of all pictures")
    options.add_argument("--drawn", type=int, default=750)
    options.add_argument("--steps", type=int, default=80, help="through the language model")
    options.add_argument("--moves", type=int, default=400, help="steps of the projector")
    options.add_argument("--out", type=Path, default=PROJECTOR)
    args = options.parse_args()
    start = time.time()

    def say(text: str) -> None:
        print(f"{text}, {time.time() - start:.0f} s", file=sys.stderr, flush=True)

    mllm = Mllm.load(ModelSettings())
    features, categories = read_features(mllm, args)
    say(", ".join(f"{len(own)} pictures of {name}" for name, own in features.items()))
    catalogues: list[Taught] = []
    for folder in args.catalogue:
        states = torch.cat([part.float().mean(1) for part in features[folder.name].split(512)])
        teacher = CategoryTeacher.fit(states, categories[folder.name])
        say(f"{folder.name}: {', '.join(teacher.labels)}")
        directions = CategoryDirections.start(teacher, states, mllm.hidden_size)
        catalogues.append(Taught(features[folder.name], teacher, directions))

    def progress(done: int, total: int, label: str) -> None:
        if done % 10 == 0:
            say(f"{label}: {done}/{total}")

    losses = learn_directions(mllm, catalogues, args.steps, progress=progress)
    say(f"divergence {np.mean(losses[:5]):.2f} to {np.mean(losses[-5:]):.2f}")
    projector = projector_of(mllm).float()
    errors = move(projector, catalogues, features[KEPT], args.moves, ImageClassifier.load(), progress=progress)
    say(f"error of the tokens {np.mean(errors[:5]):.3f} to {np.mean(errors[-20:]):.3f}")
    weights = projector.state_dict()
    save_file({name: weight.to(torch.bfloat16).contiguous() for name, weight in weights.items()}, args.out)


if __name__ == "__main__":
    main()
