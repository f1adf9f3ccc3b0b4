"""The catalogue and its interactions: read, checked, split, imported from elsewhere, or drawn.

Read `dataset` first, which defines `Dataset`, `Interactions` and `Item`; then `splits`, which says what is held out
and what may be known at a query; then `folder`, which reads and writes a data folder, and
`folder_copy`. `reading` holds the rules for
lines, texts and packed files, `importers` turns other formats into data folders, and `synthetic` draws the built-in
catalogue. `frames` makes a data set from DataFrames, `images` opens pictures, `image_fetching` fetches those that are
named by an address, `checking` says what is odd about a data set, `identity` compares a catalogue with an earlier one.
Nothing here needs torch.
"""
