"""The answer of `images`, for people."""

import sys

import pytest

from mmsrarec.cli import commands
from mmsrarec.cli.formats.fetch_format import MAX_LINES, fetch_text


def report(failures: int) -> dict[str, object]:
    counts = {"items": 100, "addresses": 100, "fetched": 90, "fetched_before": 0, "items_added": 90, "megabytes": 1.5}
    failed = [{"address": f"http://a/{n}", "reason": f"HTTP {n}", "attempts": 1} for n in range(failures)]
    reasons = {entry["reason"]: 1 for entry in failed}
    return {"data": "mine", **counts, "failed": failures, "reasons": reasons, "failures": failed}


def test_without_failures_there_are_counts_alone() -> None:
    text = fetch_text(report(0))
    assert "fetched: 90\n" in text
    assert "reasons" not in text
    assert "--retry" not in text


def test_long_lists_are_cut_and_say_so() -> None:
    text = fetch_text(report(MAX_LINES + 3))
    assert f"http://a/{MAX_LINES - 1} " in text
    assert f"http://a/{MAX_LINES} " not in text
    assert "  and 3 more: --json names all" in text
    assert text.endswith("--retry asks for them again")


def test_frequent_reasons_come_first() -> None:
    answer = report(1) | {"failed": 9, "reasons": {"rare": 1, "frequent": 8}}
    lines = fetch_text(answer).splitlines()
    assert lines.index("  8         frequent") < lines.index("  1         rare")


def test_a_hostile_address_is_one_harmless_line() -> None:
    answer = report(1)
    answer["failures"] = [{"address": "http://a/\x1b[2J\n\u202e", "reason": "HTTP 404", "attempts": 1}]
    text = fetch_text(answer)
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_without_the_extra_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.startswith("mmsrarec.data.image_fetching")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "httpx2", None)
    assert commands.call(["images", "nowhere"]) == 2
    assert "fetching pictures needs the package httpx2: pip install 'mmsrarec[images]'" in capsys.readouterr().err
