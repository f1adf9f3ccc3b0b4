"""Leak checks of what is held out: it is not trained on, no statistic knows it, and its labels can be swapped."""

from collections.abc import Sequence

import numpy as np

from mmsrarec.data.dataset import IntArray, Interactions
from mmsrarec.data.splits import Split
from mmsrarec.evaluate.leaks.context_leaks import QUERIES
from mmsrarec.evaluate.leaks.finding import Z_999, Finding, Rebuild
from mmsrarec.evaluate.leaks.perturbations import relabelled, rows_of, shuffled_ties, with_items
from mmsrarec.evaluate.metrics import measure
from mmsrarec.evaluate.protocols import Candidates, evaluate_published, published_candidates
from mmsrarec.evaluate.significance import paired
from mmsrarec.recommend.settings import RecommendSettings
from mmsrarec.recommend.training.training_samples import sample_training

TIE_SEEDS = (1, 2, 3)
NOTICEABLE = 0.02
"""HR@5: an order of ties that changes less is of no account."""


def split_apart(split: Split) -> Finding:
    """A held-out user's training interactions are the beginning of its history, so neither target nor later is trained
    on."""
    trained = 0
    for queries in (split.valid, split.test):
        for user, history in zip(queries.user, queries.history, strict=True):
            own = split.train.items_of(int(user))
            trained += not np.array_equal(own, history[: len(own)])
    return Finding(
        "held-out events",
        not trained,
        {"moments": len(split.valid) + len(split.test), "trained on": trained},
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
    """Other held-out items change nothing: neither a context nor a level, nor a score of the rows in `names`."""
    rng, was = np.random.default_rng(seed), build(log)
    held_out = np.concatenate([rows_of(log, part) for part in (was.split.test, was.split.valid)])
    now = build(with_items(log, held_out, rng.integers(log.n_items, size=len(held_out))))
    tested = np.sort(rng.permutation(len(candidates.rows))[:QUERIES])
    drawn, packs, _ = sample_training(was.split.train, QUERIES, 1, rng)
    asked = [(was.split.test.pick(candidates.rows[tested]), candidates.items[tested]), (drawn, packs)]
    contexts = sum(
        a != b
        for queries, items in asked
        for a, b in zip(*(run_view.retrieval.gather(queries, items, settings) for run_view in (was, now)), strict=True)
    )
    moved = []
    for name in names:
        a, b = (run_view.row(name).score(*asked[0]) for run_view in (was, now))
        if not np.array_equal(a, b):
            moved.append(name)
    return Finding(
        "statistics of test data",
        not contexts and not moved,
        {"contexts": sum(len(m) for m, _ in asked), "changed": contexts, "changed rows": ", ".join(moved) or "none"},
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
    """Test targets become one of their candidates, drawn uniformly, in the log itself; all is made anew from it, and
    each row must fall to chance. Who still does better has seen the labels. rows: of the candidates, whom to ask; all
    unless given.
    """
    was = build(log).split.test.pick(candidates.rows)
    log, asked = relabelled(log, was, candidates, np.random.default_rng([seed, 1]))
    run_view = build(log)
    rows = np.arange(len(was)) if rows is None else rows
    asked = Candidates(asked.user[rows], asked.items[rows], asked.place[rows], asked.seed)
    n = asked.items.shape[1] - 1
    chance = float(measure(np.zeros(1, int), np.array([n]), n, ("HR@5",))["HR@5"][0])
    errors = {"HR@5": (chance * (1 - chance) / len(rows)) ** 0.5, "AUC": ((n + 2) / (12 * n * len(rows))) ** 0.5}
    measured: dict[str, float | int] = {"users": len(rows), "chance": chance, "±": Z_999 * errors["HR@5"]}
    passed = True
    for name in names:
        figures = evaluate_published(run_view.row(name), run_view.split.test.pick(candidates.rows[rows]), asked)
        for metric, expected in (("HR@5", chance), ("AUC", 0.5)):
            passed &= abs(float(figures[metric].mean()) - expected) <= Z_999 * errors[metric]
        measured[name] = float(figures["HR@5"].mean())
    return Finding(
        "shuffled labels" if len(names) != 1 else f"shuffled labels, {names[0]}",
        passed,
        measured,
        "targets drawn among the candidates are found as often as by chance: no score has seen them",
        "find what reads Moments.target or held-out events before it scores",
    )


def ties(
    log: Interactions, build: Rebuild, names: Sequence[str], seed: int, negatives: int, users: IntArray | None = None
) -> Finding:
    """Three random orders of interactions in the same second against that of the file: the spread of HR@5.

    users: codes of the test users to ask, all unless given.

    The order of the file must not tell the answer: a row may not lose more than chance and `NOTICEABLE` by another.
    """

    def figures(log: Interactions) -> dict[str, np.ndarray]:
        run_view = build(log)
        asked = published_candidates(run_view.split.test, log, seed, negatives)
        if users is not None:
            asked = asked.pick(np.flatnonzero(np.isin(asked.user, users)))
        test = run_view.split.test.pick(asked.rows)
        return {name: evaluate_published(run_view.row(name), test, asked)["HR@5"] for name in names}

    filed = figures(log)
    shuffled = [figures(shuffled_ties(log, np.random.default_rng([seed, tie]))) for tie in TIE_SEEDS]
    measured: dict[str, object] = {"tied events": _tied(log)}
    told = []
    for name in names:
        means = [float(one[name].mean()) for one in shuffled]
        measured |= {
            name: float(filed[name].mean()),
            f"{name} shuffled": means,
            f"{name} spread": max(means) - min(means),
        }
        difference = paired(filed[name], np.mean([one[name] for one in shuffled], axis=0), seed)
        if difference.p < 0.001 and abs(difference.difference) > NOTICEABLE:
            told.append(name)
    return Finding(
        "tied timestamps",
        not told,
        measured,
        "how far HR@5 hangs on the order of the file where a user has several events in a second",
        f"the order of the file favours {', '.join(told)}: sort the source by time of entry, or report the spread",
    )


def _tied(log: Interactions) -> float:
    same = (np.diff(log.user) == 0) & (np.diff(log.time) == 0)
    return float((np.append(same, False) | np.insert(same, 0, False)).mean()) if len(log) else 0.0
