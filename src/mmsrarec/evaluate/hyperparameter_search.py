"""The search for a baseline's settings: as many tries for every row, judged on validation, kept with what they gave."""

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
"""Of full ranking on validation: by which the settings of every baseline are chosen."""
MOST_VALIDATED = 4000
"""Validation queries that a try is judged on, at most."""
VERSION = 1
"""Raised where the same settings would be tried otherwise."""


class Try(NamedTuple):
    """Settings that were tried, and the validation NDCG@10 they gave."""

    settings: dict[str, Any]
    ndcg: float


def searched(name: str, settings: EvaluateSettings) -> bool:
    """Whether a row's settings are searched for."""
    return settings.tune_baselines > 0 and bool(space_of(name))


def settings_to_try(name: str, own: Mapping[str, Any], n: int, seed: int) -> list[dict[str, Any]]:
    """n settings of a row, the recipe's `own` first, then others of its space, each drawn once; fewer where the space
    holds fewer. Equal seeds draw equal ones."""
    space = space_of(name)
    combinations = [dict(zip(space, values, strict=True)) for values in itertools.product(*space.values())]
    order = np.random.default_rng([seed, 11]).permutation(len(combinations)).tolist()
    others = [dict(own) | combinations[place] for place in order]
    return [dict(own), *(one for one in others if one != dict(own))][: max(n, 1)]


def best_of(tries: Sequence[Try]) -> Try:
    """The try with the highest validation NDCG@10; of equals the first, so the recipe's own wins a draw."""
    return max(tries, key=lambda one: one.ndcg)


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
    """Try n settings of a row made from the log. make: the row by these settings, fitted on training alone.

    Raises MmsrarecError where no validation query can be ranked.
    """
    valid = some_of(valid.rankable, seed)
    if not len(valid):
        raise MmsrarecError(
            "evaluate.tune_baselines: no validation target may be ranked, so nothing can be chosen by them: set "
            "evaluate.tune_baselines=0, or evaluate.repeat_consumption=allow"
        )
    found, planned = [], settings_to_try(name, baselines.of(name), n, seed)
    for settings in planned:
        count(len(found), len(planned), f"settings of {name} tried")
        scorer = make(baselines.with_row(name, settings))
        ndcg = evaluate_full(scorer, valid, n_items, (CRITERION,))[CRITERION].mean()
        found.append(Try(settings, float(ndcg)))
    count(len(planned), len(planned), f"settings of {name} tried")
    return found


def search_encoder(
    name: str,
    own: RetrieveSettings,
    train: Callable[[RetrieveSettings], Encoder],
    n: int,
    seed: int,
    work: Path,
) -> tuple[Encoder, list[Try]]:
    """Train a sequence model by n settings; the best one and all tries. work: keeps them, so a stopped search goes on.

    Each is judged by the validation NDCG@10 that it was stopped by, which is that of full ranking.
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


def some_of(valid: Queries, seed: int) -> Queries:
    """At most MOST_VALIDATED of the queries, drawn."""
    if len(valid) <= MOST_VALIDATED:
        return valid
    chosen = np.random.default_rng([seed, 12]).choice(len(valid), MOST_VALIDATED, replace=False)
    return valid.pick(np.sort(chosen))


def search_folder(run: Path, split: str, name: str) -> Path:
    """Where a run keeps what was tried for a row made from the log."""
    return run / "evaluate" / "search" / split / name


def save_tries(folder: Path, tries: Sequence[Try]) -> None:
    """Write search.json."""
    best = best_of(tries)
    record = {"criterion": f"validation {CRITERION}, full ranking", "chosen": best.settings, "ndcg": best.ndcg}
    record["tries"] = [one._asdict() for one in tries]
    (folder / "search.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def load_tries(folder: Path) -> list[Try]:
    """What `save_tries` wrote. Raises MmsrarecError where nothing was."""
    try:
        record = json.loads((folder / "search.json").read_text(encoding="utf-8"))
        return [Try(**one) for one in record["tries"]]
    except (OSError, ValueError, KeyError, TypeError) as broken:
        raise MmsrarecError(f"{folder} holds no search: remove it and evaluate again ({broken})") from broken


def settings_words(
    split: str, told: Sequence[tuple[str, Mapping[str, Any], Sequence[Try]]], tune_baselines: int
) -> list[str]:
    """A sentence for the report: what each row was set to, and how that was chosen. told: row, settings, tries."""
    if not told:
        return []
    rows = []
    for name, settings, tries in told:
        values = ", ".join(f"{key} {'all' if value is None else value}" for key, value in settings.items())
        found = f"; best of {len(tries)} tried, validation {CRITERION} {best_of(tries).ndcg:.4f}" if tries else ""
        rows.append(f"{name} ({values}{found})")
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

    This is what whoever serves a run must fit its generators with.
    """
    baselines = settings.baselines
    for name in (row for row in settings.rows if searched(row, settings)):
        if artefacts.is_whole(folder := search_folder(run, split, name)):
            baselines = baselines.with_row(name, best_of(load_tries(folder)).settings)
    return baselines
