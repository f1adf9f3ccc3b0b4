"""Pairs become groups."""

from hypothesis import given
from hypothesis import strategies as st

from mmsrarec.data.checking.groups import groups_of


def test_pairs_that_share_a_member_are_one_group() -> None:
    assert groups_of([(5, 6), (1, 2), (2, 3), (9, 9)]) == [[1, 2, 3], [5, 6]]
    assert groups_of([]) == []


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=20))
def test_groups_are_those_of_a_search_from_each_member(pairs: list[tuple[int, int]]) -> None:
    near: dict[int, set[int]] = {}
    for one, other in pairs:
        near.setdefault(one, set()).add(other)
        near.setdefault(other, set()).add(one)

    def reached(start: int) -> frozenset[int]:
        known, waiting = {start}, [start]
        while waiting:
            new = near[waiting.pop()] - known
            known |= new
            waiting += new
        return frozenset(known)

    expected = {group for group in map(reached, near) if len(group) > 1}
    groups = groups_of(pairs)
    assert {frozenset(group) for group in groups} == expected
    assert groups == sorted(groups, key=lambda group: (-len(group), group[0]))
