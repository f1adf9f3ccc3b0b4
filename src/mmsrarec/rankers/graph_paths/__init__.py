"""Rankers that count paths in a graph of items."""
