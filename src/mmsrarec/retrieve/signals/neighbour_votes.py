"""How many similar users took an item next, in words: what the voting neighbours says of one candidate [extension]."""

VOTE_LEVELS: tuple[str, ...] = (
    "none alike",
    "hardly any alike",
    "very few alike",
    "a few alike",
    "some alike",
    "many alike",
)
SHARES = (0.01, 0.03, 0.1, 0.3)
"""Levels of `context.share_levels`, of the item that the voting neighbours took most; more than none is the first
step."""
