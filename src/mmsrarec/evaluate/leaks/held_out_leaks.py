"""Leak checks of held-out interactions: no training, statistic or score knows them."""

from collections.abc import Sequence

import numpy as np

from mmsrarec.data.dataset import FloatArray, IntArray, Interactions
from mmsrarec.data.splits import Split
from mmsrarec.evaluate.leaks.context_leaks import MAX_QUERIES
from mmsrarec.evaluate.leaks.finding import Z_999, Finding, Rebuild
from mmsrarec.evaluate.leaks.perturbations import relabelled, rows_of, shuffled_ties, with_items
from mmsrarec.evaluate.metrics import measure
from mmsrarec.evaluate.protocols import Candidates, evaluate_published, published_candidates
from mmsrarec.evaluate.significance import paired
from mmsrarec.recommend.settings import RecommendSettings
from mmsrarec.recommend.training.training_samples import sample_training

TIE_SEEDS = (1, 2, 3)
"""Seeds of the random orders of tied interactions."""
MIN_HR_DIFFERENCE = 0.02
"""Change of HR@5 by the order of ties from which on it counts."""


def split_apart(split: Split) -> Finding:
    """Check that a user's training interactions are the beginning of the history of each held-out query.

    Args:
        split: The split that is checked.

    Returns:
        Passed where no target and no later interaction is trained on.
    """
    n_trained = 0
    for queries in (split.valid, split.test):
        for user, history in zip(queries.user, queries.history, strict=True):
            training_items = split.train.items_of(int(user))
            n_trained += not np.array_equal(training_items, history[: len(training_items)])
    return Finding(
        "held-out events",
        not n_trained,
        {"queries": len(split.valid) + len(split.test), "trained on": n_trained},
        "validation and test targets are not among the training events",
        "drop held-out events, and all later ones of that user, from split.train",
    )


def statistics(
    log: Interactions,
    build: Rebuild,
    candidates: Candidates,
    names: Sequence[str],
    settings: RecommendSettings,
    seed: int,
) -> Finding:
    """Check that other held-out items change no context, no level and no score.

    Args:
        log: The whole log.
        build: Rebuilds the run from another log.
        candidates: Candidates of the test.
        names: Rows whose scores are compared.
        settings: What a prompt shows.
        seed: Seed of the other items and of the queries that are looked at.

    Returns:
        Passed where nothing changes.
    """
    rng, before = np.random.default_rng(seed), build(log)
    held_out_rows = np.concatenate([rows_of(log, part) for part in (before.split.test, before.split.valid)])
    after = build(with_items(log, held_out_rows, rng.integers(log.n_items, size=len(held_out_rows))))
    test_rows = np.sort(rng.permutation(len(candidates.rows))[:MAX_QUERIES])
    training_queries, training_items, _ = sample_training(before.split.train, MAX_QUERIES, 1, rng)
    test = before.split.test.pick(candidates.rows[test_rows]), candidates.items[test_rows]
    query_sets = [test, (training_queries, training_items)]
    n_changed = 0
    for query_set in query_sets:
        pair = (run_view.retrieval.gather(*query_set, settings) for run_view in (before, after))
        n_changed += sum(a != b for a, b in zip(*pair, strict=True))
    changed_rows: list[str] = []
    for name in names:
        a, b = (run_view.row(name).score(*test) for run_view in (before, after))
        if not np.array_equal(a, b):
            changed_rows.append(name)
    return Finding(
        "statistics of test data",
        not n_changed and not changed_rows,
        {
            "contexts": sum(len(queries) for queries, _ in query_sets),
            "changed": n_changed,
            "changed rows": ", ".join(changed_rows) or "none",
        },
        "counts, levels, vectors and rules come from training only; nothing is filtered after the split",
        "make every statistic from split.train",
    )


def labels(
    log: Interactions,
    build: Rebuild,
    candidates: Candidates,
    names: Sequence[str],
    seed: int,
    rows: IntArray | None = None,
) -> Finding:
    """Check that each row falls to chance where the targets are random.

    Each test target is replaced in the log by one of its candidates, drawn uniformly, and the run is rebuilt. A row
    that still does better has seen the labels.

    Args:
        log: The whole log.
        build: Rebuilds the run from another log.
        candidates: Candidates of the test.
        names: Rows to evaluate.
        seed: Seed of the draw.
        rows: Rows of the candidates to evaluate; None: all.

    Returns:
        Passed where every row is within `Z_999` standard errors of chance.
    """
    test = build(log).split.test.pick(candidates.rows)
    log, shuffled = relabelled(log, test, candidates, np.random.default_rng([seed, 1]))
    run_view = build(log)
    rows = np.arange(len(test)) if rows is None else rows
    shuffled = Candidates(shuffled.user[rows], shuffled.items[rows], shuffled.place[rows], shuffled.seed)
    n = shuffled.items.shape[1] - 1
    chance = float(measure(np.zeros(1, int), np.array([n]), n, ("HR@5",))["HR@5"][0])
    errors = {"HR@5": (chance * (1 - chance) / len(rows)) ** 0.5, "AUC": ((n + 2) / (12 * n * len(rows))) ** 0.5}
    figures_by_row: dict[str, float | int] = {"users": len(rows), "chance": chance, "±": Z_999 * errors["HR@5"]}
    passed = True
    for name in names:
        figures = evaluate_published(run_view.row(name), run_view.split.test.pick(candidates.rows[rows]), shuffled)
        for metric, expected in (("HR@5", chance), ("AUC", 0.5)):
            passed &= abs(float(figures[metric].mean()) - expected) <= Z_999 * errors[metric]
        figures_by_row[name] = float(figures["HR@5"].mean())
    return Finding(
        "shuffled labels" if len(names) != 1 else f"shuffled labels, {names[0]}",
        passed,
        figures_by_row,
        "targets drawn among the candidates are found as often as by chance: no score has seen them",
        "find what reads Queries.target or held-out events before it scores",
    )


def ties(
    log: Interactions, build: Rebuild, names: Sequence[str], seed: int, negatives: int, users: IntArray | None = None
) -> Finding:
    """Check that the order of tied interactions in the file does not tell the answer.

    HR@5 by the order of the file is compared with that by random orders of the interactions of a user in one second.

    Args:
        log: The whole log.
        build: Rebuilds the run from another log.
        names: Rows to evaluate.
        seed: Seed of the candidates and of the orders.
        negatives: Negatives of a query.
        users: Codes of the test users to evaluate; None: all.

    Returns:
        Passed where no row changes by more than chance and `MIN_HR_DIFFERENCE`.
    """

    def figures(log: Interactions) -> dict[str, FloatArray]:
        run_view = build(log)
        candidates = published_candidates(run_view.split.test, log, seed, negatives)
        if users is not None:
            candidates = candidates.pick(np.flatnonzero(np.isin(candidates.user, users)))
        test = run_view.split.test.pick(candidates.rows)
        return {name: evaluate_published(run_view.row(name), test, candidates)["HR@5"] for name in names}

    original = figures(log)
    shuffled_runs = [figures(shuffled_ties(log, np.random.default_rng([seed, tie]))) for tie in TIE_SEEDS]
    figures_by_row: dict[str, object] = {"tied events": _tied(log)}
    affected_rows: list[str] = []
    for name in names:
        means = [float(run[name].mean()) for run in shuffled_runs]
        figures_by_row |= {
            name: float(original[name].mean()),
            f"{name} shuffled": means,
            f"{name} spread": max(means) - min(means),
        }
        difference = paired(original[name], np.mean([run[name] for run in shuffled_runs], axis=0), seed)
        if difference.p < 0.001 and abs(difference.difference) > MIN_HR_DIFFERENCE:
            affected_rows.append(name)
    return Finding(
        "tied timestamps",
        not affected_rows,
        figures_by_row,
        "how far HR@5 hangs on the order of the file where a user has several events in a second",
        f"the order of the file favours {', '.join(affected_rows)}: sort the source by time of entry, or report the "
        "spread",
    )


def _tied(log: Interactions) -> float:
    """The share of interactions that share their second with another of the same user."""
    same = (np.diff(log.user) == 0) & (np.diff(log.time) == 0)
    return float((np.append(same, False) | np.insert(same, 0, False)).mean()) if len(log) else 0.0
