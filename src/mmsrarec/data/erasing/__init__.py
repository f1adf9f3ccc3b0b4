"""Erases a user from files that are not made by training: a data folder, reports of imports.

Read `erased_rows` first, then `id_traces`, which finds an id in files.
"""
