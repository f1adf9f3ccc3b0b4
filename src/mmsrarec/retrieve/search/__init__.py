"""Searches for the nearest vectors: exact, by faiss, by codes of a few bits, by an inverted file."""
