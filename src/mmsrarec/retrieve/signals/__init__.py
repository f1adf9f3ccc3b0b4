"""Signals: facts about a candidate item at a query, as levels that prompts put into words [extension].

Each module counts, turns counts into levels and names the levels: `popularity_levels` (how many users consumed an
item), `neighbour_votes` (how many similar users consumed it next), `transitions` (how often it follows the items of a
history) and `trend` (when it was last consumed, and whether demand rises).
"""

from mmsrarec.retrieve.signals import neighbour_votes, popularity_levels, transitions, trend

__all__ = ["neighbour_votes", "popularity_levels", "transitions", "trend"]
