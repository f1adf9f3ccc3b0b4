"""Scores of candidates by the language model, and their fusion with candidate generators.

To read in this order: `scorer`, `fusion`, `item_states` (vectors of items for content models), `context_only` (a row of
the leak checks).
"""
