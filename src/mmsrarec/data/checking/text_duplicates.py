"""Finds items whose texts are nearly the same: variants of one product, and items that were listed twice.

Texts are compared by their runs of five characters, so no language is taken for granted. MinHash (Broder 1997) and
locality-sensitive hashing find the pairs without comparing each text with each.
"""

import unicodedata
from collections.abc import Iterator, Sequence

import numpy as np
import regex
from numpy.typing import NDArray

from mmsrarec.data.checking.groups import groups_of

SHINGLE = 5
"""Characters of a run."""
N_BANDS, N_ROWS = 12, 8
"""Texts that agree in all rows of a band are compared: 99.9 % of the pairs at MIN_SIMILARITY."""
MIN_SIMILARITY = 0.9
"""The share of common runs (Jaccard) from which on two texts are nearly the same."""
MIN_TITLE_SIMILARITY = 0.5
"""The same of two titles: below it, items only share the words of their maker."""
MAX_CHARACTERS = 2_000
"""How much of a text is compared."""
MAX_COMPARED = 64
"""Texts of one band with which a text is compared at most."""
_NOT_WORD = regex.compile(r"[^\p{L}\p{M}\p{N}]+")
_MIX = np.uint64(0x9E3779B97F4A7C15)


def near_duplicate_texts(titles: Sequence[str], texts: Sequence[str]) -> list[list[int]]:
    """Group items whose titles and texts are the same, or nearly so, in their letters and digits.

    Args:
        titles: n titles.
        texts: n texts. Items without letters and digits in both are in no group.

    Returns:
        The places of each group of two or more, the largest group first.
    """
    plain = [(_plain(title), _plain(f"{title} {text}")) for title, text in zip(titles, texts, strict=True)]
    return groups_of(_pairs(plain))


def similarity(one: str, other: str) -> float:
    """The share of the runs of two texts that both have, in [0, 1]."""
    return _similarity(_plain(one), _plain(other))


def _similarity(one: str, other: str) -> float:
    """The same of two texts in their plain form."""
    return _jaccard(_shingles(one), _shingles(other))


def _pairs(items: Sequence[tuple[str, str]]) -> Iterator[tuple[int, int]]:
    """Pairs of places whose (title, title and text) are nearly the same; equal ones are paired with the first."""
    first: dict[str, int] = {}
    for place, (_, text) in enumerate(items):
        if text and first.setdefault(text, place) != place:
            yield first[text], place
    rng = np.random.default_rng(0)
    factors = rng.integers(1, 2**63, size=N_BANDS * N_ROWS, dtype=np.uint64) | np.uint64(1)
    buckets: dict[tuple[int, bytes], list[int]] = {}
    for place in first.values():
        title, text = items[place]
        shingles = _shingles(text)
        signature = (shingles[:, None] * factors >> np.uint64(32)).min(axis=0).astype(np.uint32)
        near: set[int] = set()
        for band in range(N_BANDS):
            bucket = buckets.setdefault((band, signature[band * N_ROWS : (band + 1) * N_ROWS].tobytes()), [])
            near.update(bucket[:MAX_COMPARED])
            bucket.append(place)
        for other in sorted(near):
            other_title, other_text = items[other]
            if title and other_title and _similarity(title, other_title) < MIN_TITLE_SIMILARITY:
                continue
            if _jaccard(shingles, _shingles(other_text)) >= MIN_SIMILARITY:
                yield other, place
                break


def _plain(text: str) -> str:
    """The letters and digits of a text in one form and case, without blanks, which not all scripts have."""
    plain = unicodedata.normalize("NFKC", text[: 2 * MAX_CHARACTERS]).casefold()
    return _NOT_WORD.sub("", plain)[:MAX_CHARACTERS]


def _shingles(text: str) -> NDArray[np.uint64]:
    """The hashes of the runs of a text, ascending; a short text is one run."""
    codes = np.frombuffer(text.encode("utf-32-le", "replace"), dtype="<u4").astype(np.uint64)
    runs = max(len(codes) - SHINGLE + 1, 1)
    hashes = np.zeros(runs, dtype=np.uint64)
    for offset in range(min(SHINGLE, len(codes))):
        hashes = (hashes ^ codes[offset : offset + runs]) * _MIX
        hashes ^= hashes >> np.uint64(29)
    return np.unique(hashes)


def _jaccard(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> float:
    """The share of common hashes among all."""
    common = len(np.intersect1d(one, other, assume_unique=True))
    return common / max(len(one) + len(other) - common, 1)
