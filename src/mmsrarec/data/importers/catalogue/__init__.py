"""From the rows of a table of items to the items of a data set: `items`, by the values of `item_values`, and pictures.

`picture_files` finds the file that an item's picture means.
"""
