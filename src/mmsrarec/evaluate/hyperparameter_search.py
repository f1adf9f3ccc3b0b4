"""The search for a baseline's settings: as many tries for every row, measured on validation, and saved."""

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmsrarec.core import artefacts
from mmsrarec.core.progress import Count
from mmsrarec.data.splits import Queries
from mmsrarec.errors import MmsrarecError
from mmsrarec.evaluate.protocols import evaluate_full
from mmsrarec.evaluate.settings import EvaluateSettings
from mmsrarec.rankers.base import Ranker
from mmsrarec.rankers.registry.settings import BaselineSettings, space_of
from mmsrarec.retrieve.encoder import Encoder
from mmsrarec.retrieve.settings import RetrieveSettings

CRITERION = "NDCG@10"
"""The metric of full ranking on validation by which the settings of every baseline are chosen."""
MAX_VALIDATION_QUERIES = 4000
"""Largest number of validation queries that a try is measured on."""
VERSION = 1
"""Raised where the same settings would be tried otherwise."""


class Try(NamedTuple):
    """Settings that were tried.

    Attributes:
        settings: Setting to its value.
        ndcg: The validation NDCG@10 that they gave.
    """

    settings: dict[str, Any]
    ndcg: float


def searched(name: str, settings: EvaluateSettings) -> bool:
    """Whether a row's settings are searched for."""
    return settings.tune_baselines > 0 and bool(space_of(name))


def settings_to_try(name: str, own: Mapping[str, Any], n: int, seed: int) -> list[dict[str, Any]]:
    """Draw settings of a row from its search space, each at most once.

    Args:
        name: The row.
        own: The recipe's settings, which come first.
        n: How many settings; fewer come where the space holds fewer.
        seed: Of the draw.

    Returns:
        At most n settings.
    """
    space = space_of(name)
    combinations = [dict(zip(space, values, strict=True)) for values in itertools.product(*space.values())]
    order: list[int] = np.random.default_rng([seed, 11]).permutation(len(combinations)).tolist()
    others: list[dict[str, Any]] = [dict(own) | combinations[place] for place in order]
    return [dict(own), *(settings for settings in others if settings != dict(own))][: max(n, 1)]


def best_of(tries: Sequence[Try]) -> Try:
    """The try with the highest validation NDCG@10; of equals the first, so the recipe's own wins a draw."""
    return max(tries, key=lambda attempt: attempt.ndcg)


def search(
    name: str,
    baselines: BaselineSettings,
    make: Callable[[BaselineSettings], Ranker],
    valid: Queries,
    n_items: int,
    n: int,
    seed: int,
    count: Count = lambda done, total, label: None,
) -> list[Try]:
    """Try settings of a row made from the log.

    Args:
        name: The row.
        baselines: The recipe's settings of all rows.
        make: Fits the row with the given settings, on training alone.
        valid: The validation queries.
        n_items: Size of the catalogue.
        n: Number of tries.
        seed: Of all random draws.
        count: Counts the tries.

    Returns:
        The tries, the recipe's own settings first.

    Raises:
        MmsrarecError: No validation query can be ranked.
    """
    valid = subsample(valid.rankable, seed)
    if not len(valid):
        raise MmsrarecError(
            "evaluate.tune_baselines: no validation target may be ranked, so nothing can be chosen by them: set "
            "evaluate.tune_baselines=0, or evaluate.repeat_consumption=allow"
        )
    tries: list[Try] = []
    planned = settings_to_try(name, baselines.of(name), n, seed)
    for settings in planned:
        count(len(tries), len(planned), f"settings of {name} tried")
        scorer = make(baselines.with_row(name, settings))
        ndcg = evaluate_full(scorer, valid, n_items, (CRITERION,))[CRITERION].mean()
        tries.append(Try(settings, float(ndcg)))
    count(len(planned), len(planned), f"settings of {name} tried")
    return tries


def search_encoder(
    name: str,
    own: RetrieveSettings,
    train: Callable[[RetrieveSettings], Encoder],
    n: int,
    seed: int,
    work: Path,
) -> tuple[Encoder, list[Try]]:
    """Train a sequence model with each of several settings.

    A try is measured by the validation NDCG@10 of early stopping, which is that of full ranking.

    Args:
        name: The row.
        own: The recipe's settings.
        train: Trains an encoder with the given settings.
        n: Number of tries.
        seed: Of the draw of settings.
        work: Folder for the tries and the best encoder; a stopped search goes on from there.

    Returns:
        The best encoder, and all tries.
    """
    base = own.model_dump(include=set(space_of(name)))
    tries = load_tries(work) if (work / "search.json").is_file() else []
    for settings in settings_to_try(name, base, n, seed)[len(tries) :]:
        encoder = train(RetrieveSettings.model_validate(own.model_dump() | settings))
        tries.append(Try(settings, max(ndcg for _, ndcg in encoder.curve)))
        if best_of(tries) is tries[-1]:
            encoder.save(work)
        save_tries(work, tries)
    return Encoder.load(work), tries


def subsample(valid: Queries, seed: int) -> Queries:
    """At most MAX_VALIDATION_QUERIES of the queries, drawn at random."""
    if len(valid) <= MAX_VALIDATION_QUERIES:
        return valid
    chosen = np.random.default_rng([seed, 12]).choice(len(valid), MAX_VALIDATION_QUERIES, replace=False)
    return valid.pick(np.sort(chosen))


def search_folder(run: Path, split: str, name: str) -> Path:
    """Where a run keeps what was tried for a row made from the log."""
    return run / "evaluate" / "search" / split / name


def save_tries(folder: Path, tries: Sequence[Try]) -> None:
    """Write search.json."""
    best = best_of(tries)
    record: dict[str, Any] = {
        "criterion": f"validation {CRITERION}, full ranking",
        "chosen": best.settings,
        "ndcg": best.ndcg,
    }
    record["tries"] = [attempt._asdict() for attempt in tries]
    (folder / "search.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def load_tries(folder: Path) -> list[Try]:
    """Read what `save_tries` wrote. Raises MmsrarecError where nothing was written."""
    try:
        record = json.loads((folder / "search.json").read_text(encoding="utf-8"))
        return [Try(**attempt) for attempt in record["tries"]]
    except (OSError, ValueError, KeyError, TypeError) as broken:
        raise MmsrarecError(f"{folder} holds no search: remove it and evaluate again ({broken})") from broken


def settings_words(
    split: str, row_settings: Sequence[tuple[str, Mapping[str, Any], Sequence[Try]]], tune_baselines: int
) -> list[str]:
    """The report's sentence on the settings of the rows, and on how they were chosen.

    Args:
        split: Name of the split.
        row_settings: Name, settings and tries of each row.
        tune_baselines: Tries for each row; 0: nothing was searched.

    Returns:
        One sentence; none where there is no row.
    """
    if not row_settings:
        return []
    rows: list[str] = []
    for name, settings, tries in row_settings:
        values = ", ".join(f"{key} {'all' if value is None else value}" for key, value in settings.items())
        search_words = (
            f"; best of {len(tries)} tried, validation {CRITERION} {best_of(tries).ndcg:.4f}" if tries else ""
        )
        rows.append(f"{name} ({values}{search_words})")
    if not tune_baselines:
        how = "as in the recipe, without a search (evaluate.tune_baselines=0)"
    else:
        how = (
            f"chosen on validation by {CRITERION} of full ranking, {tune_baselines} tries for each, fewer where a row "
            "has fewer settings; those of stage 2's encoder are the recipe's"
        )
    return [f"Settings of baselines, {split}, {how}: {'; '.join(rows)}."]


def chosen_baselines(run: Path, split: str, settings: EvaluateSettings) -> BaselineSettings:
    """The settings of all rows made from the log as a run's table has them: the recipe's, or what a search chose.

    A run that is served fits its generators with these.
    """
    baselines = settings.baselines
    for name in (row for row in settings.rows if searched(row, settings)):
        if artefacts.is_whole(folder := search_folder(run, split, name)):
            baselines = baselines.with_row(name, best_of(load_tries(folder)).settings)
    return baselines
