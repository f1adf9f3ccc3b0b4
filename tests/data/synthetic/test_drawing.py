"""Drawn products: the motif is there to be seen, and nothing else tells it."""

import numpy as np
import pytest

from mmsrarec.data.synthetic.drawing import (
    COLOURS,
    KINDS,
    MOTIFS,
    SIZE,
    contrasting,
    draw_product,
    draw_training_pictures,
)


@pytest.mark.parametrize("kind", KINDS)
def test_motifs_differ_in_the_picture_and_in_nothing_else(kind: str) -> None:
    """With the same random state, two motifs change only pixels around the print."""
    pictures = [np.asarray(draw_product(np.random.default_rng(1), kind, "white", m, "black"), int) for m in MOTIFS]
    for i, a in enumerate(pictures):
        for b in pictures[:i]:
            changed = np.abs(a - b).sum(axis=2) > 60
            assert changed.sum() > 150
            rows, columns = np.nonzero(changed)
            assert np.ptp(rows) < 0.55 * SIZE
            assert np.ptp(columns) < 0.55 * SIZE


@pytest.mark.parametrize("motif", MOTIFS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_print_is_large_and_lies_on_the_product(kind: str, motif: str) -> None:
    rng = np.random.default_rng(5)
    picture = np.asarray(draw_product(rng, kind, "yellow", motif, "blue"), int)
    blue = (picture[..., 2] - picture[..., 0]) > 100
    assert 0.02 < blue.mean() < 0.2
    rim = np.zeros_like(blue)
    rows, columns = np.nonzero(blue)
    rim[rows.min() - 3 : rows.max() + 4, columns.min() - 3 : columns.max() + 4] = True
    ground = (picture.min(axis=2) > 205) & rim
    assert ground.sum() < 0.12 * rim.sum()


@pytest.mark.parametrize("colour", COLOURS)
def test_every_colour_has_contrasting_ones(colour: str) -> None:
    assert len(contrasting(colour)) >= 3
    assert colour not in contrasting(colour)


def test_training_pictures_cover_all_motifs_and_follow_the_seed() -> None:
    first, again, other = (draw_training_pictures(np.random.default_rng(seed), 60) for seed in (0, 0, 1))
    assert {motif for _, motif, _, _ in first} == set(MOTIFS)
    assert {kind for _, _, _, kind in first} == set(KINDS)
    assert all(picture.size == (SIZE, SIZE) and picture.mode == "RGB" for picture, *_ in first)
    assert [p.tobytes() for p, *_ in first] == [p.tobytes() for p, *_ in again]
    assert [p.tobytes() for p, *_ in first] != [p.tobytes() for p, *_ in other]
