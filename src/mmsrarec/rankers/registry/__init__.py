"""Rankers by name: which there are, what each is made from, and their settings.

Read in this order: `built_in` (this library's rankers), `plugins` (rankers of other packages), `settings` (their tables
in a recipe), `registry` (a ranker by its name).
"""
