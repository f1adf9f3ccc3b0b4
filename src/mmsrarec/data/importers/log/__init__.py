"""From the rows of a table of interactions to a data set.

Read in this order: `raw_log` (rows in parts, ids as codes by `id_codes`, times by `time_values`), `log_dataset` (times,
repeats, k-core and codes), `match_ids` (ids that nearly match those of the catalogue).
"""
