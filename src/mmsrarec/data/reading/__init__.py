"""The rules by which files, lines and texts of a catalogue are read.

Read `files` first, which opens packed and plain files line by line; then `parsing` and `line_faults`, which say what a
line means and why it is set aside; then `interactions`, which reads a whole log quickly. `cleaning` and `markup` take
HTML and invisible characters out of texts.
"""
