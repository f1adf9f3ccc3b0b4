"""Finds items whose pictures are the same or nearly so: shared covers, and placeholders such as "no image"."""

from collections.abc import Iterator, Sequence

import numpy as np

from mmsrarec.data.checking.groups import groups_of
from mmsrarec.data.checking.picture_scan import PictureFacts

MAX_BITS = 3
"""Bits in which fingerprints of nearly equal pictures may differ. Two such share one of MAX_BITS + 1 parts exactly."""
MAX_COLOUR_DISTANCE = 10.0
"""How far their mean colours may be apart, of 255."""
MAX_COMPARED = 64
"""Pictures of one part with which a picture is compared at most."""


def near_duplicate_pictures(facts: Sequence[PictureFacts]) -> list[list[int]]:
    """Group items whose pictures are the same file, or look nearly the same.

    Args:
        facts: n pictures.

    Returns:
        The item codes of each group of two or more, the largest group first.
    """
    return groups_of(_pairs(facts))


def _pairs(facts: Sequence[PictureFacts]) -> Iterator[tuple[int, int]]:
    """Pairs of item codes; equal files are paired with the first of them."""
    first: dict[str, PictureFacts] = {}
    buckets: dict[tuple[int, int], list[PictureFacts]] = {}
    n_parts = MAX_BITS + 1
    width = 64 // n_parts
    for picture in facts:
        if (same := first.setdefault(picture.content, picture)) is not picture:
            yield same.code, picture.code
            continue
        near: dict[int, PictureFacts] = {}
        for part in range(n_parts):
            key = (part, picture.fingerprint >> part * width & (1 << width) - 1)
            bucket = buckets.setdefault(key, [])
            near |= {other.code: other for other in bucket[:MAX_COMPARED]}
            bucket.append(picture)
        for code in sorted(near):
            if _alike(picture, near[code]):
                yield code, picture.code
                break


def _alike(one: PictureFacts, other: PictureFacts) -> bool:
    """Whether two pictures look nearly the same."""
    if (one.fingerprint ^ other.fingerprint).bit_count() > MAX_BITS:
        return False
    distance = np.abs(np.subtract(one.colours, other.colours, dtype=np.float64)).mean()
    ratio = one.width * other.height / (one.height * other.width)
    return bool(distance <= MAX_COLOUR_DISTANCE and 0.9 < ratio < 1.1)
