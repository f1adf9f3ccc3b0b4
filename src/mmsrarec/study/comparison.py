"""The comparison: all rows of the tables under both protocols, the paired tests, and the report."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmsrarec import __version__
from mmsrarec.core import artefacts
from mmsrarec.core.progress import Count, Progress
from mmsrarec.data.identity import KeptLog
from mmsrarec.data.splits import EVERYTHING, SplitName
from mmsrarec.engines.protocol import COST_FIGURES
from mmsrarec.evaluate.test_queries import users_in_words
from mmsrarec.rankers.registry.registry import leak_of
from mmsrarec.recommend.ablations import SWEEPS, sweep_of
from mmsrarec.runs.fingerprints import search_settings
from mmsrarec.runs.provenance import served_on
from mmsrarec.runs.recipe import Recipe
from mmsrarec.runs.run_folder import SEEDS, RunFolder, adapter_part
from mmsrarec.study.diagnostics.diagnose import Diagnosed, diagnosed, diagnostics_record
from mmsrarec.study.model_names import core_note, is_ablation, notes
from mmsrarec.study.model_results import Comparison, load_saved_row, row_folder
from mmsrarec.study.report.regressions import competitors, largest_losses, regressions, strongest
from mmsrarec.study.report.report import build_report, text_table
from mmsrarec.study.report.seeds import deviations, pooled
from mmsrarec.study.report.summary_page import PAGE
from mmsrarec.study.results import ModelResult, compare_rows
from mmsrarec.study.showcase import attributes, sample_test_rows, shown_users
from mmsrarec.summarize.answer_statistics import statistics

TESTED_METRICS = {"published": ("HR@5", "NDCG@5", "AUC"), "full": ("HR@10", "NDCG@10")}
"""Protocol to the metrics of its paired tests."""
ANSWERED_NOTE = (
    "Whoever asks this run for recommendations is answered by models fitted on {fitted_on} ({interactions}); mmsrarec "
    "refit fits them on all, with the settings that validation chose. All figures are of models that saw no test."
)
"""The note on the models that answer requests."""
LEAKS = "evaluate/leaks.json"
"""File of the leak checks within a run."""
MAX_LOST_USERS = 3
"""Largest number of users shown of those who lose most."""


def compare(
    run_folder: RunFolder,
    variants: Callable[[SplitName], list[str]],
    say: Progress,
    count: Count,
) -> dict[str, Any]:
    """Compute the missing rows, and write evaluate/report.json and report.html.

    Args:
        run_folder: The run.
        variants: The trained variants of each split.
        say: Receives the tables as text.
        count: Counts the steps of long work.

    Returns:
        "report": the path of the page; "rows": the number of rows.
    """
    recipe = run_folder.recipe
    rows: list[ModelResult] = []
    shown_facts: list[dict[str, Any]] = []
    pairs: list[dict[str, Any]] = []
    diagnostics: list[Diagnosed] = []
    comparisons = [Comparison(run_folder, split, say, count) for split in recipe.evaluate.splits]
    for comparison in comparisons:
        comparison_rows = comparison.rows(variants(comparison.name))
        rows += comparison_rows
        comparison_rows = clean_rows(comparison_rows)
        shown_facts += comparison.facts()
        pairs += [pair for row in comparison_rows for pair in paired_tests(comparison_rows, row, recipe)]
        diagnostics.append(diagnosed(comparison, comparison_rows, variants(comparison.name)))
    first = comparisons[0]
    summary_statistics: dict[str, float] = {}
    if variants(first.name):
        attribute_shares = attributes(first.run_folder, first.name, variants(first.name), first.scorers.tuned)
        summary_statistics = statistics(run_folder.keywords, run_folder.dataset) | attribute_shares
        recorded = json.loads((run_folder.finished("summarize") / "statistics.json").read_bytes())
        summary_statistics |= {name: recorded[name] for name in COST_FIGURES if name in recorded}
    report_notes = notes(dict.fromkeys(row.model for row in rows), recipe.evaluate.fitted_on)
    report_notes += [note for comparison in comparisons for note in comparison.notes()]
    report_notes += core_note(run_folder.dataset.folder)
    served_by = answered_by(run_folder) if served_rows(rows) else {}
    report_notes += [ANSWERED_NOTE.format(**served_by)] if served_by else []
    pooled_rows = pooled([rows, *others]) if (others := seed_rows(run_folder)) else []
    mean_rows = [row for row, _ in pooled_rows]
    manifest = artefacts.key(
        version=__version__,
        settings=recipe.evaluate,
        rows=[[row.protocol, row.split, row.label, row.metrics, row.cost] for row in rows],
        facts=shown_facts,
        attributes=summary_statistics,
        notes=report_notes,
        leaks=(leak_records := leak_checks(run_folder)),
        repeats=[[row.label, row.metrics] for _, rows in pooled_rows for row in rows],
        diagnostics=[inputs.key for inputs in diagnostics],
    )
    folder = run_folder.folder / "evaluate"
    if report_key(folder) == manifest:
        say("evaluate: up to date")
    else:
        our_rows = served_rows(rows)
        competitor_pairs = [(row, strongest(others)) for row in our_rows if (others := competitors(rows, row))]
        shown_rows = sample_test_rows(run_folder, first.name) if our_rows else []
        row_of_user = {user: row for row, user in enumerate(first.split.test.user.tolist())}
        losses = [largest_losses(*pair, MAX_LOST_USERS) for pair in competitor_pairs if shown_rows]
        lost_rows = {row_of_user[user]: loss for by_user in losses for user, loss in by_user.items()}
        notes_by_row = dict.fromkeys(shown_rows, "") | lost_rows
        cards = dict(zip(notes_by_row, shown_users(run_folder, first.name, notes_by_row, count), strict=True))
        build_report(
            rows,
            shown_facts,
            pairs,
            [cards[user] for user in shown_rows],
            folder,
            data=recipe.name,
            manifest=manifest,
            attributes=summary_statistics,
            notes=report_notes,
            served=served_by,
            leaks=leak_records,
            summaries=(folder / PAGE).is_file(),
            published=recipe.evaluate.reference_results,
            repeats=pooled_rows,
            repeat_pairs=[pair for row in clean_rows(mean_rows) for pair in paired_tests(mean_rows, row, recipe)],
            sweeps=sweep_rows(rows, recipe, first.name),
            regressions=[regressions(*pair, recipe.seed, recipe.evaluate.resamples) for pair in competitor_pairs],
            lost_users=[cards[user] for user in lost_rows],
            diagnostics=[diagnostics_record(inputs, recipe.seed, recipe.evaluate.resamples) for inputs in diagnostics],
            seed=recipe.seed,
            resamples=recipe.evaluate.resamples,
        )
    seed, resamples = recipe.seed, recipe.evaluate.resamples
    for fact in shown_facts:
        say(f"{fact['protocol']}, {fact['split']}: {users_in_words(fact)}")
    for prefix, table_rows in (("", rows), (f"{recipe.evaluate.n_seeds} seeds together, ", mean_rows)):
        spread = deviations(pooled_rows) if prefix else {}
        for protocol, split in dict.fromkeys((row.protocol, row.split) for row in table_rows):
            say(f"\n{prefix}{text_table(table_rows, protocol, split, seed, resamples, spread)}\n")
    say(f"report: {folder / 'report.html'}")
    return {"report": str(folder / "report.html"), "rows": len(rows)}


def answered_by(run_folder: RunFolder) -> dict[str, Any]:
    """Describe the interactions that the serving models were fitted on.

    Args:
        run_folder: The run.

    Returns:
        "fitted_on": in words; "interactions": their number.
    """
    split = served_on(run_folder.folder, run_folder.chosen_on, run_folder.served)
    if split == EVERYTHING:
        log = KeptLog.load(run_folder.folder / "retrieve" / EVERYTHING)
        return {"fitted_on": "all interactions", "interactions": len(log.interactions)}
    train = len(run_folder.split(split).train)
    return {"fitted_on": f"{split}: training interactions", "interactions": train}


def checked_parts(run_folder: RunFolder) -> dict[str, str]:
    """The keys of the finished parts that leak checks inspect, and of the settings of stage 2.

    Args:
        run_folder: The run.

    Returns:
        Part to its key.
    """
    splits = run_folder.recipe.evaluate.splits
    parts = ["summarize", *(part for name in splits for part in (f"retrieve/{name}", adapter_part(name, "whole")))]
    keys = {part: run_folder.recorded(part) for part in parts if artefacts.is_whole(run_folder.folder / part)}
    return keys | {"asked": artefacts.key(**{"asked": search_settings(run_folder.recipe.retrieve)})}


def leak_checks(run_folder: RunFolder) -> list[dict[str, Any]]:
    """The records of `mmsrarec check --leaks`.

    Args:
        run_folder: The run.

    Returns:
        A record for each check; empty where it was not run, or on another state of the run.
    """
    try:
        record: dict[str, Any] = json.loads((run_folder.folder / LEAKS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return record["checks"] if record.get("parts") == checked_parts(run_folder) else []


def sweep_rows(rows: list[ModelResult], recipe: Recipe, split: str) -> dict[str, list[tuple[int, ModelResult]]]:
    """The rows of each sweep under the published protocol.

    Args:
        rows: The rows of all tables.
        recipe: The recipe, whose own value is a point of the sweep.
        split: Name of the split.

    Returns:
        What a setting counts to (value, row), by value.
    """
    our_rows = [row for row in rows if (row.protocol, row.split, row.model) == ("published", split, "mmsrarec")]
    recipe_values = {
        "history": recipe.recommend.history,
        "k": recipe.retrieve.k,
        "packs": recipe.recommend.n_examples,
    }
    rows_by_label: dict[str, list[tuple[int, ModelResult]]] = {}
    for setting, label in SWEEPS.items():
        points = [(point[1], row) for row in our_rows if (point := sweep_of(row.variant)) and point[0] == setting]
        if points:
            points += [(recipe_values[setting], row) for row in our_rows if row.variant == "whole"]
            rows_by_label[label] = sorted(dict(points).items())
    return rows_by_label


def seed_rows(run_folder: RunFolder) -> list[list[ModelResult]]:
    """The rows that the runs of the recipe's other seeds reported.

    Args:
        run_folder: The run of the first seed.

    Returns:
        For each other seed its rows.
    """
    recipe = run_folder.recipe
    results: list[list[ModelResult]] = []
    for seed in range(recipe.seed + 1, recipe.seed + recipe.evaluate.n_seeds):
        folder = run_folder.folder / SEEDS / str(seed)
        report = json.loads((folder / "evaluate" / "report.json").read_text(encoding="utf-8"))
        row_names = ([row[key] for key in ("split", "protocol", "model", "variant")] for row in report["rows"])
        results.append([load_saved_row(row_folder(folder, *names)) for names in row_names])
    return results


def report_key(folder: Path) -> str | None:
    """The key of the report in a folder; None where it is missing or incomplete."""
    try:
        key = json.loads((folder / "report.json").read_text(encoding="utf-8"))["manifest"]
    except (OSError, ValueError, KeyError):
        return None
    return key if (folder / "report.html").is_file() else None


def clean_rows(rows: list[ModelResult]) -> list[ModelResult]:
    """The rows but for those that look at what they should predict."""
    return [row for row in rows if not leak_of(row.model)]


def full_method_rows(rows: list[ModelResult], row: ModelResult) -> list[ModelResult]:
    """The rows of the full method in the table of a row. The fused one is last: it is served."""
    table = [other for other in rows if (other.protocol, other.split) == (row.protocol, row.split)]
    return [other for other in table if other.model == "mmsrarec" and not is_ablation(other.variant)]


def served_rows(rows: list[ModelResult]) -> list[ModelResult]:
    """The served row of the full method, of each table that has one."""
    return [row for row in rows if [row] == full_method_rows(rows, row)[-1:]]


def paired_tests(rows: list[ModelResult], row: ModelResult, recipe: Recipe) -> list[dict[str, Any]]:
    """Test the full method, with and without fusion, against one other row of its table.

    Args:
        rows: The rows of a split.
        row: The other row.
        recipe: The recipe, with the seed and the number of resamples.

    Returns:
        Entries of report.json's "pairs".
    """
    full_rows = full_method_rows(rows, row)
    first = full_rows.index(row) + 1 if row in full_rows else 0  # two of them are compared once
    seed, resamples, metrics = recipe.seed, recipe.evaluate.resamples, TESTED_METRICS[row.protocol]
    return [pair for full_row in full_rows[first:] for pair in compare_rows(full_row, row, metrics, seed, resamples)]
