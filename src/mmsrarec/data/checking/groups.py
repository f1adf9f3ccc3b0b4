"""Joins pairs of things into groups."""

from collections.abc import Iterable


def groups_of(pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """The groups that pairs make: whoever is paired with a member is a member.

    Args:
        pairs: Pairs of codes.

    Returns:
        The codes of each group of two or more, ascending; the largest group first, then by the first code.
    """
    parent: dict[int, int] = {}

    def root(code: int) -> int:
        parent.setdefault(code, code)
        while parent[code] != code:
            parent[code] = parent[parent[code]]
            code = parent[code]
        return code

    for one, other in pairs:
        low, high = sorted((root(one), root(other)))
        parent[high] = low
    members: dict[int, list[int]] = {}
    for code in sorted(parent):
        members.setdefault(root(code), []).append(code)
    return sorted((group for group in members.values() if len(group) > 1), key=lambda group: (-len(group), group[0]))
