"""Opens untrusted pictures: every file that could do harm is refused, with a reason."""

import contextlib
import hashlib
import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from mmsrarec.data.dataset import Dataset

FORMATS = ("JPEG", "PNG", "WEBP")
MAX_BYTES = 20 * 2**20
MAX_PIXELS = 25_000_000
"""Width times height, checked before anything is decoded: a PNG of some kilobytes can unpack to gigabytes."""

HELD_OUT_PART = 5
"""One picture in so many is for tests only."""


class BadPicture(Exception):
    """The error for a picture that is not used; the message is the reason."""


def open_picture(path: Path, root: Path) -> Image.Image:
    """Open a picture: its first frame, upright, in RGB, with transparent parts on white.

    Args:
        path: The file.
        root: The folder in which the file must lie once links are resolved.

    Returns:
        The decoded picture.

    Raises:
        BadPicture: The file is not a whole JPEG, PNG or WebP file within MAX_BYTES and MAX_PIXELS.
    """
    data = _bytes_under(path, root)
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        # Damaged files make the decoders raise nearly anything (OSError, SyntaxError, struct.error, ...).
        try:
            picture = Image.open(io.BytesIO(data), formats=FORMATS)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            raise BadPicture(f"more than {MAX_PIXELS // 1_000_000} megapixels") from None
        except Exception:
            raise BadPicture(f"not a readable {', '.join(FORMATS)} file") from None
        width, height = picture.size
        if width * height > MAX_PIXELS:
            raise BadPicture(f"{width} x {height} is more than {MAX_PIXELS // 1_000_000} megapixels")
        try:
            picture.load()
            return _upright_rgb(picture)
        except Exception as error:
            raise BadPicture(f"damaged or cut short ({type(error).__name__})") from None


def is_held_out(content: bytes) -> bool:
    """Whether a picture is for tests only: nothing that ships may be trained on it.

    The bytes decide, not the item: several items may show the same file.

    Args:
        content: The bytes of the file.
    """
    return hashlib.sha256(content).digest()[0] % HELD_OUT_PART == 0


def usable_pictures(dataset: Dataset) -> tuple[dict[int, Path], dict[int, str]]:
    """Open all pictures of a data set.

    Returns:
        Item code -> path of the pictures that open, and item code -> reason of those that do not.
    """
    usable: dict[int, Path] = {}
    broken: dict[int, str] = {}
    for code in range(len(dataset.items)):
        path, root = dataset.image_path(code), dataset.image_folder
        if path is None or root is None:
            continue
        try:
            open_picture(path, root)
            usable[code] = path
        except BadPicture as reason:
            broken[code] = str(reason)
    return usable, broken


def _bytes_under(path: Path, root: Path) -> bytes:
    """The content of a file below a folder. Raises BadPicture."""
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError, ValueError):  # missing; a circle of links; a zero byte in the name
        raise BadPicture("no such file") from None
    if not real.is_relative_to(root.resolve()):
        raise BadPicture("lies outside the picture folder")
    if not real.is_file():  # also keeps pipes and devices from being read for ever
        raise BadPicture("not a regular file")
    try:
        with real.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BadPicture(f"cannot be read ({error.strerror})") from None
    if len(data) > MAX_BYTES:
        raise BadPicture(f"more than {MAX_BYTES // 2**20} MiB")
    return data


def _upright_rgb(picture: Image.Image) -> Image.Image:
    """The picture turned as its EXIF block says, in RGB, on white."""
    with contextlib.suppress(Exception):  # junk in the EXIF block says nothing about the picture itself
        picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith("I"):  # 16-bit grey: Pillow would clip it to white instead of scaling it
        picture = Image.fromarray((np.asarray(picture, dtype=np.uint32) >> 8).clip(0, 255).astype(np.uint8))
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture.convert("RGBA")).convert("RGB")
