"""The contact sheet: the worst first, and each keyword in the colour of its worth."""

from pathlib import Path

from keyword_scoring import Photograph
from photograph_sheet import COLOURS, draw_sheet, order
from PIL import Image, ImageColor

PHOTOS = [
    Photograph("p", "1", f"{name}.png", "0" * 64, "known", (name,), ("tool",), ()) for name in ("saw", "key", "axe")
]
KEYWORDS = {"saw.png": ["saw"], "key.png": ["fish"], "axe.png": ["tool", "fish"]}


def test_the_worst_come_first() -> None:
    assert [photo.file for photo in order(PHOTOS, KEYWORDS)] == ["key.png", "axe.png", "saw.png"]


def test_silence_is_better_than_a_wrong_word() -> None:
    assert [photo.file for photo in order(PHOTOS[:2], {"key.png": ["fish"]})] == ["key.png", "saw.png"]


def test_colours_tell_what_a_keyword_is_worth(tmp_path: Path) -> None:
    pictures = {photo.file: Image.new("RGB", (50, 20), "white") for photo in PHOTOS}
    draw_sheet(tmp_path / "sheet.png", PHOTOS, pictures, KEYWORDS, each=2)
    colours = {colour for _, colour in Image.open(tmp_path / "sheet.png").getcolors(1 << 24)}
    shown = {worth for worth, colour in COLOURS.items() if ImageColor.getrgb(colour) in colours}
    assert shown == {"named", "near", "wrong"}
