"""Draws the products of the synthetic catalogue: a silhouette for the kind, and one motif on it that no text names."""

import math
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageDraw

Points: TypeAlias = list[tuple[float, float]]
"""A polygon. The product lives in [-1, 1] x [-1, 1], y pointing down."""

SIZE = 224
"""Width and height of a picture, pixels."""

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (214, 40, 40),
    "orange": (245, 140, 30),
    "yellow": (250, 220, 50),
    "green": (40, 150, 70),
    "blue": (40, 90, 210),
    "purple": (125, 50, 160),
    "pink": (250, 155, 190),
    "brown": (120, 75, 40),
    "black": (35, 35, 40),
    "white": (248, 248, 248),
}


def _round(x: float, y: float, rx: float, ry: float, corners: int = 48) -> Points:
    """An ellipse with centre (x, y)."""
    angles = [2 * math.pi * i / corners for i in range(corners)]
    return [(x + rx * math.cos(angle), y + ry * math.sin(angle)) for angle in angles]


def _box(x0: float, y0: float, x1: float, y1: float) -> Points:
    """A rectangle between two corners."""
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def _star() -> Points:
    """A star with five points."""
    radii = [1.0, 0.45] * 5
    return [(r * math.sin(i * math.pi / 5), -r * math.cos(i * math.pi / 5)) for i, r in enumerate(radii)]


def _heart() -> Points:
    """A heart curve of sines and cosines."""
    angles = [2 * math.pi * i / 60 for i in range(60)]
    curve = [(math.sin(t) ** 3, 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t)) for t in angles]
    return [(x, -(y - math.cos(4 * t)) / 16) for (x, y), t in zip(curve, angles, strict=True)]


_ARM = 0.34
_MOTIFS: dict[str, Points] = {
    "star": _star(),
    "heart": _heart(),
    "circle": _round(0, 0, 0.85, 0.85),
    "square": _box(-0.76, -0.76, 0.76, 0.76),
    "triangle": [(0, -0.95), (0.95, 0.75), (-0.95, 0.75)],
    "cross": [
        *[(-_ARM, -1), (_ARM, -1), (_ARM, -_ARM), (1, -_ARM), (1, _ARM), (_ARM, _ARM)],
        *[(_ARM, 1), (-_ARM, 1), (-_ARM, _ARM), (-1, _ARM), (-1, -_ARM), (-_ARM, -_ARM)],
    ],
}
MOTIFS: tuple[str, ...] = tuple(_MOTIFS)

_GROUND = 0.0  # brightness of a hole, which is painted in the colour of the background
_SHADE = 0.72  # brightness of a part in the shade
_BODY = 1.0

# kind -> parts from back to front as (brightness, polygon), then the centre and radius of the printed motif
_KINDS: dict[str, tuple[list[tuple[float, Points]], tuple[float, float, float]]] = {
    "mug": (
        [
            (_SHADE, _round(0.55, 0, 0.38, 0.42)),
            (_GROUND, _round(0.55, 0, 0.2, 0.24)),
            (_BODY, _box(-0.75, -0.75, 0.5, 0.78)),
            (_SHADE, _box(-0.75, -0.75, 0.5, -0.66)),
        ],
        (-0.12, 0.06, 0.52),
    ),
    "lamp": (
        [
            (_SHADE, _box(-0.07, 0.3, 0.07, 0.8)),
            (_SHADE, _box(-0.4, 0.8, 0.4, 0.95)),
            (_BODY, [(-0.55, -0.95), (0.55, -0.95), (0.9, 0.35), (-0.9, 0.35)]),
        ],
        (0, -0.25, 0.46),
    ),
    "bag": (
        [
            (_SHADE, _round(0, -0.45, 0.42, 0.48)),
            (_GROUND, _round(0, -0.45, 0.3, 0.36)),
            (_BODY, [(-0.7, -0.45), (0.7, -0.45), (0.82, 0.92), (-0.82, 0.92)]),
        ],
        (0, 0.24, 0.52),
    ),
    "cushion": (
        [
            (_BODY, [(-0.95, -0.95), (0, -0.78), (0.95, -0.95), (0.78, 0), (0.95, 0.95), (0, 0.78)]),
            (_BODY, [(0, -0.78), (0, 0.78), (-0.95, 0.95), (-0.78, 0), (-0.95, -0.95)]),
        ],
        (0, 0, 0.54),
    ),
    "plate": ([(_SHADE, _round(0, 0, 0.96, 0.96)), (_BODY, _round(0, 0, 0.8, 0.8))], (0, 0, 0.52)),
    "shirt": (
        [
            (_BODY, [(-0.3, -0.85), (0.3, -0.85), (0.95, -0.5), (0.8, -0.1), (0.6, -0.2), (0.6, 0.92)]),
            (_BODY, [(-0.3, -0.85), (0.6, 0.92), (-0.6, 0.92), (-0.6, -0.2), (-0.8, -0.1), (-0.95, -0.5)]),
            (_SHADE, _round(0, -0.85, 0.28, 0.14)),
        ],
        (0, 0.12, 0.48),
    ),
    "box": (
        [
            (_SHADE, [(-0.85, -0.55), (-0.6, -0.9), (0.95, -0.9), (0.7, -0.55)]),
            (_SHADE * 0.8, [(0.7, -0.55), (0.95, -0.9), (0.95, 0.55), (0.7, 0.9)]),
            (_BODY, _box(-0.85, -0.55, 0.7, 0.9)),
        ],
        (-0.08, 0.18, 0.54),
    ),
    "clock": (
        [(_SHADE, _round(x, -0.72, 0.27, 0.22)) for x in (-0.5, 0.5)]
        + [(_SHADE, [(x, 0.6), (x * 1.5, 0.95), (x * 1.1, 0.98)]) for x in (-0.45, 0.45)]
        + [(_SHADE, _round(0, 0.05, 0.86, 0.84)), (_BODY, _round(0, 0.05, 0.74, 0.72))],
        (0, 0.05, 0.48),
    ),
    "bottle": (
        [
            (_SHADE, _box(-0.2, -1, 0.2, -0.82)),
            (_BODY, _box(-0.16, -0.82, 0.16, -0.4)),
            (_BODY, [(-0.16, -0.6), (0.16, -0.6), (0.6, -0.3), (0.6, 0.95), (-0.6, 0.95), (-0.6, -0.3)]),
        ],
        (0, 0.28, 0.46),
    ),
    "chair": (
        [(_SHADE, _box(x - 0.07, 0.3, x + 0.07, 0.98)) for x in (-0.6, -0.25, 0.25, 0.6)]
        + [(_BODY, _box(-0.65, -0.98, 0.65, 0.25)), (_SHADE, _box(-0.78, 0.2, 0.78, 0.42))],
        (0, -0.38, 0.5),
    ),
}
KINDS: tuple[str, ...] = tuple(_KINDS)


def contrasting(colour: str) -> tuple[str, ...]:
    """The colours that a motif can have on a product of this colour and still be seen."""
    body = np.array(COLOURS[colour])
    return tuple(name for name, rgb in COLOURS.items() if np.linalg.norm(body - np.array(rgb)) > 170)


def draw_product(rng: np.random.Generator, kind: str, colour: str, motif: str, motif_colour: str) -> Image.Image:
    """Draw one product on a pale background.

    Args:
        rng: The random state of place, size, tilt and tints, which vary a little.
        kind: One of KINDS.
        colour: The colour of the product, one of COLOURS.
        motif: One of MOTIFS.
        motif_colour: The colour of the motif, one of `contrasting(colour)`.

    Returns:
        A picture in RGB, SIZE pixels wide and high.
    """
    ground = tuple(int(value) for value in rng.integers(215, 240, 3))
    body, ink = (_tint(rng, COLOURS[name]) for name in (colour, motif_colour))
    tilt, scale = rng.uniform(-0.14, 0.14), rng.uniform(0.78, 0.92)
    dx, dy = rng.uniform(-0.07, 0.07, 2)
    motif_tilt, motif_scale = rng.uniform(-0.15, 0.15), rng.uniform(0.9, 1.08)

    side = 2 * SIZE  # drawn at twice the size and shrunk, for smooth edges
    image = Image.new("RGB", (side, side), ground)
    pen = ImageDraw.Draw(image)

    def place(points: Points) -> Points:
        return [((x + dx + 1) * side / 2, (y + dy + 1) * side / 2) for x, y in _turn(points, tilt, scale)]

    parts, (cx, cy, radius) = _KINDS[kind]
    for brightness, points in parts:
        fill = tuple(int(value * brightness) for value in body) if brightness else ground
        pen.polygon(place(points), fill=fill)
    motif_points = [(x + cx, y + cy) for x, y in _turn(_MOTIFS[motif], motif_tilt, radius * motif_scale)]
    pen.polygon(place(motif_points), fill=ink)
    return image.resize((SIZE, SIZE), Image.Resampling.BOX)


def draw_training_pictures(rng: np.random.Generator, n: int) -> list[tuple[Image.Image, str, str, str]]:
    """Draw pictures in the same way as those of a catalogue, of random products.

    Args:
        rng: The random state.
        n: The number of pictures.

    Returns:
        n tuples of a picture, its motif, its colour and its kind.
    """
    pictures: list[tuple[Image.Image, str, str, str]] = []
    for _ in range(n):
        kind, colour, motif = (str(rng.choice(names)) for names in (KINDS, tuple(COLOURS), MOTIFS))
        ink = str(rng.choice(contrasting(colour)))
        pictures.append((draw_product(rng, kind, colour, motif, ink), motif, colour, kind))
    return pictures


def _turn(points: Points, angle: float, scale: float) -> Points:
    """The points turned by an angle in radians and scaled, around the origin."""
    c, s = math.cos(angle) * scale, math.sin(angle) * scale
    return [(c * x - s * y, s * x + c * y) for x, y in points]


def _tint(rng: np.random.Generator, colour: tuple[int, int, int]) -> tuple[int, ...]:
    """A colour that differs a little from the given one."""
    return tuple(int(value) for value in np.clip(np.array(colour) + rng.integers(-12, 13, 3), 0, 255))
