"""A finished run and the catalogue as it is today: what left it, what joined it, and what may be recommended.

Items are known by their ids. One that left keeps its place, so that it still speaks where somebody had it, and is no
longer recommended. One that joined stands behind the others, and is recommended once `mmsrarec update` has summarized
it. A data folder inside the run's own folder, as an exported run has it, goes before the recipe's. Without any a run
answers from what it keeps.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmsrarec.core.artefacts import is_whole
from mmsrarec.data.dataset import Dataset, Item
from mmsrarec.data.folder import ITEMS, is_data_folder, load_known
from mmsrarec.data.identity import KeptLog, align, load_items, recoded
from mmsrarec.data.split_file import saved_parts
from mmsrarec.data.splits import EVERYTHING, OWN_SPLIT
from mmsrarec.errors import DataError
from mmsrarec.runs.exported import as_exported, data_place, is_exported
from mmsrarec.runs.provenance import read_provenance, served_on, serving_variant
from mmsrarec.runs.run_folder import Part, RunFolder, adapter_part, on_device
from mmsrarec.summarize.keywords import items_of

UNCHANGED_SHARE = 0.1
"""Share of a run's items that a data folder must have, described as the run knows them, to count as its data."""


@dataclass(frozen=True, eq=False)
class Catalogue:
    """What a run answers about.

    Attributes:
        run_folder: The run; its dataset is the catalogue as it is now, its logs what the models were made from.
        split: Whose models answer: those of the evaluated split, or refitted on everything.
        available: (items,) what may be recommended.
        new: Ids of items that joined and were not summarized yet.
        edited: Ids of items whose text changed after they were summarized.
        present: Whether the data folder is there.
    """

    run_folder: RunFolder
    split: Part
    available: NDArray[np.bool_]
    new: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()
    present: bool = True


def open_catalogue(folder: Path, data: Path | None = None, device: str | None = None) -> Catalogue:
    """A finished run, ready to answer about its catalogue of today.

    Args:
        folder: The run.
        data: Where its data folder lies now; unless given, the run's own folder, or else the recipe's place.
        device: A torch device instead of the recipe's.

    Raises:
        MmsrarecError: There is no such run, its parts do not belong together, or the folder holds other data.
    """
    provenance = read_provenance(folder)
    notes = list(provenance.notes)
    variant = serving_variant(provenance.recipe)
    split = served_on(folder, provenance.split, variant)
    if split != EVERYTHING and is_whole(folder / adapter_part(EVERYTHING, variant)):
        notes.append(f"{folder} was made anew after it was refitted: mmsrarec refit {folder} refits it")
    log, old_items = KeptLog.load(folder / "retrieve" / split), load_items(folder / "summarize")
    place = data_place(folder, provenance.recipe) if data is None else data.expanduser().absolute()
    recipe = as_exported(on_device(provenance.recipe, device), folder).model_copy(update={"data": place})
    departed_items = {name: replace(old_items.get(name) or Item(name), image=None) for name in log.item_ids}
    now, undescribed = _load(place, data is not None, folder, log, old_items, notes)
    if now is None:
        items = tuple(departed_items[name] for name in log.item_ids)
        dataset = Dataset(place.name, items, log.user_ids, log.interactions, None, log.times)
    else:
        described = tuple(departed_items[item.item_id] if item.item_id in undescribed else item for item in now.items)
        dataset = align(replace(now, items=described), log.user_ids, log.item_ids, departed_items)
    summarized = set(items_of(folder / "summarize" / "keywords.parquet"))
    there = {item.item_id for item in (now or dataset).items} - undescribed
    available = np.array([item.item_id in there and item.item_id in summarized for item in dataset.items], dtype=bool)
    new = tuple(item.item_id for item in dataset.items if item.item_id not in summarized)
    edited = tuple(item.item_id for item in dataset.items if _edited(item, old_items.get(item.item_id)))
    departed = [item.item_id for item in dataset.items if item.item_id not in there]
    advice = f"mmsrarec update {folder}"
    notes += [
        *_note(new, f"new in {place} and not recommended yet: {advice} reads them"),
        *_note(departed, f"no longer in {place}: not recommended, and still known where somebody had them"),
        *_note(edited, f"edited since they were summarized: answers use the old keywords until {advice}"),
    ]
    run_folder = RunFolder(
        recipe, folder, dataset, {split: log.padded(dataset)}, notes, saved_parts(folder / "retrieve" / OWN_SPLIT)
    )
    return Catalogue(run_folder, split, available, new, edited, now is not None)


def _load(
    place: Path, named: bool, folder: Path, log: KeptLog, old_items: dict[str, Item], notes: list[str]
) -> tuple[Dataset | None, frozenset[str]]:
    """The data folder as it is now, and items that only its interactions still name; None where it is not there."""
    if not is_data_folder(place):
        if named:
            raise DataError(f"{place} is not a data folder: name one with {ITEMS}")
        if not is_exported(folder):
            notes.append(
                f"the data folder {place} is not there: answers come from what {folder} keeps; --data FOLDER says "
                "where it is now"
            )
        return None, frozenset()
    now, undescribed = load_known(place, log.item_ids)
    codes = now.item_code
    remaining = [item_id for item_id in log.item_ids if item_id in codes and item_id not in undescribed]
    n_unchanged = sum(not _edited(now.items[codes[item_id]], old_items.get(item_id)) for item_id in remaining)
    if n_unchanged < UNCHANGED_SHARE * len(log.item_ids):
        raise DataError(
            f"{place} holds other data than {folder} was made from: it has {n_unchanged} of the run's "
            f"{len(log.item_ids)} items as they were; name the right folder with --data, or make a new run "
            "with mmsrarec run"
        )
    return now, undescribed


def _edited(item: Item, old: Item | None) -> bool:
    return old is not None and (item.title, item.text, item.categories) != (old.title, old.text, old.categories)


def _note(ids: Collection[str], what: str) -> list[str]:
    """One sentence, with how many items it is of and which, if it is of any."""
    if not ids:
        return []
    examples = ", ".join(list(ids)[:5]) + (", ..." if len(ids) > 5 else "")
    return [f"{len(ids)} item{'s' * (len(ids) > 1)} ({examples}) {what}"]


def present_only(catalogue: Catalogue) -> Dataset:
    """The catalogue without the items that left it: what a refitted run is made from.

    Interactions with items that left are the data folder's no more, so they go as well. Users and items keep their
    order.
    """
    dataset, new = catalogue.run_folder.dataset, set(catalogue.new)
    pairs = zip(dataset.items, catalogue.available.tolist(), strict=True)
    items = tuple(item for item, available in pairs if available or item.item_id in new)
    return recoded(dataset, items, dataset.user_ids)
