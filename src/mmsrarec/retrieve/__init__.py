"""Stage 2: the users who are most like a query's user, and what they consumed next.

A query is a user's history at a point in time. Only interactions strictly before that time count (the temporal leakage
rule), so that no answer comes from the future.

Reading order: `settings` (no torch), `encoder` and `training` (a sequence model turns a history into an embedding),
`nearest_search` and `neighbours` (the most similar earlier histories), `collaborative_context` (what those neighbours
consumed next, as weighted votes and keywords), `item_time_index` and `signals` (facts about candidates in words).

Other rooms import from these modules by name. The package itself imports nothing, so that settings are read without
torch.
"""

__all__ = [
    "collaborative_context",
    "encoder",
    "item_time_index",
    "nearest_search",
    "neighbours",
    "settings",
    "signals",
    "training",
]
