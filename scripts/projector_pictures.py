"""The pictures that the projector is trained on, each with an answer or left to the vision encoder's classifier.

Drawn products, emoji of a font and of a folder, photographs out of packages, and pictures of catalogues. A held-out
fifth of catalogue pictures (`mmsrarec.data.images.is_held_out`) is never used.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mmsrarec.data.dataset import Dataset
from mmsrarec.data.folder import load
from mmsrarec.data.images import BadPicture, is_held_out, open_picture
from mmsrarec.data.synthetic.drawing import draw_training_pictures

RANGES = ((0x1F300, 0x1F650), (0x1F680, 0x1F700), (0x1F900, 0x1FA00), (0x1FA70, 0x1FAF9), (0x2600, 0x27C0))
SKIPPED = ("SYMBOL", "SIGN", "BUTTON", "CLOCK FACE", "MODIFIER", "REGIONAL", "SQUARED", "DINGBAT", "ARROW")
STOP_WORDS = {"with", "of", "and", "the", "for", "in", "black", "white", "heavy", "face"}
SIZE = 224
MAX_ANSWER_WORDS = 4


@dataclass(frozen=True)
class TrainingPicture:
    """A picture of the training.

    Attributes:
        source: "drawn", "emoji", "catalogue" or "photograph".
        picture: The picture, RGB.
        answer: Its keywords; None leaves them to the classifier.
        name: What its variants share, so that held-out pictures have no sibling in the training.
    """

    source: str
    picture: Image.Image
    answer: tuple[str, ...] | None
    name: str


def drawn_products(rng: np.random.Generator, n: int) -> Iterator[TrainingPicture]:
    """Products as in the synthetic shop: motif, kind and colour."""
    for number, (picture, motif, colour, kind) in enumerate(draw_training_pictures(rng, n)):
        yield TrainingPicture("drawn", picture, (motif, kind, colour), f"drawn {number}")


def emoji_of_font(file: Path, rng: np.random.Generator, variants: int = 3) -> Iterator[TrainingPicture]:
    """Every emoji of a colour font that has a Unicode name, on grounds, at sizes and tilts of chance."""
    font = ImageFont.truetype(str(file), 109)
    blank = font.getmask("\U0010ffff").getbbox()
    for code in (c for low, high in RANGES for c in range(low, high)):
        words, box = emoji_words(code), font.getmask(chr(code)).getbbox()
        if not words or box is None or box == blank:
            continue
        layer = Image.new("RGBA", (136, 136))
        ImageDraw.Draw(layer).text((0, 0), chr(code), font=font, embedded_color=True)
        if np.asarray(layer)[..., 3].mean() < 20:
            continue
        for _ in range(variants):
            turned = layer.rotate(float(rng.uniform(-12, 12)), expand=True, resample=Image.Resampling.BICUBIC)
            yield TrainingPicture("emoji", on_ground(turned, rng), words, " ".join(words))


def emoji_of_folder(folder: Path, rng: np.random.Generator, variants: int = 3) -> Iterator[TrainingPicture]:
    """Emoji rendered as pictures with a transparent ground, in files named by their code points (1f34e.webp)."""
    for file in sorted(folder.rglob("*")):
        codes = [code for code in file.stem.split("-") if code != "fe0f"]
        if len(codes) != 1 or file.suffix not in (".webp", ".png"):
            continue
        words = emoji_words(int(codes[0], 16))
        for _ in range(variants if words else 0):
            with Image.open(file) as picture:
                yield TrainingPicture("emoji", on_ground(picture.convert("RGBA"), rng), words, " ".join(words))


def emoji_words(code: int) -> tuple[str, ...]:
    """The words of a character's Unicode name; none for signs, arrows and long names."""
    name = unicodedata.name(chr(code), "")
    words = tuple(word for word in name.lower().replace("-", " ").split() if word not in STOP_WORDS)
    return words if 0 < len(words) <= 3 and not any(part in name for part in SKIPPED) else ()


def photographs(folder: Path, rng: np.random.Generator, crops: int = 15) -> Iterator[TrainingPicture]:
    """Photographs of a folder, such as desktop backgrounds, whole and in cuts."""
    for file in sorted(folder.rglob("*")):
        if file.suffix.lower() not in (".jpg", ".jpeg", ".png", ".webp"):
            continue
        try:
            picture = open_picture(file, folder)
        except BadPicture:
            continue
        for part in (picture, *(cut(picture, rng, least=0.05) for _ in range(crops))):
            yield TrainingPicture("photograph", part, None, file.name)


def catalogue_pictures(folder: Path, rng: np.random.Generator, crops: int = 3) -> Iterator[TrainingPicture]:
    """Pictures of a data folder with the categories of their items, and cuts of them for the classifier."""
    dataset: Dataset = load(folder)
    counts = Counter(category for item in dataset.items for category in set(item.categories))
    common = {category for category, count in counts.items() if count > len(dataset.items) / 2}  # they tell nothing
    seen: set[bytes] = set()
    for code, item in enumerate(dataset.items):
        path = dataset.image_path(code)
        if path is None or not path.is_file():
            continue
        content = path.read_bytes()
        if content in seen or is_held_out(content):
            continue
        seen.add(content)
        picture = open_picture(path, path.parent)
        telling = [category.lower() for category in item.categories if category not in common]
        categories = tuple(telling[:MAX_ANSWER_WORDS])
        if categories:
            yield TrainingPicture("catalogue", picture, categories, path.name)
        for _ in range(crops):
            yield TrainingPicture("photograph", cut(picture, rng, least=0.12), None, path.name)


def cut(picture: Image.Image, rng: np.random.Generator, least: float) -> Image.Image:
    """A part of a picture, at least a share of its area, perhaps mirrored."""
    width, height = picture.size
    scale, stretch = float(rng.uniform(least, 1)) ** 0.5, float(np.exp(rng.uniform(-0.25, 0.25)))
    part_width, part_height = min(width, width * scale * stretch), min(height, height * scale / stretch)
    left, top = float(rng.uniform(0, width - part_width)), float(rng.uniform(0, height - part_height))
    part = picture.crop((int(left), int(top), int(left + part_width), int(top + part_height)))
    return part.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else part


def on_ground(layer: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A picture with a transparent ground on a light one, at a size and a place of chance."""
    side = int(SIZE * float(rng.uniform(0.55, 1)))
    layer = layer.copy()
    layer.thumbnail((side, side))
    ground = Image.new("RGB", (SIZE, SIZE), tuple(int(value) for value in rng.integers(170, 256, 3)))
    left, top = (int(rng.integers(0, SIZE - length + 1)) for length in layer.size)
    ground.paste(layer, (left, top), layer)
    return ground
