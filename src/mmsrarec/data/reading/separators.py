"""Finds out what parts the columns of a text file."""

from collections import Counter

SEPARATORS = ("\t", "::", ",", ";", "|")
"""What is tried, in this order among equals."""
SPACED = {",": ", ", ";": "; "}
"""Separators with which some programs write a blank."""


def sniffed(lines: list[str]) -> str:
    """The separator of a table.

    Args:
        lines: The first lines of the file, the header included.

    Returns:
        The separator that parts most lines into the same number of fields, at least two; the larger number among
        equals. "," where there is none.
    """
    lines = [line for line in lines if line.strip()]
    best, best_rank = ",", (0.0, 0)
    for separator in SEPARATORS:
        counts = Counter(_outside_quotes(line, separator) for line in lines)
        in_header = _outside_quotes(lines[0], separator) if lines else 0
        rank = (round(counts[in_header] / len(lines), 1), in_header) if in_header else (0.0, 0)
        if rank > best_rank:
            best, best_rank = separator, rank
    spaced = SPACED.get(best)
    if spaced and all(line.count(best) == line.count(spaced) for line in lines):
        return spaced
    return best


def in_words(separator: str) -> str:
    """A separator as a message names it."""
    return {"\t": "tabs", ",": "commas", ";": "semicolons", "|": "bars", ", ": "a comma and a blank"}.get(
        separator, repr(separator)
    )


def _outside_quotes(line: str, separator: str) -> int:
    """How often a separator stands in a line outside of double quotes."""
    return sum(part.count(separator) for part in line.split('"')[::2])
