"""The pages of a server: a shop window on a run, written here and sent whole, which work without a script.

Read `visit` first: all that a visitor does stands in the address, nothing is stored. `views` gathers what a page shows,
from the service alone; `templates` write it.
"""
