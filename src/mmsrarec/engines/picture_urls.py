"""Opens a picture with every check, shrinks it, and writes it as a data URL: encoded anew, so nothing else leaves."""

import base64
import io

from PIL.Image import Image

from mmsrarec.data.images import open_picture
from mmsrarec.engines.protocol import PictureFile
from mmsrarec.models.vision.native_processor import LONGEST_SIDE

LARGEST_PNG = 256 * 2**10
"""Bytes of a picture that is sent without loss; a larger one is sent as a JPEG."""
JPEG_QUALITY = 90
ENCODING = f"{LONGEST_SIDE} pixels, PNG to {LARGEST_PNG} bytes, JPEG {JPEG_QUALITY}"
"""How pictures are sent; it is part of what an answer depends on."""


def open_shrunk(picture: PictureFile) -> Image:
    """A picture of at most LONGEST_SIDE pixels a side.

    Raises:
        BadPicture: The file is no picture that can be used.
    """
    image = open_picture(picture.path, picture.root)
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    return image


def data_url(picture: PictureFile) -> str:
    """A picture as a data URL.

    Raises:
        BadPicture: The file is no picture that can be used.
    """
    image = open_shrunk(picture)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    kind = "png"
    if buffer.tell() > LARGEST_PNG:
        buffer, kind = io.BytesIO(), "jpeg"
        image.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
