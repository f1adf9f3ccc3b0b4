"""Diagnostics of a comparison: where the rows of a table differ, and what the language model reads and learns.

Read `hit_overlap`, `user_slices`, `headroom`, `changed_histories`, `words_logit` and `learning_curve` first: they know
arrays only. `rescoring` asks models with them and keeps the answers; `diagnose` makes the tables of the report.
"""
