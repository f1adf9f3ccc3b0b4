"""Pictures of items as pages show them: decoded with all limits, made small, and kept; a drawn tile for the others.

Nothing of a file is sent as it is. One picture is decoded at a time, so that many of them cost no more memory than one.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from io import BytesIO
from typing import Literal, NamedTuple

from PIL import Image

from mmsrarec.data.images import BadPicture, decode_picture, open_picture
from mmsrarec.serve.model.served_run import ServedRun
from mmsrarec.serve.page.page_templates import render

Size = Literal["small", "large"]
SIDES: dict[Size, int] = {"small": 320, "large": 960}
"""Pixels of the longer side."""
MAX_KEPT_BYTES = 32 * 2**20
QUALITY = 82
HUES = (14, 32, 48, 96, 150, 178, 205, 228, 268, 312)
"""Of drawn tiles, in degrees."""


class Sent(NamedTuple):
    """A picture as it is sent.

    Attributes:
        body: Its bytes.
        media_type: Its type.
    """

    body: bytes
    media_type: str


class Thumbnails:
    """Makes small pictures.

    Attributes:
        picture_of: Reads the bytes of the picture of an item that came to the server.
        cache: What was made, the newest last.
    """

    def __init__(self, picture_of: Callable[[str], bytes | None]) -> None:
        self.picture_of = picture_of
        self.cache: OrderedDict[tuple[str, int, str, Size], Sent] = OrderedDict()
        self._bytes = 0
        self._one_at_a_time, self._book = threading.Lock(), threading.Lock()

    def get(self, served: ServedRun, code: int, size: Size) -> Sent:
        """The picture of an item, or its tile. It decodes, so it is called outside the event loop.

        Args:
            served: The run.
            code: Of an item.
            size: How large.
        """
        item_id = served.recommender.dataset.items[code].item_id
        row = served.rows.get(item_id)
        key = (str(served.folder), 0 if row is None else row.revision, item_id, size)
        with self._book:
            if (sent := self.cache.get(key)) is not None:
                self.cache.move_to_end(key)
                return sent
        with self._one_at_a_time:
            picture = self._decoded(served, code)
            sent = Sent(tile(served, code), "image/svg+xml") if picture is None else _shrunk(picture, SIDES[size])
        with self._book:
            if key not in self.cache:
                self.cache[key] = sent
                self._bytes += len(sent.body)
            while self._bytes > MAX_KEPT_BYTES:
                self._bytes -= len(self.cache.popitem(last=False)[1].body)
        return sent

    def _decoded(self, served: ServedRun, code: int) -> Image.Image | None:
        """The picture of an item, of the state or of the data folder; None where there is none that can be used."""
        dataset = served.recommender.dataset
        item_id = dataset.items[code].item_id
        row = served.rows.get(item_id)
        try:
            if row is not None and row.described:
                body = self.picture_of(item_id) if row.has_picture else None
                return None if body is None else decode_picture(body)[0]
            path = dataset.image_path(code)
            return None if path is None or dataset.image_folder is None else open_picture(path, dataset.image_folder)
        except BadPicture:
            return None


def _shrunk(picture: Image.Image, side: int) -> Sent:
    picture.thumbnail((side, side))
    out = BytesIO()
    picture.save(out, "WEBP", quality=QUALITY)
    return Sent(out.getvalue(), "image/webp")


def tile(served: ServedRun, code: int) -> bytes:
    """A calm drawing in the place of a picture: the category gives the colour, the item the shapes."""
    item = served.recommender.dataset.items[code]
    of_category = hashlib.sha256("|".join(item.categories[:1]).encode()).digest()
    own = hashlib.sha256(item.item_id.encode("utf-8", "replace")).digest()
    letter = next((sign for sign in item.title if sign.isalnum()), "")
    data = {
        "hue": HUES[of_category[0] % len(HUES)],
        "x": 60 + own[0] % 200,
        "y": 70 + own[1] % 180,
        "r": 70 + own[2] % 70,
        "turn": own[3] % 180,
        "letter": letter.upper()[:1],
    }
    return render("tile.svg", data).encode()
