"""Pictures are looked at one by one, and those that look the same are found."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from mmsrarec.data.checking.picture_duplicates import near_duplicate_pictures
from mmsrarec.data.checking.picture_scan import PictureFacts, scan_pictures
from mmsrarec.data.dataset import Dataset, Item, make_interactions


def drawing(seed: int, size: tuple[int, int] = (160, 120)) -> Image.Image:
    """A picture of a few large shapes, another for each seed."""
    rng = np.random.default_rng(seed)
    picture = Image.new("RGB", (160, 120), tuple(map(int, rng.integers(0, 256, 3))))
    pen = ImageDraw.Draw(picture)
    for _ in range(9):
        x, y = map(int, rng.integers(0, [140, 100]))
        width, height = map(int, rng.integers(15, 80, 2))
        pen.rectangle((x, y, x + width, y + height), fill=tuple(map(int, rng.integers(0, 256, 3))))
    return picture.resize(size)


def dataset_of(folder: Path, names: list[str | None]) -> Dataset:
    none = np.zeros(0, dtype=np.int64)
    items = tuple(Item(str(code), image=name) for code, name in enumerate(names))
    return Dataset("d", items, (), make_interactions(none, none, none, 0, len(items)), folder)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    return tmp_path / "images"


def test_the_facts_of_pictures_and_the_reasons_of_others(images: Path) -> None:
    drawing(0).save(images / "a.png")
    (images / "b.png").write_bytes(b"<html>")
    done: list[int] = []
    dataset = dataset_of(images.parent, ["a.png", "b.png", "gone.png", None, "a.png"])
    facts, broken = scan_pictures(dataset, [0, 1, 2, 4], lambda: done.append(1))
    assert [(each.code, each.width, each.height) for each in facts] == [(0, 160, 120), (4, 160, 120)]
    assert facts[0].content == facts[1].content
    assert broken == {1: "a web page: only JPEG, PNG, WEBP, GIF, AVIF are read", 2: "no such file"}
    assert len(done) == 4


@pytest.mark.parametrize(
    ("picture", "oddity"),
    [
        (Image.new("RGB", (90, 90), "white"), "shows one colour"),
        (drawing(1, (20, 40)), "smaller than 32 pixels"),
        (drawing(1, (600, 40)), "one side is more than 5 times the other"),
        (drawing(1), None),
    ],
)
def test_what_is_of_little_use_is_told(images: Path, picture: Image.Image, oddity: str | None) -> None:
    picture.save(images / "a.png")
    (facts,), _ = scan_pictures(dataset_of(images.parent, ["a.png"]), [0])
    assert facts.oddity == oddity


def test_a_copy_that_was_shrunk_and_packed_anew_is_nearly_the_same_and_another_picture_is_not(images: Path) -> None:
    names: list[str | None] = []
    for seed in range(30):
        drawing(seed).save(images / f"{seed}.png")
        names.append(f"{seed}.png")
    drawing(3).resize((120, 90)).save(images / "small.jpg", quality=60)
    drawing(7).save(images / "again.png")
    brighter = Image.eval(drawing(9), lambda value: min(255, value + 6))
    brighter.save(images / "brighter.webp")
    names += ["small.jpg", "again.png", "brighter.webp"]
    facts, _ = scan_pictures(dataset_of(images.parent, names), range(len(names)))
    assert near_duplicate_pictures(facts) == [[3, 30], [7, 31], [9, 32]]


def picture(code: int, fingerprint: int, colour: int = 100, width: int = 100, content: str = "") -> PictureFacts:
    return PictureFacts(code, content or str(code), width, 100, 50.0, fingerprint, (colour,) * 48)


def test_fingerprints_may_differ_in_three_bits_colours_and_shapes_a_little() -> None:
    base = 0x0123_4567_89AB_CDEF
    three, four = base ^ 0x8000_0100_0000_0001, base ^ 0x8001_0001_0000_0001
    assert near_duplicate_pictures([picture(0, base), picture(1, three)]) == [[0, 1]]
    assert near_duplicate_pictures([picture(0, base), picture(1, four)]) == []
    assert near_duplicate_pictures([picture(0, base), picture(1, base, colour=108)]) == [[0, 1]]
    assert near_duplicate_pictures([picture(0, base), picture(1, base, colour=140)]) == []
    assert near_duplicate_pictures([picture(0, base), picture(1, base, width=200)]) == []


def test_every_pair_of_three_bits_shares_a_part() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        base = int(rng.integers(0, 2**63))
        other = base
        for bit in rng.choice(64, 3, replace=False):
            other ^= 1 << int(bit)
        assert near_duplicate_pictures([picture(0, base), picture(1, other)]) == [[0, 1]]


def test_equal_files_are_a_group_however_many_there_are() -> None:
    facts = [picture(code, code, content="same") for code in range(500)]
    assert near_duplicate_pictures(facts) == [list(range(500))]
