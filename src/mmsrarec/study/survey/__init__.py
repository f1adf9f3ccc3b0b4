"""The survey of the field (arXiv 2505.09777) as a map: which row here shows the idea of each of its classes."""
