"""A small data set that tests of exporters write."""

from mmsrarec.data.dataset import Dataset, Item, make_interactions


def a_dataset(steps: bool = False, item_id: str = "007") -> Dataset:
    """Two users with three interactions and one with one; an item that nobody had, and texts that need care."""
    items = (
        Item("new", "Nobody's, yet"),
        Item(item_id, '12" Clock', 'Oak, "solid".', ("Home & Garden", "Clocks")),
        Item("8", "Café"),
        Item("9"),
    )
    times = [1, 2, 3, 2, 3, 3, 3] if steps else [1_700_000_001 + 86_400 * day for day in (0, 1, 2, 0, 5, 6, 3)]
    interactions = make_interactions([0, 0, 0, 1, 1, 1, 2], [1, 2, 3, 3, 2, 1, 2], times, 3, 4)
    return Dataset("shop", items, ("u1", "u2", "u3"), interactions, times="steps" if steps else "seconds")
