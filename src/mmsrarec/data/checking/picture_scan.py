"""Looks at pictures one by one: their size, whether they show anything, and a fingerprint to compare them by."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from mmsrarec.core.files import file_hash
from mmsrarec.data.dataset import Dataset
from mmsrarec.data.images import BadPicture, open_picture

BLANK_DEVIATION = 3.0
"""A picture whose grey values deviate less than this from their mean (of 255) shows nothing."""
MIN_SIDE = 32
"""A smaller picture, in pixels, is an icon."""
MAX_ASPECT = 5.0
"""A picture whose one side is more than this many times the other is a banner or a strip."""
FINGERPRINT = (9, 8)
"""Columns and rows of grey values whose neighbours are compared: a difference hash of 64 bits."""
MIN_STEP = 2
"""Grey values must differ by more than this, of 255, so that noise in a plain area changes no bit."""
COLOURS = 4
"""Columns and rows of mean colours."""


@dataclass(frozen=True)
class PictureFacts:
    """What is known of one item's picture.

    Attributes:
        code: The code of the item.
        content: The sha256 of the file, in hex digits.
        width: In pixels, as it is seen.
        height: In pixels.
        deviation: The standard deviation of its grey values, of 255.
        fingerprint: 64 bits: whether each grey value is clearly above its right neighbour.
        colours: Mean colours of a grid, of 255.
    """

    code: int
    content: str
    width: int
    height: int
    deviation: float
    fingerprint: int
    colours: tuple[int, ...]

    @property
    def oddity(self) -> str | None:
        """Why it is of little use; None where it is ordinary."""
        if self.deviation < BLANK_DEVIATION:
            return "shows one colour"
        if min(self.width, self.height) < MIN_SIDE:
            return f"smaller than {MIN_SIDE} pixels"
        if max(self.width, self.height) > MAX_ASPECT * min(self.width, self.height):
            return f"one side is more than {MAX_ASPECT:g} times the other"
        return None


def scan_pictures(
    dataset: Dataset, codes: Sequence[int], done: Callable[[], None] = lambda: None
) -> tuple[list[PictureFacts], dict[int, str]]:
    """Open pictures one by one.

    Args:
        dataset: The data set.
        codes: The codes of items that name a picture file. A file that several items name is opened once.
        done: Is called after each.

    Returns:
        The facts of the pictures that open, and item code -> reason for those that do not.
    """
    facts: list[PictureFacts] = []
    broken: dict[int, str] = {}
    known: dict[Path, PictureFacts | str] = {}
    for code in codes:
        path, root = dataset.image_path(code), dataset.image_folder
        if path is not None and root is not None:
            if path not in known:
                known[path] = _look(code, path, root)
            seen = known[path]
            if isinstance(seen, str):
                broken[code] = seen
            else:
                facts.append(PictureFacts(code, *list(vars(seen).values())[1:]))
        done()
    return facts, broken


def _look(code: int, path: Path, root: Path) -> PictureFacts | str:
    """The facts of a picture file, or why it does not open."""
    try:
        picture = open_picture(path, root)
    except BadPicture as reason:
        return str(reason)
    content = file_hash(path)
    width, height = picture.size
    return PictureFacts(code, content, width, height, *_appearance(picture))


def _appearance(picture: Image.Image) -> tuple[float, int, tuple[int, ...]]:
    """The deviation, the fingerprint and the colours of a picture."""
    small = picture.reduce(max(1, min(picture.size) // 64))
    grey = np.asarray(small.convert("L"), dtype=np.float64)
    rows = np.asarray(small.convert("L").resize(FINGERPRINT, Image.Resampling.BOX), dtype=np.int16)
    bits = (rows[:, :-1] > rows[:, 1:] + MIN_STEP).ravel()
    colours = np.asarray(small.resize((COLOURS, COLOURS), Image.Resampling.BOX)).ravel()
    return float(grey.std()), int.from_bytes(np.packbits(bits).tobytes(), "big"), tuple(map(int, colours))
