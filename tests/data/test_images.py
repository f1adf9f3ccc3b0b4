"""Pictures that attack, and pictures that are merely unusual."""

import contextlib
import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmsrarec.data import images
from mmsrarec.data.dataset import Dataset, Item, make_interactions
from mmsrarec.data.images import BadPicture, is_held_out, open_picture, usable_pictures


def noise(mode: str = "RGB", size: tuple[int, int] = (40, 30)) -> Image.Image:
    channels = len(Image.new(mode, (1, 1)).getbands())
    shape = (size[1], size[0], channels) if channels > 1 else (size[1], size[0])
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))


def png_claiming(width: int, height: int) -> bytes:
    """A whole PNG of a few kilobytes: zeros compress well."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    packer = zlib.compressobj(9)
    row = b"\0" * (1 + (width + 7) // 8)
    body = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["jpg", "png", "webp"])
def test_the_three_formats_open_as_rgb(tmp_path: Path, kind: str) -> None:
    noise().save(tmp_path / f"a.{kind}")
    picture = open_picture(tmp_path / f"a.{kind}", tmp_path)
    assert picture.mode == "RGB"
    assert picture.size == (40, 30)


def test_the_content_decides_not_the_name(tmp_path: Path) -> None:
    noise("L").save(tmp_path / "a.gif")
    (tmp_path / "a.gif").rename(tmp_path / "a.png")
    with pytest.raises(BadPicture, match="not a readable"):
        open_picture(tmp_path / "a.png", tmp_path)


@pytest.mark.parametrize("kind", ["jpg", "png", "webp"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_truncated_picture_is_refused(tmp_path: Path, kind: str, share: float) -> None:
    noise(size=(200, 200)).save(tmp_path / f"a.{kind}")
    data = (tmp_path / f"a.{kind}").read_bytes()
    (tmp_path / f"a.{kind}").write_bytes(data[: int(share * len(data))])
    with pytest.raises(BadPicture):
        open_picture(tmp_path / f"a.{kind}", tmp_path)


@pytest.mark.parametrize(
    "data", [b"", b"\x89PNG\r\n\x1a\n", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"\xff\xd8\xff"]
)
def test_what_is_no_picture_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(BadPicture):
        open_picture(tmp_path / "a.png", tmp_path)


@pytest.mark.parametrize("side", [5_001, 9_800, 13_300])  # above our limit, above Pillow's warning, at 176.9 megapixels
def test_a_small_file_that_decodes_to_many_pixels_is_refused_undecoded(
    tmp_path: Path, side: int, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    (tmp_path / "bomb.png").write_bytes(png_claiming(side, side))
    assert (tmp_path / "bomb.png").stat().st_size < 25_000
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    with pytest.raises(BadPicture, match="megapixels"):
        open_picture(tmp_path / "bomb.png", tmp_path)
    assert not recwarn.list


def test_bytes_are_capped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise().save(tmp_path / "a.png")
    monkeypatch.setattr(images, "MAX_BYTES", 100)
    with pytest.raises(BadPicture, match="more than"):
        open_picture(tmp_path / "a.png", tmp_path)


def test_paths_stay_under_the_root(tmp_path: Path) -> None:
    root = tmp_path / "images"
    root.mkdir()
    noise().save(tmp_path / "outside.png")
    noise().save(root / "inside.png")
    (root / "link.png").symlink_to(tmp_path / "outside.png")
    (root / "fine.png").symlink_to(root / "inside.png")
    (root / "circle.png").symlink_to(root / "circle.png")
    assert open_picture(root / "fine.png", root).size == (40, 30)
    for name in ("../outside.png", str(tmp_path / "outside.png"), "link.png"):
        with pytest.raises(BadPicture, match="outside"):
            open_picture(root / name, root)
    for name in ("none.png", "circle.png", "zero\0.png", "x" * 5000):
        with pytest.raises(BadPicture, match="no such file"):
            open_picture(root / name, root)
    with pytest.raises(BadPicture, match="regular"):
        open_picture(root, root)


def test_a_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(BadPicture, match="regular"):
        open_picture(tmp_path / "pipe.png", tmp_path)


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    noise().save(tmp_path / "a.jpg", exif=exif)
    assert open_picture(tmp_path / "a.jpg", tmp_path).size == (30, 40)


def test_transparent_parts_become_white(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 4), (200, 0, 0, 0)).save(tmp_path / "a.png")
    Image.new("RGBA", (4, 4), (200, 0, 0, 255)).save(tmp_path / "b.png")
    assert open_picture(tmp_path / "a.png", tmp_path).getpixel((1, 1)) == (255, 255, 255)
    assert open_picture(tmp_path / "b.png", tmp_path).getpixel((1, 1)) == (200, 0, 0)


def test_sixteen_bit_grey_is_scaled(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4), 0x8000, dtype=np.uint16)).save(tmp_path / "a.png")
    assert open_picture(tmp_path / "a.png", tmp_path).getpixel((1, 1)) == (128, 128, 128)


def test_of_an_animation_the_first_frame_counts(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], lossless=True)
    assert open_picture(tmp_path / "a.webp", tmp_path).getpixel((1, 1)) == (255, 0, 0)


def test_flipped_bytes_raise_nothing_but_bad_picture(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for kind in ("JPEG", "PNG", "WEBP"):
        buffer = io.BytesIO()
        noise().save(buffer, kind)
        for _ in range(60):
            data = bytearray(buffer.getvalue())
            for at in rng.integers(len(data), size=4):
                data[at] = rng.integers(256)
            (tmp_path / "a").write_bytes(data)
            with contextlib.suppress(BadPicture):
                assert open_picture(tmp_path / "a", tmp_path).mode == "RGB"


def test_usable_pictures_tells_good_from_bad(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    noise().save(tmp_path / "images" / "good.png")
    items = tuple(Item(str(i), image=image) for i, image in enumerate(["good.png", "gone.png", None]))
    none = np.zeros(0, dtype=np.int64)
    usable, broken = usable_pictures(Dataset("d", items, (), make_interactions(none, none, none, 0, 3), tmp_path))
    assert usable == {0: tmp_path / "images" / "good.png"}
    assert broken == {1: "no such file"}


def test_one_picture_in_five_is_held_out_whatever_its_name() -> None:
    held_out = [is_held_out(b"picture %d" % number) for number in range(2000)]
    assert 0.17 < np.mean(held_out) < 0.23
    # a fixed rule: what was held out from training stays so
    assert [number for number in range(20) if held_out[number]] == [1, 7, 11, 16, 18]
