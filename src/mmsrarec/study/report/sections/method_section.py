"""How the report was made: what was ranked for whom, the leak checks, and where the item summaries are looked at."""

from collections.abc import Mapping
from typing import Any

from mmsrarec.study.report.environment import Section

FACTS = {
    "candidates": "ranked items",
    "users": "test users asked",
    "test_users": "test users of the split",
    "sealed_users": "sealed until the table is final",
    "left_out": "left out",
    "left_out_reason": "left out, because",
    "items": "items in the catalogue",
    "seed": "seed",
    "candidate_hash": "candidates, sha256",
    "tied_share": "last items that share their second with another",
    "cold_share": "targets unseen in training",
    "repeat_share": "targets that the user had before",
    "repeat_consumption": "repeat consumption",
    "context_share_training": "training targets in their collaborative context",
    "context_share_test": "test targets in theirs",
    "history": "history",
    "ties": "ties",
}
SHARES = {"tied_share", "cold_share", "repeat_share", "context_share_training", "context_share_test"}


def method_section(report: Mapping[str, Any]) -> Section:
    """What all figures mean, and the facts of each protocol and split."""
    return Section(
        "report/method",
        {
            "resamples": report["resamples"],
            "peak": any("peak_mb" in row["cost"] for row in report["rows"]),
            "notes": report["notes"],
            "tables": [(f"{fact['protocol']}, {fact['split']}", _facts(fact)) for fact in report["facts"]],
            "manifest": report["manifest"],
        },
    )


def _facts(fact: Mapping[str, Any]) -> list[tuple[str, Any]]:
    values = ((key, label, fact[key]) for key, label in FACTS.items() if fact.get(key) is not None)
    return [(label, f"{value:.1%}" if key in SHARES else value) for key, label, value in values]


def leaks_section(report: Mapping[str, Any]) -> Section | None:
    """What `mmsrarec check --leaks` found; None where it was not asked."""
    leaks = report.get("leaks", ())
    failed = sum(leak["passed"] is False for leak in leaks)
    return Section("report/leaks", {"leaks": leaks, "failed": failed}) if leaks else None


def summaries_link_section(report: Mapping[str, Any]) -> Section | None:
    """Statistics of the item summaries and a link to their page; None without either."""
    data = {"attributes": report["attributes"], "summaries": report.get("summaries", False)}
    return Section("report/item_summaries", data) if any(data.values()) else None
