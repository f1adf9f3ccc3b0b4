"""A run as a folder to serve from: what its answers need and nothing else, with a model card.

The folder holds the tables of the data folder as well, so it answers on a machine that never saw that folder, from any
path.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmsrarec.core.artefacts import MANIFEST, atomic_write, is_whole, key, read_manifest, writing
from mmsrarec.data.folder_copy import copy_data
from mmsrarec.data.splits import OWN_SPLIT
from mmsrarec.errors import MmsrarecError
from mmsrarec.evaluate.hyperparameter_search import search_folder
from mmsrarec.models.backbone.settings import EMBEDDED_NAMES
from mmsrarec.rankers.registry.registry import reads_content
from mmsrarec.retrieve.settings import CONTENT_SASREC, ENCODERS
from mmsrarec.runs.answers.without_model import RANKERS, is_without_model, load_rankers
from mmsrarec.runs.changes.joined_states import FILE as JOINED_STATES
from mmsrarec.runs.current_catalogue import Catalogue, open_catalogue
from mmsrarec.runs.exported import KIND, OWN_DATA, is_exported
from mmsrarec.runs.fitted_rankers import ranker_part
from mmsrarec.runs.model_card import CARD, model_card
from mmsrarec.runs.provenance import RECIPE
from mmsrarec.runs.recipe import to_toml
from mmsrarec.runs.run_folder import CONTENT_PART, adapter_part, fusion_part

REPORT = "evaluate/report.json"
"""The figures of the run, for the model card and for pages that show them."""


def export_run(run: Path, out: Path, data: Path | None = None, pictures: bool = True) -> dict[str, Any]:
    """Write what serving a finished run needs, all or nothing.

    Args:
        run: The run's folder.
        out: The folder to write. An earlier export there is replaced.
        data: Where the run's data folder lies now, where that was moved.
        pictures: Whether to take the pictures of the items along: answers do not need them, pages that show items do.

    Returns:
        The folder, the bytes of all and of each content, the base model that answers need beside, and `notes`.

    Raises:
        MmsrarecError: `run` is no finished run, or `out` holds something else.
    """
    run, out = Path(run), Path(out)
    if out.resolve() == run.resolve() or out.resolve() in run.resolve().parents:
        raise MmsrarecError(f"{out} holds the run itself: name another folder for the export")
    if (out / MANIFEST).is_file() and not is_exported(out):
        raise MmsrarecError(f"{out} holds something else: name another folder for the export")
    catalogue = open_catalogue(run, data)
    recipe, notes = catalogue.run_folder.recipe, list(catalogue.run_folder.notes)
    dtype = number_format(catalogue)
    names = [name for name in dict.fromkeys(parts_to_serve(catalogue)) if is_whole(run / name)]
    settings = {"base_model": recipe.model.name, "dtype": dtype}
    made_from = {name: read_manifest(run / name)["key"] for name in names}
    with writing(out, kind=KIND, key=key(parts=made_from, **settings), settings=settings) as new:
        for name in names:
            shutil.copytree(run / name, new / name)
        if (run / JOINED_STATES).is_file():
            shutil.copyfile(run / JOINED_STATES, new / JOINED_STATES)
        if (run / REPORT).is_file():
            (new / REPORT).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(run / REPORT, new / REPORT)
        if catalogue.present:
            copied = copy_data(catalogue.run_folder.dataset, recipe.data, new / OWN_DATA, pictures)
            notes += [f"{copied} pictures are taken along; --no-pictures leaves them out"] if copied else []
        atomic_write(new / RECIPE, to_toml(recipe.model_copy(update={"data": Path(OWN_DATA)})).encode())
        contents = sizes(new)
        card = model_card(catalogue, contents, recipe.model.name, dtype, run / REPORT)
        (new / CARD).write_text(card, encoding="utf-8")
    if dtype is not None and recipe.model.name not in EMBEDDED_NAMES:
        notes.append(f"answers need the language model {recipe.model.name} beside the folder")
    return {
        "folder": out,
        "bytes": sum(contents.values()),
        "contents": contents,
        "base_model": None if dtype is None else recipe.model.name,
        "card": out / CARD,
        "notes": notes,
    }


def parts_to_serve(catalogue: Catalogue) -> Iterator[str]:
    """The parts that answers are made from, and by which items that join later are summarized; some may be missing."""
    run_folder, split = catalogue.run_folder, catalogue.split
    chosen_on, own = run_folder.chosen_on, run_folder.recipe.retrieve.encoder
    yield from ("summarize", "pictures", "tune", f"retrieve/{split}", f"retrieve/{OWN_SPLIT}", RANKERS)
    # the adapter of the evaluated split tells by which settings the run was made, though a refitted one answers
    yield from (adapter_part(on, name) for on in (chosen_on, split) for name in ("whole", run_folder.served))
    yield fusion_part(chosen_on, "full")
    fusion = load_rankers(run_folder.folder) or run_folder.fusion(chosen_on, "full")
    generators = () if fusion is None else fusion.generators
    for name in ENCODERS:
        if name in (*generators, own, CONTENT_SASREC, *run_folder.soft_sources_of(run_folder.served)):
            yield from (run_folder.encoder_part(split, name, refit) for refit in (False, True))
    if any(map(reads_content, generators)):
        yield CONTENT_PART
    for name in generators:
        yield ranker_part(split, name)
        yield search_folder(Path(), chosen_on, name).as_posix()


def number_format(catalogue: Catalogue) -> str | None:
    """The number format in which the language model answers here; None where rankers alone do."""
    run_folder = catalogue.run_folder
    if is_without_model(run_folder.folder, adapter_part(catalogue.split, run_folder.served)):
        return None
    from mmsrarec.models.backbone.dtype import pick_dtype

    return str(pick_dtype(run_folder.recipe.model, run_folder.recipe.runtime.device)).removeprefix("torch.")


def sizes(folder: Path) -> dict[str, int]:
    """Bytes of each content of a folder, by the first two names of the paths of files."""
    contents: dict[str, int] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = "/".join(path.relative_to(folder).parts[:2])
        contents[name] = contents.get(name, 0) + path.stat().st_size
    return contents
