"""Says what one wants to know of a data set before a night is spent on it.

Read `check_data` first, which puts the facts together. `log_facts`, `time_facts` and `robots` look at the
interactions; `text_duplicates`, `picture_scan` and `picture_duplicates` at the items; `findings` says in words what is
odd, and what to do about it.
"""
