"""Importers turn other formats into data folders.

Read `source` first: what a format hands over. `formats` knows the formats by name, and `sources` holds them, one module
each. `importing` is the core, the same for all formats: `columns` says which column holds what, `catalogue` reads
items, `log` reads interactions, `rejects` keeps what was set aside, and `import_report` says what became of every row
and column.
"""
