"""The comparison: every row of the table under both protocols, the paired tests, and the report."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmsrarec import __version__
from mmsrarec.core import artefacts
from mmsrarec.core.progress import Count, Progress
from mmsrarec.data.identity import KeptLog
from mmsrarec.data.splits import EVERYTHING, SplitName
from mmsrarec.evaluate.test_queries import users_in_words
from mmsrarec.recommend.ablations import SWEEPS, sweep_of
from mmsrarec.runs.fingerprints import asked_of_stage_2
from mmsrarec.runs.provenance import served_on
from mmsrarec.runs.recipe import Recipe
from mmsrarec.runs.run_folder import SEEDS, RunFolder, adapter_part
from mmsrarec.study.model_names import is_ablation, notes
from mmsrarec.study.model_results import Comparison, kept_row, row_folder
from mmsrarec.study.report.regressions import competitors, largest_losses, regressions, strongest
from mmsrarec.study.report.report import build_report, text_table
from mmsrarec.study.report.seeds import deviations, pooled
from mmsrarec.study.report.summary_page import PAGE
from mmsrarec.study.results import ModelResult, compare_rows
from mmsrarec.study.showcase import attribute_users, attributes, shown_users
from mmsrarec.summarize.answer_statistics import statistics

TESTED = {"published": ("HR@5", "NDCG@5", "AUC"), "full": ("HR@10", "NDCG@10")}
"""Metrics of the paired tests."""
ANSWERED = (
    "Whoever asks this run for recommendations is answered by models fitted on {fitted_on} ({interactions}); mmsrarec "
    "refit fits them on all, with the settings that validation chose. All figures are of models that saw no test."
)
LEAKS = "evaluate/leaks.json"
LOST = 3
"""Users shown of those who lose most, at most."""


def compare(
    run_folder: RunFolder,
    variants: Callable[[SplitName], list[str]],
    say: Progress,
    count: Count,
) -> dict:
    """Compute the missing rows, write evaluate/report.json and .html, and return the tables in words."""
    recipe = run_folder.recipe
    rows: list[ModelResult] = []
    shown_facts, pairs = [], []
    comparisons = [Comparison(run_folder, split, say, count) for split in recipe.evaluate.splits]
    for comparison in comparisons:
        found = comparison.rows(variants(comparison.name))
        rows += found
        shown_facts += comparison.facts()
        pairs += [pair for row in found for pair in against_whole(found, row, recipe)]
    first = comparisons[0]
    shares = {}
    if variants(first.name):
        told_apart = attributes(first.run_folder, first.name, variants(first.name), first.scorers.tuned)
        shares = statistics(run_folder.keywords, run_folder.dataset) | told_apart
    said = notes(dict.fromkeys(row.model for row in rows), recipe.evaluate.fitted_on)
    said += [note for comparison in comparisons for note in comparison.notes()]
    answering = answered_by(run_folder) if served(rows) else {}
    said += [ANSWERED.format(**answering)] if answering else []
    repeats = pooled([rows, *others]) if (others := repeated(run_folder)) else []
    means = [row for row, _ in repeats]
    manifest = artefacts.key(
        version=__version__,
        settings=recipe.evaluate,
        rows=[[row.protocol, row.split, row.label, row.metrics, row.cost] for row in rows],
        facts=shown_facts,
        attributes=shares,
        notes=said,
        leaks=(leaks := leak_checks(run_folder)),
        repeats=[[row.label, row.metrics] for _, rows in repeats for row in rows],
    )
    out = run_folder.folder / "evaluate"
    if reported(out) == manifest:
        say("evaluate: up to date")
    else:
        ours = served(rows)
        beside = [(row, strongest(others)) for row in ours if (others := competitors(rows, row))]
        drawn = attribute_users(run_folder, first.name) if ours else []
        row_of = {user: row for row, user in enumerate(first.split.test.user.tolist())}
        lost = {row_of[user]: why for pair in beside if drawn for user, why in largest_losses(*pair, LOST).items()}
        asked = dict.fromkeys(drawn, "") | lost
        users = dict(zip(asked, shown_users(run_folder, first.name, asked, count), strict=True))
        build_report(
            rows,
            shown_facts,
            pairs,
            [users[user] for user in drawn],
            out,
            data=recipe.name,
            manifest=manifest,
            attributes=shares,
            notes=said,
            served=answering,
            leaks=leaks,
            summaries=(out / PAGE).is_file(),
            published=recipe.evaluate.reference_results,
            repeats=repeats,
            repeat_pairs=[pair for row in means for pair in against_whole(means, row, recipe)],
            sweeps=swept(rows, recipe, first.name),
            regressions=[regressions(*pair, recipe.seed, recipe.evaluate.resamples) for pair in beside],
            lost_users=[users[user] for user in lost],
            seed=recipe.seed,
            resamples=recipe.evaluate.resamples,
        )
    seed, resamples = recipe.seed, recipe.evaluate.resamples
    for fact in shown_facts:
        say(f"{fact['protocol']}, {fact['split']}: {users_in_words(fact)}")
    for over, table in (("", rows), (f"{recipe.evaluate.n_seeds} seeds together, ", means)):
        for protocol, split in dict.fromkeys((row.protocol, row.split) for row in table):
            say(f"\n{over}{text_table(table, protocol, split, seed, resamples, deviations(repeats) if over else {})}\n")
    say(f"report: {out / 'report.html'}")
    return {"report": str(out / "report.html"), "rows": len(rows)}


def answered_by(run_folder: RunFolder) -> dict[str, Any]:
    """What the models were fitted on that answer those who ask this run, and how many interactions that are."""
    split = served_on(run_folder.folder, run_folder.chosen_on, run_folder.served)
    if split == EVERYTHING:
        log = KeptLog.load(run_folder.folder / "retrieve" / EVERYTHING)
        return {"fitted_on": "all interactions", "interactions": len(log.interactions)}
    train = len(run_folder.split(split).train)
    return {"fitted_on": f"{split}: training interactions", "interactions": train}


def checked_parts(run_folder: RunFolder) -> dict[str, str]:
    """Keys of the parts of a run that leak checks are about, as far as they are finished, and of what is asked."""
    splits = run_folder.recipe.evaluate.splits
    parts = ["summarize", *(part for name in splits for part in (f"retrieve/{name}", adapter_part(name, "whole")))]
    found = {part: run_folder.recorded(part) for part in parts if artefacts.is_whole(run_folder.folder / part)}
    return found | {"asked": artefacts.key(asked=asked_of_stage_2(run_folder.recipe.retrieve))}


def leak_checks(run_folder: RunFolder) -> list[dict]:
    """The findings of `mmsrarec check --leaks`; none where it was not asked, or of another state of the run."""
    try:
        found = json.loads((run_folder.folder / LEAKS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return found["checks"] if found.get("parts") == checked_parts(run_folder) else []


def swept(rows: list[ModelResult], recipe: Recipe, split: str) -> dict[str, list[tuple[int, ModelResult]]]:
    """What was swept -> its rows under the published protocol, by count, the recipe's own among them."""
    ours = [row for row in rows if (row.protocol, row.split, row.model) == ("published", split, "mmsrarec")]
    own = {"history": recipe.recommend.history, "k": recipe.retrieve.k}
    found: dict[str, list[tuple[int, ModelResult]]] = {}
    for what, means in SWEEPS.items():
        points = [(point[1], row) for row in ours if (point := sweep_of(row.variant)) and point[0] == what]
        if points:
            points += [(own[what], row) for row in ours if row.variant == "whole"]
            found[means] = sorted(dict(points).items())
    return found


def repeated(run_folder: RunFolder) -> list[list[ModelResult]]:
    """The rows that each other seed reported which the recipe asks for."""
    recipe, found = run_folder.recipe, []
    for seed in range(recipe.seed + 1, recipe.seed + recipe.evaluate.n_seeds):
        folder = run_folder.folder / SEEDS / str(seed)
        report = json.loads((folder / "evaluate" / "report.json").read_text(encoding="utf-8"))
        named = ([row[key] for key in ("split", "protocol", "model", "variant")] for row in report["rows"])
        found.append([kept_row(row_folder(folder, *names)) for names in named])
    return found


def reported(folder: Path) -> str | None:
    """What the report in a folder was made from; None where there is no whole one."""
    try:
        made_from = json.loads((folder / "report.json").read_text(encoding="utf-8"))["manifest"]
    except (OSError, ValueError, KeyError):
        return None
    return made_from if (folder / "report.html").is_file() else None


def whole_of(rows: list[ModelResult], row: ModelResult) -> list[ModelResult]:
    """MMSRARec whole in the table of a row, the fused one last: it is what is served."""
    table = [other for other in rows if (other.protocol, other.split) == (row.protocol, row.split)]
    return [other for other in table if other.model == "mmsrarec" and not is_ablation(other.variant)]


def served(rows: list[ModelResult]) -> list[ModelResult]:
    """MMSRARec as it is served, of each table that has it."""
    return [row for row in rows if [row] == whole_of(rows, row)[-1:]]


def against_whole(rows: list[ModelResult], row: ModelResult, recipe: Recipe) -> list[dict]:
    """Paired tests of MMSRARec whole, with and without fusion, against one other row of its table."""
    wholes = whole_of(rows, row)
    earlier = wholes.index(row) + 1 if row in wholes else 0  # two of them are compared once
    seed, resamples, metrics = recipe.seed, recipe.evaluate.resamples, TESTED[row.protocol]
    return [pair for whole in wholes[earlier:] for pair in compare_rows(whole, row, metrics, seed, resamples)]
