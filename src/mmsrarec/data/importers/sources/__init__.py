"""The formats of this library, one module each: where the tables of a place lie, and what their columns mean."""
