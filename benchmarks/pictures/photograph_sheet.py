"""A contact sheet of photographs with their keywords, the worst and the best."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from keyword_scoring import Photograph
from PIL import Image, ImageDraw, ImageFont

SIDE, LINE, COLUMNS = 190, 16, 6
COLOURS = {"named": "#0a7a0a", "near": "#8a6d00", "true": "#1e5aa8", "empty": "#7a4fa3", "wrong": "#c00000"}


def order(photographs: Sequence[Photograph], keywords: Mapping[str, Sequence[str]]) -> list[Photograph]:
    """The photographs from the worst to the best: by what is named, less the share of wrong keywords."""

    def quality(photograph: Photograph) -> float:
        said = keywords.get(photograph.file, ())
        wrong = [photograph.worth(keyword) for keyword in said].count("wrong")
        return photograph.credit(said) - wrong / max(len(said), 1)

    return sorted(photographs, key=lambda photograph: (quality(photograph), photograph.file))


def draw_sheet(
    file: Path,
    photographs: Sequence[Photograph],
    pictures: Mapping[str, Image.Image],
    keywords: Mapping[str, Sequence[str]],
    each: int = 24,
) -> None:
    """Write a PNG file with the `each` worst photographs and the `each` best, each with its keywords below it.

    Green names what is shown, yellow comes near, blue is true of it, purple says nothing, red is wrong. Black is
    the first accepted word.
    """
    ordered = order(photographs, keywords)
    blocks = (("worst", ordered[:each]), ("best", ordered[::-1][:each]))
    height = SIDE + 6 * LINE
    rows = [(len(block) + COLUMNS - 1) // COLUMNS for _, block in blocks]
    sheet = Image.new("RGB", (COLUMNS * SIDE, sum(rows) * height + 2 * 2 * LINE), "white")
    draw, font, top = ImageDraw.Draw(sheet), ImageFont.load_default(13), 0
    for (title, block), n_rows in zip(blocks, rows, strict=True):
        draw.text((4, top + 6), title, fill="black", font=ImageFont.load_default(18))
        top += 2 * LINE
        for place, photograph in enumerate(block):
            x, y = place % COLUMNS * SIDE, top + place // COLUMNS * height
            picture = pictures[photograph.file].copy()
            picture.thumbnail((SIDE - 8, SIDE - 8))
            sheet.paste(picture, (x + 4, y + 4))
            draw.rectangle((x, y, x + SIDE - 1, y + height - 1), outline="#cccccc")
            draw.text((x + 4, y + SIDE), photograph.accepted[0][:26], fill="black", font=font)
            for line, keyword in enumerate(list(keywords.get(photograph.file, ()))[:5], start=1):
                colour = COLOURS[photograph.worth(keyword)]
                draw.text((x + 4, y + SIDE + line * LINE), keyword[:26], fill=colour, font=font)
        top += n_rows * height
    sheet.save(file, "PNG")
