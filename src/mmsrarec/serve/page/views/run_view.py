"""The view of a run: what it was made of, what was measured, what leaks were looked for, and what it cost."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from markupsafe import Markup

from mmsrarec.serve.model.served_run import ServedRun
from mmsrarec.serve.page.page_templates import render
from mmsrarec.study.report.report_page import figures

REPORT = Path("evaluate") / "report.json"
FIT = "fit.json"
MAX_BYTES = 64 * 2**20
"""Of a report that is read."""
SECTION_NAMES = {
    "report/metrics": "Results",
    "report/significance": "Is it real?",
    "report/regressions": "Regressions",
    "report/leaks": "Leak checks",
    "report/diagnostics": "Diagnostics",
    "report/users": "Users in full",
    "report/method": "Method",
    "report/seeds": "Seeds",
    "report/sweeps": "How much is enough",
    "report/reference_results": "Published figures",
    "report/item_summaries": "Item summaries",
}
"""What the sections of a report are called in the contents of this page."""


@dataclass
class RunPage:
    """What the view of a run shows.

    Attributes:
        name: Of the run.
        tiles: (figure, what it counts).
        facts: (label, value).
        sections: (id, name, HTML) of the report; empty where nothing was measured.
        advice: What to do where nothing was measured.
        reasons: Why the run is as it is, where `mmsrarec fit` chose it.
        seconds: (step, seconds) of making it, where they are known.
        notes: What should be known of it.
    """

    name: str
    tiles: list[tuple[int, str]]
    facts: list[tuple[str, Any]]
    sections: list[tuple[str, str, Markup]] = field(default_factory=list[tuple[str, str, Markup]])
    advice: str = ""
    reasons: list[str] = field(default_factory=list[str])
    seconds: list[tuple[str, float]] = field(default_factory=list[tuple[str, float]])
    notes: list[str] = field(default_factory=list[str])


def run_page(served: ServedRun) -> RunPage:
    """Gather the view of a run. It reads files, so it is called outside the event loop."""
    recommender = served.recommender
    dataset, recipe = recommender.dataset, recommender.run_folder.recipe
    tiles = [
        (len(dataset.items), "items"),
        (sum(item.image is not None for item in dataset.items), "pictures"),
        (len(dataset.user_ids), "shoppers"),
        (len(dataset.interactions), "interactions"),
    ]
    fusion = recommender.fusion
    facts: list[tuple[str, Any]] = [
        ("language model", Path(recipe.model.name).name),
        ("sequence model", recipe.retrieve.encoder),
        ("ranks by", " + ".join([*["language model"] * (fusion is None or fusion.uses_lm), *_names(recommender)])),
        ("candidates for each answer", recipe.evaluate.n_candidates),
        ("split that is served", recommender.split),
    ]
    contents = RunPage(served.name, tiles, facts, notes=list(recommender.notes))
    report = _read(served.folder / REPORT)
    if report is None:
        contents.advice = f"mmsrarec evaluate {served.name}/recipe.toml --out {served.name}"
    else:
        contents.sections = _sections(served.folder / REPORT, (served.folder / REPORT).stat().st_mtime_ns, served.name)
    fit = _read(served.folder / FIT) or {}
    contents.reasons = [str(reason) for reason in fit.get("reasons", [])]
    contents.seconds = [(str(step), float(seconds)) for step, seconds in fit.get("seconds", {}).items()]
    return contents


def _names(recommender: Any) -> list[str]:
    """The rankers that are fused."""
    return [str(generator.name) for generator in recommender.generators]


def _read(file: Path) -> dict[str, Any] | None:
    """An object of a JSON file; None where there is none."""
    try:
        if file.stat().st_size > MAX_BYTES:
            return None
        value: object = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


@lru_cache(maxsize=4)
def _sections(file: Path, changed: int, run: str) -> list[tuple[str, str, Markup]]:
    """The sections of a report, each with an id; written once for each state of the file.

    Leak checks are spoken of whether they were run or not.
    """
    report: Mapping[str, Any] = _read(file) or {}
    sections: list[tuple[str, str, Markup]] = []
    for number, section in enumerate(figures({**report, "summaries": False}), 1):
        name = SECTION_NAMES.get(section.template, section.template)
        if section.template == "report/metrics":
            name = f"{section.data['heading']}, {section.data['split']}"
        sections.append((f"part-{number}", name, section.html()))
    if not report.get("leaks"):
        sections.append(("part-leaks", SECTION_NAMES["report/leaks"], Markup(render("no_leaks.html", {"run": run}))))
    return sections
