"""What protocols, rows and tables of a report are called on its pages."""

from collections.abc import Iterable, Mapping
from typing import Any

from mmsrarec.rankers.registry.registry import leak_of

OURS = "mmsrarec"
HEADLINE = {"published": "HR@5", "full": "NDCG@10"}
"""The metric of each protocol by which rows are compared first."""
PROTOCOLS = {"published": "One among twenty-one", "full": "The whole catalogue"}


def is_leaky(row: Mapping[str, Any]) -> bool:
    """Whether a row of report.json looked at what it should predict; it is the best of nothing."""
    return bool(leak_of(row["model"]))


def row_label(row: Mapping[str, Any]) -> str:
    """The name of a row of report.json: its model, and its variant where it has one."""
    return row["model"] if row["variant"] in ("", "whole") else f"{row['model']}, {row['variant']}"


def table_label(protocol: str, split: str) -> str:
    """The name of the table of one protocol and split."""
    return f"{PROTOCOLS.get(protocol, protocol)}, {split}"


def of_table(entries: Iterable[Mapping[str, Any]], protocol: str, split: str) -> list[Mapping[str, Any]]:
    """The entries of report.json that belong to the table of one protocol and split."""
    return [entry for entry in entries if (entry["protocol"], entry.get("split", "")) == (protocol, split)]


def union(mappings: Iterable[Mapping[str, Any]]) -> list[str]:
    """All keys of several mappings, in the order in which they first occur."""
    return list(dict.fromkeys(name for mapping in mappings for name in mapping))
