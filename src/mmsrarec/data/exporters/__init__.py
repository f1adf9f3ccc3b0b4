"""Exporters write a data set in the formats of other libraries: `exporting` first, then one module for each format."""
