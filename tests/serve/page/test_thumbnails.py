"""Pictures are decoded, made small and kept; whatever is no picture is a drawn tile."""

import io
import shutil
import xml.etree.ElementTree as ET
from base64 import b64encode
from pathlib import Path

import pytest
from html_pages import HOSTILE
from PIL import Image
from served import Served

from mmsrarec.serve.page import thumbnails
from mmsrarec.serve.page.thumbnails import SIDES, Thumbnails, tile


def png(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.effect_noise((width, height), 80).convert("RGB").save(out, "PNG")
    return out.getvalue()


def put(server: Served, item_id: str, **fields: object) -> int:
    server.ok("PUT", f"/v1/items/{item_id}", fields)
    return server.service.catalogue().code(item_id)


def code_with_picture(server: Served) -> int:
    """The first one is damaged."""
    dataset = server.recommender.dataset
    return [code for code, item in enumerate(dataset.items) if item.image is not None][1]


def test_a_picture_is_made_small_and_kept(server: Served) -> None:
    made = Thumbnails(server.service.picture)
    sent = made.get(server.service.run(), code_with_picture(server), "small")
    assert sent.media_type == "image/webp"
    assert max(Image.open(io.BytesIO(sent.body)).size) <= SIDES["small"]
    assert made.get(server.service.run(), code_with_picture(server), "small") is sent
    assert len(made.cache) == 1


def test_what_is_written_anew_is_shown_anew(own: Served) -> None:
    made = Thumbnails(own.service.picture)
    code = put(own, "x", title="A lamp")
    assert made.get(own.service.run(), code, "large").media_type == "image/svg+xml"
    code = put(own, "x", title="A lamp", picture=b64encode(png(1500, 300)).decode())
    sent = made.get(own.service.run(), code, "large")
    assert Image.open(io.BytesIO(sent.body)).size == (960, 192)
    code = put(own, "x", title="A lamp", picture=b64encode(b"GIF89a is no picture").decode())
    assert made.get(own.service.run(), code, "large").media_type == "image/svg+xml"


def test_a_file_that_went_away_or_broke_is_a_tile(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished / "data", tmp_path / "data")
    from served import served

    with served(finished / "run", tmp_path / "s.sqlite", data=tmp_path / "data") as server:
        dataset = server.recommender.dataset
        code = code_with_picture(server)
        path = dataset.image_path(code)
        assert path is not None
        assert path.is_relative_to(tmp_path)
        path.write_bytes(b"<svg onload='alert(1)'/>")
        assert Thumbnails(server.service.picture).get(server.service.run(), code, "small").media_type == "image/svg+xml"
        path.unlink()
        sent = Thumbnails(server.service.picture).get(server.service.run(), code, "small")
        assert sent.body == tile(server.service.run(), code)


def test_a_tile_is_a_drawing_and_no_more(own: Served) -> None:
    for number, title in enumerate(("", "  - ", *(text.replace("\0", "") for text in HOSTILE))):
        code = put(own, f"x{number}", title=title, categories=[title or "?"])
        drawing = ET.fromstring(tile(own.service.run(), code))
        names = {element.tag.rpartition("}")[2] for element in drawing.iter()}
        assert names == {"svg", "style", "rect", "circle", "text"}
        letter = drawing.find("{*}text")
        assert letter is not None
        assert len(letter.text or "") <= 1


def test_it_keeps_no_more_than_it_may(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    made, served = Thumbnails(server.service.picture), server.service.run()
    largest = max(len(made.get(served, code, "small").body) for code in range(12))
    assert len(made.cache) == 12
    monkeypatch.setattr(thumbnails, "MAX_KEPT_BYTES", 2 * largest)
    made.get(served, 12, "small")
    assert 0 < sum(len(sent.body) for sent in made.cache.values()) <= 2 * largest
