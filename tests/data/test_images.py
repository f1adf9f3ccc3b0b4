"""Pictures that attack, and pictures that are merely unusual."""

import contextlib
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from broken_pictures import KINDS, chunk, encoded, noise, png
from PIL import Image, ImageCms

from mmsrarec.data import images
from mmsrarec.data.dataset import Dataset, Item, make_interactions
from mmsrarec.data.images import BadPicture, decode_picture, is_held_out, open_picture, usable_pictures

ENDINGS = ["jpg", "png", "webp", "gif", "avif"]


def opened(picture: Image.Image, kind: str, **options: object) -> Image.Image:
    """A picture after it was written in a format and opened again."""
    return decode_picture(encoded(picture, kind, **options))[0]


def nearly(picture: Image.Image, colour: tuple[int, int, int], at: tuple[int, int] = (1, 1)) -> bool:
    return max(abs(a - b) for a, b in zip(picture.getpixel(at), colour, strict=True)) <= 6


@pytest.mark.parametrize("kind", ENDINGS)
def test_the_formats_open_as_rgb(tmp_path: Path, kind: str) -> None:
    noise().save(tmp_path / f"a.{kind}")
    picture = open_picture(tmp_path / f"a.{kind}", tmp_path)
    assert picture.mode == "RGB"
    assert picture.size == (40, 30)
    assert decode_picture((tmp_path / f"a.{kind}").read_bytes())[1] == kind


def test_the_content_decides_not_the_name(tmp_path: Path) -> None:
    noise("L").save(tmp_path / "a.gif")
    (tmp_path / "a.gif").rename(tmp_path / "a.png")
    assert open_picture(tmp_path / "a.png", tmp_path).size == (40, 30)
    noise("L").save(tmp_path / "b.bmp")
    (tmp_path / "b.bmp").rename(tmp_path / "b.png")
    with pytest.raises(BadPicture, match="a Windows bitmap"):
        open_picture(tmp_path / "b.png", tmp_path)


@pytest.mark.parametrize("kind", ENDINGS)
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
    (tmp_path / "bomb.png").write_bytes(png(side, side))
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


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_a_picture_is_turned_as_the_camera_was_held(kind: str) -> None:
    picture = Image.new("RGB", (40, 30), "blue")
    picture.paste("red", (0, 0, 40, 8))  # red is above, as the sensor saw it
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter to the right: above becomes right
    turned = opened(picture, kind, exif=exif)
    assert turned.size == (30, 40)
    assert nearly(turned, (254, 0, 0), at=(28, 20))
    assert nearly(turned, (0, 0, 254), at=(2, 20))


def test_junk_in_the_exif_block_costs_only_the_turning() -> None:
    assert opened(noise(), "JPEG", exif=b"Exif\0\0MM\0*junk").size == (40, 30)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF"])
def test_transparent_parts_become_white(kind: str) -> None:
    assert nearly(opened(Image.new("RGBA", (8, 8), (200, 0, 0, 0)), kind, lossless=True), (255, 255, 255))
    assert nearly(opened(Image.new("RGBA", (8, 8), (200, 0, 0, 255)), kind, lossless=True), (200, 0, 0))
    assert nearly(opened(Image.new("RGBA", (8, 8), (200, 0, 0, 128)), kind, lossless=True), (227, 127, 127))


def test_a_transparent_colour_of_a_palette_becomes_white() -> None:
    picture = Image.new("P", (8, 8), 1)
    picture.putpalette([0, 0, 0, 10, 200, 10])
    assert opened(picture, "GIF").getpixel((1, 1)) == (10, 200, 10)
    assert opened(picture, "GIF", transparency=1).getpixel((1, 1)) == (255, 255, 255)
    assert opened(picture, "PNG", transparency=1).getpixel((1, 1)) == (255, 255, 255)


def test_sixteen_bit_grey_is_scaled() -> None:
    grey = Image.fromarray(np.full((4, 4), 0x8000, dtype=np.uint16))
    assert opened(grey, "PNG").getpixel((1, 1)) == (128, 128, 128)
    assert opened(grey, "PNG", transparency=0x8000).getpixel((1, 1)) == (255, 255, 255)


def test_sixteen_bit_colours_are_scaled() -> None:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"\0" + struct.pack(">6H", 0xFFFF, 0x8000, 0, 0x40FF, 0, 0xC000)))
    data = b"\x89PNG\r\n\x1a\n" + header + pixels + chunk(b"IEND", b"")
    picture, _ = decode_picture(data)
    assert [picture.getpixel((x, 0)) for x in (0, 1)] == [(255, 128, 0), (64, 0, 192)]


def test_the_colours_of_a_printer_become_those_of_a_screen() -> None:
    cmyk = Image.new("CMYK", (16, 16), (0, 255, 255, 0))  # magenta and yellow ink are red
    assert nearly(opened(cmyk, "JPEG", quality=95), (255, 0, 0))
    assert nearly(opened(Image.new("CMYK", (16, 16), (0, 0, 0, 255)), "JPEG", quality=95), (0, 0, 0))


def swapped_profile() -> bytes:
    """A colour profile in which the names of red and blue are exchanged, so that its use is plain to see."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for number in range(int.from_bytes(data[128:132], "big")):
        at = 132 + 12 * number
        name = bytes(data[at : at + 4])
        data[at : at + 4] = {b"rXYZ": b"bXYZ", b"bXYZ": b"rXYZ"}.get(name, name)
    return bytes(data).replace("sRGB".encode("utf-16-be"), "GBRs".encode("utf-16-be"))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_a_colour_profile_is_applied(kind: str) -> None:
    red = Image.new("RGB", (16, 16), (250, 0, 0))
    assert nearly(opened(red, kind, icc_profile=swapped_profile()), (0, 0, 250))
    plain = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert nearly(opened(red, kind, icc_profile=plain), (250, 0, 0))


def test_transparency_survives_a_colour_profile() -> None:
    clear = Image.new("RGBA", (16, 16), (250, 0, 0, 0))
    assert opened(clear, "PNG", icc_profile=swapped_profile()).getpixel((1, 1)) == (255, 255, 255)


@pytest.mark.parametrize("profile", [b"junk", b"\0" * 500, swapped_profile()[:200]])
def test_a_damaged_colour_profile_is_left_out(profile: bytes) -> None:
    assert opened(Image.new("RGB", (16, 16), (250, 0, 0)), "PNG", icc_profile=profile).getpixel((1, 1)) == (250, 0, 0)


@pytest.mark.parametrize("kind", ["WEBP", "GIF", "PNG", "AVIF"])
def test_of_an_animation_the_first_frame_counts(kind: str) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ((250, 0, 0), (0, 0, 250))]
    assert nearly(opened(frames[0], kind, save_all=True, append_images=frames[1:], lossless=True), (250, 0, 0))


def test_flipped_bytes_raise_nothing_but_bad_picture(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for kind in KINDS:
        for _ in range(60):
            data = bytearray(encoded(noise(), kind))
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
