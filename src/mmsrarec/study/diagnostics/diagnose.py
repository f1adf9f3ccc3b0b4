"""The diagnostics of a split as report.json holds them, from stored figures and from what `rescoring` keeps."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mmsrarec.core import artefacts
from mmsrarec.data.splits import Queries
from mmsrarec.errors import MmsrarecError
from mmsrarec.evaluate.significance import RESAMPLES, holm, intervals, paired
from mmsrarec.recommend.ablations import sweep_of
from mmsrarec.runs.run_folder import MSR, adapter_part
from mmsrarec.study.diagnostics.changed_histories import TRUE
from mmsrarec.study.diagnostics.headroom import headroom, mended
from mmsrarec.study.diagnostics.hit_overlap import hit_by_any, overlap
from mmsrarec.study.diagnostics.learning_curve import LearningPoint, read_learning_curve
from mmsrarec.study.diagnostics.rescoring import (
    HistoryResult,
    WordsResult,
    history_results,
    own_row,
    words_result,
)
from mmsrarec.study.diagnostics.user_slices import Slicing, slice_records, slicings
from mmsrarec.study.diagnostics.words_logit import NAME
from mmsrarec.study.model_names import TRAINED, is_ablation
from mmsrarec.study.model_results import WITHOUT_LM, Comparison
from mmsrarec.study.report.labels import OURS
from mmsrarec.study.results import ModelResult

TESTED = ("HR@5", "NDCG@5", "AUC")
"""Metrics of the diagnostics that ask a model again."""
CHANCE = "random"
"""The row that hits by chance, which counts nowhere as a row that hits."""


@dataclass(frozen=True, eq=False)
class Diagnosed:
    """What the diagnostics of a split are made from.

    Attributes:
        split: Name of the split.
        rows: Its rows of the published protocol that are no ablations.
        slicings: The slices of their users.
        histories: Results with changed histories.
        words: Result of the words-logit; None without one.
        curves: Variant to its number of packs and its learning curve.
    """

    split: str
    rows: Sequence[ModelResult]
    slicings: Sequence[Slicing]
    histories: Sequence[HistoryResult]
    words: WordsResult | None
    curves: Mapping[str, tuple[int, Sequence[LearningPoint]]]

    @property
    def key(self) -> str:
        """A hash of all of it but the rows' own metrics, which a report has in its key already."""
        return artefacts.key(
            slices=[[each.by, each.note, [[name, np.packbits(mask)] for name, mask in each.slices]]
                    for each in self.slicings],
            histories=[[each.model, {kind: dict(values) for kind, values in each.metrics.items()}]
                       for each in self.histories],
            words=None if self.words is None else [self.words.queries, self.words.weights, dict(self.words.metrics)],
            curves={name: [packs, [list(point) for point in points]] for name, (packs, points) in self.curves.items()},
        )  # fmt: skip


def diagnosed(comparison: Comparison, rows: Sequence[ModelResult], variants: Sequence[str]) -> Diagnosed:
    """Gather what the diagnostics of a split are made from; models are asked as far as it was not kept.

    Args:
        comparison: The models and queries of the split.
        rows: Its rows.
        variants: Its variants of stage 3.
    """
    published = [row for row in rows if row.protocol == "published" and not is_ablation(row.variant)]
    first = comparison.name == comparison.recipe.evaluate.splits[0]
    queries: Queries = comparison.queries["published"]
    return Diagnosed(
        comparison.name,
        published,
        slicings(queries, comparison.split, comparison.dataset),
        history_results(comparison, published) if first else [],
        words_result(comparison, published),
        learning_curves(comparison, variants),
    )


def learning_curves(comparison: Comparison, variants: Sequence[str]) -> dict[str, tuple[int, Sequence[LearningPoint]]]:
    """The curves of the whole variant and of those that differ in their number of packs alone, by packs."""
    curves: dict[str, tuple[int, Sequence[LearningPoint]]] = {}
    for variant in variants:
        point = sweep_of(variant)
        if variant != "whole" and (point is None or point[0] != "packs"):
            continue
        settings, part = comparison.run_folder.recommend_settings(variant), adapter_part(comparison.name, variant)
        points = read_learning_curve(comparison.run_folder.folder / part, settings.n_examples * settings.epochs)
        if points:
            curves[variant] = settings.n_examples * settings.epochs, points
    return dict(sorted(curves.items(), key=lambda curve: curve[1][0]))


def diagnostics_record(inputs: Diagnosed, seed: int = 0, resamples: int = RESAMPLES) -> dict[str, Any]:
    """Compute the diagnostics of a split.

    Args:
        inputs: What they are made from.
        seed: Seed of the bootstrap and the permutations.
        resamples: Number of bootstrap resamples.

    Returns:
        An entry of report.json's "diagnostics".
    """
    rows = {row.label: row.metrics for row in inputs.rows}
    return {
        "split": inputs.split,
        "users": len(inputs.rows[0].user) if inputs.rows else 0,
        "overlap": overlap_record(inputs.rows),
        "slices": [
            {"by": each.by, "note": each.note, "parts": slice_records(rows, each, seed, resamples)}
            for each in inputs.slicings
        ],
        "headroom": headroom_record(inputs.rows),
        "histories": histories_record(inputs.histories, seed, resamples),
        "words_logit": words_record(inputs.words, own_row(inputs.rows, OURS), seed, resamples),
        "curves": [
            {"variant": variant, "packs": packs, "points": [point._asdict() for point in points]}
            for variant, (packs, points) in inputs.curves.items()
        ],
    }


def has_language_model(row: ModelResult) -> bool:
    """Whether a row ranks by a language model."""
    return row.model in TRAINED or row.model == MSR


def overlap_record(rows: Sequence[ModelResult]) -> dict[str, Any] | None:
    """The hits of each pair of rows, and how many users any row hits; None without two rows."""
    if len(rows) < 2:
        return None
    pairs = overlap(np.stack([row.metrics["HR@5"] for row in rows]))
    hits = [(row.metrics["HR@5"], has_language_model(row)) for row in rows if row.model != CHANCE]
    others = [values for values, with_lm in hits if not with_lm]
    return {
        "rows": [row.label for row in rows],
        "ours": [row.model == OURS for row in rows],
        "jaccard": pairs.jaccard.tolist(),
        "union": pairs.union.tolist(),
        "any": hit_by_any([values for values, _ in hits]) if hits else None,
        "any_without_lm": hit_by_any(others) if 0 < len(others) < len(hits) else None,
    }


def best_without_lm(rows: Sequence[ModelResult]) -> ModelResult | None:
    """The best ensemble of generators by HR@5, or the best row without a language model where there is no ensemble."""
    others = [row for row in rows if not has_language_model(row)]
    ensembles = [row for row in others if row.variant == WITHOUT_LM]
    return max(ensembles or others, key=lambda row: float(row.metrics["HR@5"].mean()), default=None)


def headroom_record(rows: Sequence[ModelResult]) -> dict[str, Any] | None:
    """What being right on a share of the errors of the best row without a language model would add.

    None without such a row.
    """
    if (best := best_without_lm(rows)) is None:
        return None
    hits, ndcg = best.metrics["HR@5"], best.metrics["NDCG@5"]
    ours = own_row(rows, OURS)
    return {
        "row": best.label,
        "ensemble": best.variant == WITHOUT_LM,
        "HR@5": float(hits.mean()),
        "NDCG@5": float(ndcg.mean()),
        "points": [{"share": each.share, "HR@5": each.hr, "NDCG@5": each.ndcg} for each in headroom(hits, ndcg)],
        "errors": float((1 - hits).sum()),
        "mended": None if ours is None else mended(hits, ours.metrics["HR@5"]),
    }


def histories_record(results: Sequence[HistoryResult], seed: int, resamples: int) -> dict[str, Any] | None:
    """The metrics with each kind of history, and their paired differences to the true one; None without results."""
    if not results:
        return None
    lines: list[dict[str, Any]] = []
    for result in results:
        for kind, metrics in result.metrics.items():
            own = {name: metrics[name] for name in TESTED}
            measured = {name: asdict(each) for name, each in intervals(own, seed, resamples).items()}
            differences = {
                name: asdict(paired(values, result.metrics[TRUE][name], seed, resamples))
                for name, values in (own.items() if kind != TRUE else ())
            }
            lines.append({"model": result.model, "history": kind, "metrics": measured, "differences": differences})
    _correct([difference for line in lines for difference in line["differences"].values()])
    return {
        "users": len(results[0].metrics[TRUE]["HR@5"]),
        "seconds": {result.model: result.seconds for result in results},
        "lines": lines,
    }


def words_record(
    result: WordsResult | None, ours: ModelResult | None, seed: int, resamples: int
) -> dict[str, Any] | None:
    """The words-logit, and the language model's paired difference to it; None without it."""
    if result is None or ours is None:
        return None
    own = {name: result.metrics[name] for name in TESTED}
    theirs = {name: ours.metrics[name] for name in TESTED}
    if len(ours.user) != len(own["HR@5"]):
        raise MmsrarecError("the words-logit ranked for other users: remove evaluate/diagnostics and evaluate again")
    differences = {name: asdict(paired(theirs[name], own[name], seed, resamples)) for name in TESTED}
    _correct(list(differences.values()))
    return {
        "name": NAME,
        "queries": result.queries,
        "weights": {fact: dict(words) for fact, words in result.weights.items()},
        "metrics": {name: asdict(each) for name, each in intervals(own, seed, resamples).items()},
        "ours": {name: asdict(each) for name, each in intervals(theirs, seed, resamples).items()},
        "differences": differences,
    }


def _correct(tests: Sequence[dict[str, Any]]) -> None:
    """Add to the paired tests of a table their p corrected for all of them (`significance.holm`)."""
    for test, p in zip(tests, holm([test["p"] for test in tests]), strict=True):
        test["p_holm"] = p
