"""Importers turn other formats into data folders: one module and one function for each format.

Read `tables` first, the format of the data folder itself, then `amazon` and `sequences`. `timed_log` and
`import_report` hold what they share: reading times, setting faulty lines aside, and the report of an import.
"""
