"""How the answer of `mmsrarec images` is shown to people: counts, reasons, and the first failures."""

from typing import Any

from mmsrarec.cli.formats.plain_text import text

MAX_LINES = 20
"""How many failures are shown to people; --json has all."""


def fetch_text(report: Any) -> str:
    """What a fetch did, as plain JSON values, for people: reasons with their counts, and the first failures."""
    counts = {name: report[name] for name in ("data", "items", "addresses", "fetched", "fetched_before", "failed")}
    lines = [text(counts | {"items_added": report["items_added"], "megabytes": report["megabytes"]})]
    if report["failed"]:
        reasons = sorted(report["reasons"].items(), key=lambda entry: (-entry[1], entry[0]))[:MAX_LINES]
        lines.append(text({"reasons": [{"pictures": count, "reason": reason} for reason, count in reasons]}))
        lines.append(text({"failures": report["failures"][:MAX_LINES]}))
        if report["failed"] > MAX_LINES:
            lines.append(f"  and {report['failed'] - MAX_LINES} more: --json names all")
        lines.append("--retry asks for them again")
    return "\n".join(lines)
