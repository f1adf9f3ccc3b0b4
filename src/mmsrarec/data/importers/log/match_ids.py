"""Ids that nearly match: what would make the items of a log those of the catalogue."""

import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import combinations

from mmsrarec.errors import DataError


def _decimal(name: str) -> str:
    whole, point, fraction = name.strip().partition(".")
    return whole if point and whole.lstrip("-").isdigit() and not fraction.strip("0") else name


REPAIRS: Mapping[str, tuple[Callable[[str], str], str]] = {
    "trim": (str.strip, "blanks at the ends"),
    "nfc": (lambda name: unicodedata.normalize("NFC", name), "composed and decomposed letters (Unicode NFC)"),
    "decimal": (_decimal, "a .0 at the end"),
    "zeros": (lambda name: name.lstrip("0") or name[-1:], "zeros at the start"),
    "case": (str.casefold, "upper and lower case"),
}
"""What ids may differ in -> how they look without it, and what it is called."""


def check_repairs(names: Collection[str]) -> None:
    """Check the names of repairs. Raises DataError for an unknown one."""
    for name in names:
        if name not in REPAIRS:
            raise DataError(f"--match-ids: unknown difference {name!r}: choose from {', '.join(REPAIRS)}")


def matched(unknown: Sequence[str], known: Collection[str], repairs: Sequence[str]) -> dict[str, str]:
    """The known id that each unknown one means, where exactly one fits.

    Args:
        unknown: Ids of a log that the catalogue has not.
        known: The ids of the catalogue.
        repairs: Keys of REPAIRS: what the ids may differ in.

    Returns:
        Unknown id -> known id, for those with exactly one.
    """

    def without(name: str) -> str:
        for repair in repairs:
            name = REPAIRS[repair][0](name)
        return name

    by_form: dict[str, list[str]] = {}
    for name in known:
        by_form.setdefault(without(name), []).append(name)
    matches = {name: by_form.get(without(name), []) for name in unknown}
    return {name: ids[0] for name, ids in matches.items() if len(ids) == 1}


def near_misses(unknown: Sequence[str], known: Collection[str]) -> str:
    """What would make unknown ids match, as a part of a message.

    Args:
        unknown: Ids of a log that the catalogue has not.
        known: The ids of the catalogue.

    Returns:
        Such as "all 12 match but for a .0 at the end: --match-ids decimal"; "" where nothing helps.
    """
    best: tuple[int, tuple[str, ...]] = (0, ())
    for size in (1, 2):
        for repairs in combinations(REPAIRS, size):
            count = len(matched(unknown, known, repairs))
            if count > best[0]:
                best = (count, repairs)
        if best[0] == len(unknown):
            break
    count, repairs = best
    if not count:
        return ""
    what = " and ".join(REPAIRS[repair][1] for repair in repairs)
    share = f"all {count} match" if count == len(unknown) else f"{count} of {len(unknown)} match"
    return f"{share} but for {what}: say --match-ids {','.join(repairs)}"
