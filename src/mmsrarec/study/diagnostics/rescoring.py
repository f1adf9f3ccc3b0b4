"""The diagnostics that ask a model again; what came of each is kept in the run, as rows are.

run/evaluate/diagnostics/SPLIT/  histories-ROW/  words-logit/
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmsrarec.core import artefacts
from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.evaluate.protocols import evaluate_published, published_candidates
from mmsrarec.rankers.base import Ranker
from mmsrarec.rankers.registry.registry import is_ranker, ranker_class
from mmsrarec.rankers.sequence_model import SequenceRanker
from mmsrarec.study.diagnostics.changed_histories import TRUE, with_changed_histories
from mmsrarec.study.diagnostics.words_logit import NAME, WordsLogit, read_facts
from mmsrarec.study.model_names import TRAINED
from mmsrarec.study.model_results import Comparison
from mmsrarec.study.report.labels import OURS
from mmsrarec.study.results import ModelResult

VERSION = 1
"""Raised where the same settings and models give other diagnostics than they did."""
RANDOM_STREAM = 12
"""Keeps these draws apart from others of the same seed."""
MAX_LEARNERS = 2000
"""Validation users that the words-logit learns from, at most."""
Metrics = Mapping[str, FloatArray]
"""Metric to (m,) values of the users."""


@dataclass(frozen=True, eq=False)
class HistoryResult:
    """What a row made of true and of changed histories.

    Attributes:
        model: The row.
        seconds: Time that scoring the changed histories took.
        metrics: Kind of history, the true one first, to the metrics of the same users.
    """

    model: str
    seconds: float
    metrics: Mapping[str, Metrics]


@dataclass(frozen=True, eq=False)
class WordsResult:
    """What the words about a candidate are worth by themselves.

    Attributes:
        queries: Validation queries that the weights were learned from.
        weights: Fact to word to weight.
        metrics: Metric to (m,) values of the test users.
    """

    queries: int
    weights: Mapping[str, Mapping[str, float]]
    metrics: Metrics


def own_row(rows: Sequence[ModelResult], name: str) -> ModelResult | None:
    """The row of a model by itself under the published protocol; None where there is none."""
    return next((row for row in rows if (row.protocol, row.model, row.variant) == ("published", name, "whole")), None)


def is_sequence_model(name: str) -> bool:
    """Whether a row is a sequence model's own scores."""
    return is_ranker(name) and issubclass(ranker_class(name), SequenceRanker)


def history_results(comparison: Comparison, rows: Sequence[ModelResult]) -> list[HistoryResult]:
    """Score a sample of the test users again with changed histories: by the language model and each sequence model.

    Args:
        comparison: The models and queries of a split.
        rows: Its rows, which hold the metrics with true histories.

    Returns:
        A result for each of these rows; none where `evaluate.diagnosed_users` is 0.
    """
    settings, seed = comparison.recipe.evaluate, comparison.recipe.seed
    queries, candidates = comparison.queries["published"], comparison.candidates
    order = np.random.default_rng([seed, RANDOM_STREAM]).permutation(len(queries))
    sample: IntArray = np.sort(order[: settings.diagnosed_users])
    results: list[HistoryResult] = []
    for row in rows if len(sample) else ():
        name = row.model
        if own_row([row], name) is None or not (name == OURS or is_sequence_model(name)):
            continue
        key = artefacts.key(
            version=VERSION,
            users=queries.user[sample],
            seed=seed,
            candidates=candidates.digest,
            log=comparison.dataset.interactions.digest,
            made_from=comparison.scorers.inputs(name, "whole"),
        )

        def measure(name: str = name) -> dict[str, Any]:
            comparison.say(f"diagnosing {name}: changed histories of {len(sample)} test users, {comparison.name}")
            scorer, started = _scorer(comparison, name), time.perf_counter()
            changed = with_changed_histories(queries.pick(sample), seed)
            metrics = {
                kind: evaluate_published(scorer, each, candidates.pick(sample)) for kind, each in changed.items()
            }
            return {"seconds": time.perf_counter() - started, "metrics": _plain(metrics)}

        record = _kept(_folder(comparison) / f"histories-{name}", key, measure)
        changed = {kind: _arrays(values) for kind, values in record["metrics"].items()}
        true = {metric: values[sample] for metric, values in row.metrics.items()}
        results.append(HistoryResult(name, record["seconds"], {TRUE: true, **changed}))
    return results


def words_result(comparison: Comparison, rows: Sequence[ModelResult]) -> WordsResult | None:
    """Learn the words-logit on validation queries, and rank the test queries by it.

    Args:
        comparison: The queries of a split.
        rows: Its rows.

    Returns:
        The result; None without a row of the language model, or where its prompts state no fact.
    """
    settings, evaluate = comparison.run_folder.recommend_settings("whole"), comparison.recipe.evaluate
    facts, seed, log = read_facts(settings.prompt_fields), comparison.recipe.seed, comparison.dataset.interactions
    if own_row(rows, OURS) is None or not facts:
        return None
    queries, candidates = comparison.queries["published"], comparison.candidates
    key = artefacts.key(
        version=VERSION,
        users=queries.user,
        candidates=candidates.digest,
        log=log.digest,
        facts=facts,
        window=settings.transition_window,
        learners=[MAX_LEARNERS, evaluate.negatives, seed],
        repeats=evaluate.repeat_consumption,
        made_from=comparison.scorers.inputs("neighbours-only", "whole"),
    )

    def measure() -> dict[str, Any]:
        comparison.say(f"diagnosing {NAME}: {comparison.name}")
        valid = comparison.split.valid
        order = np.random.default_rng([seed, RANDOM_STREAM]).permutation(len(valid))
        valid = valid.pick(np.sort(order[:MAX_LEARNERS]))
        lists = published_candidates(valid, log, seed, evaluate.negatives)
        learners = valid.pick(lists.rows).naming(lists.items)
        retrieval = comparison.run_folder.retrieval(comparison.name)
        logit = WordsLogit.fit(retrieval, settings, learners, lists.items, lists.place)
        metrics = evaluate_published(logit, queries, candidates)
        return {"queries": len(learners), "weights": logit.weight_of, "metrics": _plain({NAME: metrics})[NAME]}

    record = _kept(_folder(comparison) / NAME, key, measure)
    return WordsResult(record["queries"], record["weights"], _arrays(record["metrics"]))


def _scorer(comparison: Comparison, name: str) -> Ranker:
    """The model of a row."""
    return comparison.scorers.tuned(TRAINED[name]) if name in TRAINED else comparison.scorers.classic(name)


def _folder(comparison: Comparison) -> Path:
    return comparison.run_folder.folder / "evaluate" / "diagnostics" / comparison.name


def _kept(folder: Path, key: str, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The record of an artefact, measured unless it is current."""
    if not artefacts.is_current(folder, key):
        record = measure()
        folder.parent.mkdir(parents=True, exist_ok=True)
        with artefacts.writing(folder, kind="diagnostics", key=key) as draft:
            (draft / "figures.json").write_text(json.dumps(record, allow_nan=False), encoding="utf-8")
    return json.loads((folder / "figures.json").read_text(encoding="utf-8"))


def _plain(metrics: Mapping[str, Metrics]) -> dict[str, dict[str, list[float]]]:
    return {kind: {name: values.tolist() for name, values in each.items()} for kind, each in metrics.items()}


def _arrays(metrics: Mapping[str, Sequence[float]]) -> Metrics:
    return {name: np.asarray(values, dtype=float) for name, values in metrics.items()}
