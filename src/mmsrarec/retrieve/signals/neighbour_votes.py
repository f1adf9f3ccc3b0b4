"""The words for how many similar users consumed an item next [extension]."""

VOTE_LEVELS: tuple[str, ...] = (
    "none alike",
    "hardly any alike",
    "very few alike",
    "a few alike",
    "some alike",
    "many alike",
)
"""The word of each level, by `collaborative_context.share_levels`."""

SHARES = (0.01, 0.03, 0.1, 0.3)
"""Lower bounds of levels 2 to 5, as shares of the weight of the item with the most votes. Level 1 is any vote."""
