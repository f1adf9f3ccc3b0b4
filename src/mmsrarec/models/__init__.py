"""What computes: the language model that sees, its adapters, packing, and sequence models."""

CONVERTED = "embedded-1-"
"""What the names of converted models in the cache begin with; one that is not whole has a dot in front."""
