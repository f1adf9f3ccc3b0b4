"""Fitted rankers as parts of a run, rankers/SPLIT/NAME, so that whoever ranks by them need not fit them again."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from mmsrarec.core import artefacts
from mmsrarec.core.terminal import remark
from mmsrarec.data.dataset import Interactions
from mmsrarec.data.splits import EVERYTHING
from mmsrarec.evaluate.hyperparameter_search import chosen_baselines
from mmsrarec.rankers.ranker_base import RankerBase, saved_record
from mmsrarec.rankers.registry.registry import Source, make_row, ranker_class, version_of
from mmsrarec.recommend.ablations import WORDS_ALONE
from mmsrarec.runs.run_folder import Part, RunFolder


def ranker_part(split: Part, name: str) -> str:
    """The folder of a fitted ranker inside a run."""
    return f"rankers/{split}/{name}"


def ranker_key(name: str, source: Source) -> str:
    """What a fitted ranker was made from: the log, settings, seed, version, and the content that it reads."""
    settings, seed = source.baselines.settings(name), source.seed
    content = {"content": source.content().key} if ranker_class(name).reads_content else {}
    return artefacts.key(
        part="ranker", name=name, train=source.train.digest, settings=settings, seed=seed, **version_of(name), **content
    )


def load_fitted(run: Path, split: Part, name: str, source: Source) -> RankerBase | None:
    """A ranker that the run keeps.

    Args:
        run: The run's folder.
        split: Whose ranker.
        name: Of a ranker that is made from the log.
        source: What it would be made from now. Users and items may have joined since it was fitted, as long as nothing
            that it was fitted on is another.

    Returns:
        The ranker; None where none is kept, or one that was made from other interactions or by other settings.
    """
    folder, ranker = run / ranker_part(split, name), ranker_class(name)
    if not (ranker.from_log and artefacts.is_whole(folder)):
        return None
    if artefacts.is_current(folder, ranker_key(name, source)):
        return ranker.load(folder)
    fitted = _as_fitted(folder, source.train)
    if fitted is None or not artefacts.is_current(folder, ranker_key(name, replace(source, train=fitted))):
        return None
    return ranker.load(folder)


def served_source(run_folder: RunFolder, split: Part) -> Source:
    """What the rankers that a run answers with are made from, as they were evaluated."""
    baselines = chosen_baselines(run_folder.folder, run_folder.chosen_on, run_folder.recipe.evaluate)
    encoder = partial(run_folder.encoder, split, refit=run_folder.refits)
    retrieval = partial(run_folder.retrieval, split, WORDS_ALONE)
    fitted, seed = run_folder.fitted(split), run_folder.recipe.seed
    return Source(fitted, seed, encoder, retrieval, baselines, run_folder.content)


def served_rankers(run_folder: RunFolder, split: Part, names: Sequence[str]) -> list[RankerBase]:
    """The rankers that a run answers with, loaded.

    A run of an earlier version keeps none that is made from the log: then they are fitted, and a remark says so.
    """
    source, run = served_source(run_folder, split), run_folder.folder
    rankers: list[RankerBase] = []
    missing: list[str] = []
    for name in names:
        ranker = load_fitted(run, split, name, source)
        if ranker is None and ranker_class(name).from_log:
            missing.append(name)
        rankers.append(ranker or make_row(name, source))
    if missing:
        verb = "refit" if split == EVERYTHING else "evaluate"
        remark(
            f"{run} keeps no fitted {', '.join(missing)}, so loading it fitted them, each time anew: "
            f"mmsrarec {verb} keeps them"
        )
    return rankers


def _as_fitted(folder: Path, train: Interactions) -> Interactions | None:
    """The log with as many users and items as there were when the ranker of the folder was fitted; None: unknown."""
    try:
        record = saved_record(folder)
        return replace(train, n_users=int(record["n_users"]), n_items=int(record["n_items"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
