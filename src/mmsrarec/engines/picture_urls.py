"""Writes a picture as a data URL: opened with every check, shrunk, and encoded anew, so nothing else leaves."""

import base64
import io

from mmsrarec.data.images import open_picture
from mmsrarec.engines.protocol import PictureFile

LONGEST_SIDE = 768
"""Pixels of the longest side of a picture that is sent."""
LARGEST_PNG = 256 * 2**10
"""Bytes of a picture that is sent without loss; a larger one is sent as a JPEG."""
JPEG_QUALITY = 90
ENCODING = f"{LONGEST_SIDE} pixels, PNG to {LARGEST_PNG} bytes, JPEG {JPEG_QUALITY}"
"""How pictures are sent; it is part of what an answer depends on."""


def data_url(picture: PictureFile) -> str:
    """A picture as a data URL.

    Raises:
        BadPicture: The file is no picture that can be used.
    """
    image = open_picture(picture.path, picture.root)
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    kind = "png"
    if buffer.tell() > LARGEST_PNG:
        buffer, kind = io.BytesIO(), "jpeg"
        image.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
