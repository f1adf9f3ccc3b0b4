"""The bytes of a picture as JSON holds them: in base64, and nothing else is taken for it."""

import base64
import binascii
import re
from typing import Annotated

from pydantic import EncodedBytes
from pydantic.types import Base64Encoder
from pydantic_core import PydanticCustomError

ADDRESS = re.compile(rb"\s*[a-z][a-z0-9+.-]*:", re.IGNORECASE)
BLANKS = b" \t\r\n"
"""What some programs break long lines by."""


class StrictBase64(Base64Encoder):
    """Base64 of the standard alphabet, with its padding."""

    @classmethod
    def decode(cls, data: bytes) -> bytes:
        """The bytes. Raises PydanticCustomError, which says what to send instead."""
        if ADDRESS.match(data):
            raise PydanticCustomError(
                "picture_address", "pictures come as bytes, never by address: send them in base64"
            )
        try:
            return base64.b64decode(data.translate(None, BLANKS), validate=True)
        except binascii.Error:
            message = "this is no base64: pictures come as bytes in base64, of the alphabet A-Z, a-z, 0-9, + and /"
            raise PydanticCustomError("picture_base64", message) from None


PictureBytes = Annotated[bytes, EncodedBytes(encoder=StrictBase64)]
