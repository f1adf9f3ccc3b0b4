"""Opens untrusted pictures: every file that could do harm is refused, with a reason. Nothing else decodes pictures.

A picture comes in as people would see it: its first frame, turned as the camera was held, in sRGB colours, with 16-bit
and CMYK values brought to 8-bit RGB, and transparent parts on white.
"""

import contextlib
import hashlib
import io
import warnings
from pathlib import Path
from typing import Any, cast

import numpy as np
from PIL import Image, ImageCms, ImageOps

from mmsrarec.data.dataset import Dataset

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF")
MAX_BYTES = 20 * 2**20
MAX_PIXELS = 25_000_000
"""Width times height, checked before anything is decoded: a PNG of some kilobytes can unpack to gigabytes."""
MAX_SIDE = 20_000
"""The longest side in pixels: a picture of one row is nothing to look at, and costs as much as a large one."""
MAX_RATIO = 200
"""How often the shorter side may go into the longer one: vision encoders whose grid follows the picture refuse more."""
MAX_SCANS = 100
"""Passes of a progressive JPEG. Ordinary files have about ten; each one costs a walk over all pixels."""
MAX_MEMORY_MB = 640
"""No picture within these limits costs more memory while it is opened (2**20 bytes): tests measure the worst of each
format."""
MAX_PROFILE_BYTES = 4 * 2**20
"""The size of a colour profile that is still read. Those of printers have half a megabyte."""
ENDINGS = {"JPEG": "jpg", "MPO": "jpg", "PNG": "png", "WEBP": "webp", "GIF": "gif", "AVIF": "avif"}
"""The ending of a file's name by the format that Pillow finds in its content; MPO is a JPEG of some cameras."""
_START_OF_SCAN, _START_OF_JPEG = b"\xff\xda", b"\xff\xd8"
_SRGB = "srgb"
_SIGNS = {
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89png",),
    "GIF": (b"gif8",),
    "AVIF": (b"ftypavif", b"ftypavis"),
    "WEBP": (b"riff",),
    "a web page": (b"<!doctype html", b"<html", b"<head"),
    "an SVG drawing": (b"<svg", b"<?xml"),
    "a PDF file": (b"%pdf",),
    "a TIFF file": (b"ii*\0", b"mm\0*"),
    "a HEIC picture": (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftyphevc"),
    "a Windows bitmap": (b"bm",),
    "a packed file": (b"pk\x03\x04", b"\x1f\x8b", b"rar!", b"7z\xbc\xaf"),
    "a pointer of Git LFS": (b"version https://git-lfs",),
}
"""How files begin, in lower case, by what they are; the brands of AVIF and HEIC stand behind four bytes."""

HELD_OUT_PART = 5
"""One picture in so many is for tests only."""


class BadPicture(Exception):
    """The error for a picture that is not used; the message is the reason."""


def open_picture(path: Path, root: Path) -> Image.Image:
    """Open a picture file as `decode_picture` does.

    Args:
        path: The file.
        root: The folder in which the file must lie once links are resolved.

    Returns:
        The decoded picture, in RGB.

    Raises:
        BadPicture: The file lies elsewhere, cannot be read, or `decode_picture` refuses it.
    """
    return decode_picture(_bytes_under(path, root))[0]


def decode_picture(data: bytes) -> tuple[Image.Image, str]:
    """Decode a picture: its first frame, upright, in RGB, with transparent parts on white.

    Args:
        data: The content of a file.

    Returns:
        The picture, and the ending that belongs to its format, such as "jpg".

    Raises:
        BadPicture: The data are not a whole picture of FORMATS within MAX_BYTES, MAX_PIXELS, MAX_SIDE, MAX_RATIO and
            MAX_SCANS.
    """
    if len(data) > MAX_BYTES:
        raise BadPicture(f"more than {MAX_BYTES // 2**20} MiB")
    if not data:
        raise BadPicture("an empty file")
    if data.startswith(_START_OF_JPEG) and data.count(_START_OF_SCAN) > MAX_SCANS:
        raise BadPicture(f"a JPEG of more than {MAX_SCANS} scans")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # remarks on small faults, such as a bad EXIF block
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        # Damaged files make the decoders raise nearly anything (OSError, SyntaxError, struct.error, ...).
        try:
            picture = Image.open(io.BytesIO(data), formats=FORMATS)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            raise BadPicture(f"more than {MAX_PIXELS // 1_000_000} megapixels") from None
        except Exception:
            raise BadPicture(_kind(data)) from None
        width, height = picture.size
        if width * height > MAX_PIXELS:
            raise BadPicture(f"{width} x {height} is more than {MAX_PIXELS // 1_000_000} megapixels")
        if max(width, height) > MAX_SIDE:
            raise BadPicture(f"{width} x {height} is more than {MAX_SIDE} pixels on one side")
        if max(width, height) > MAX_RATIO * min(width, height):
            raise BadPicture(f"{width} x {height} is a line: one side is more than {MAX_RATIO} times the other")
        ending = ENDINGS[picture.format or "JPEG"]
        try:
            picture.load()
            return _upright_rgb(picture), ending
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
    return data


def _kind(data: bytes) -> str:
    """What a file is that does not open as a picture of FORMATS, as a reason."""
    start = data[:512].lstrip().lower()
    for name, signs in _SIGNS.items():
        if any(start.startswith(sign) or start[4:].startswith(sign) for sign in signs):
            return f"a damaged {name} file" if name in FORMATS else f"{name}: only {', '.join(FORMATS)} are read"
    return f"not a readable {', '.join(FORMATS)} file"


def _upright_rgb(picture: Image.Image) -> Image.Image:
    """The picture turned as its EXIF block says, in 8-bit sRGB, on white."""
    with contextlib.suppress(Exception):  # junk in the EXIF block says nothing about the picture itself
        picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith(("I", "F")):  # 16-bit grey: Pillow would clip it to white instead of scaling it
        picture = _eight_bit_grey(picture)
    picture = _in_srgb(picture)
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    picture = picture.convert("RGBA")
    white = Image.new("RGB", picture.size, "white")
    white.paste(picture, mask=picture.getchannel("A"))
    return white


def _eight_bit_grey(picture: Image.Image) -> Image.Image:
    """A picture of 16-bit grey values, of which one may be transparent, in 8 bits."""
    values = np.asarray(picture, dtype=np.uint16)
    grey = Image.fromarray((values >> 8).astype(np.uint8))
    transparent: object = picture.info.get("transparency")
    if isinstance(transparent, int):
        grey = grey.convert("LA")
        grey.putalpha(Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8)))
    return grey


def _in_srgb(picture: Image.Image) -> Image.Image:
    """The picture with its colour profile applied; as it is where it has none that can be used."""
    profile: object = picture.info.get("icc_profile")
    if picture.mode not in ("RGB", "RGBA", "CMYK") or not isinstance(profile, bytes):
        return picture
    if not 0 < len(profile) <= MAX_PROFILE_BYTES:
        return picture
    with contextlib.suppress(Exception):  # a damaged profile, or one of another colour space than the picture
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if _SRGB in ImageCms.getProfileDescription(source).lower().replace(" ", ""):
            return picture
        mode = "RGB" if picture.mode == "CMYK" else picture.mode
        target: Any = cast(Any, ImageCms).createProfile("sRGB")
        return ImageCms.profileToProfile(picture, source, target, outputMode=mode) or picture
    return picture
