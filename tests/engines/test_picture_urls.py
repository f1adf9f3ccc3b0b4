"""Pictures as data URLs: opened with every check, bounded in size, nothing of the file but the picture."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmsrarec.data.images import BadPicture
from mmsrarec.engines.picture_urls import LARGEST_PNG, LONGEST_SIDE, data_url
from mmsrarec.engines.protocol import PictureFile


def picture_of(url: str) -> tuple[str, Image.Image]:
    kind, _, data = url.partition(";base64,")
    return kind, Image.open(io.BytesIO(base64.b64decode(data, validate=True)))


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8))


def test_a_small_picture_is_sent_without_loss_and_without_what_else_its_file_holds(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    noise(60, 40).save(tmp_path / "a.png", exif=exif)
    kind, sent = picture_of(data_url(PictureFile(tmp_path / "a.png", tmp_path)))
    assert kind == "data:image/png"
    assert np.array_equal(np.asarray(sent), np.asarray(noise(60, 40)))
    assert not sent.getexif()


def test_a_large_picture_is_shrunk_and_sent_as_a_jpeg(tmp_path: Path) -> None:
    noise(1600, 900).save(tmp_path / "a.png")
    url = data_url(PictureFile(tmp_path / "a.png", tmp_path))
    kind, sent = picture_of(url)
    assert kind == "data:image/jpeg"
    assert sent.size == (LONGEST_SIDE, 432)
    assert len(url) < 2 * 2**20


def test_what_is_sent_without_loss_is_bounded(tmp_path: Path) -> None:
    Image.new("RGB", (4000, 3000), "red").save(tmp_path / "a.png")
    url = data_url(PictureFile(tmp_path / "a.png", tmp_path))
    assert picture_of(url)[1].size == (LONGEST_SIDE, 576)
    assert len(url) < LARGEST_PNG * 4 / 3 + 100


def test_a_file_outside_its_folder_is_not_sent(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    noise(8, 8).save(tmp_path / "secret.png")
    (tmp_path / "images" / "a.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(BadPicture, match="outside"):
        data_url(PictureFile(tmp_path / "images" / "a.png", tmp_path / "images"))
