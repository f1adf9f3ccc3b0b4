"""Which settings made the parts of a finished run, and whether these parts belong together.

A run answers by the settings that its parts were made with, which their manifests hold, never by a recipe.toml that
somebody edited, or that another call on the folder wrote, since then. Of recipe.toml count only what changes no result:
where the data lie, and how the work is done.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard, get_args

from pydantic import ValidationError

from mmsrarec.core.artefacts import MANIFEST, Manifest, identity, inputs_of, is_whole, read_manifest
from mmsrarec.data.splits import EVERYTHING, Everything, SplitName
from mmsrarec.errors import MmsrarecError, NotFittedError
from mmsrarec.runs.recipe import Recipe, load_recipe

RECIPE = "recipe.toml"
SPLIT_NAMES: tuple[SplitName, ...] = get_args(SplitName)
TABLES_THAT_MAKE = ("seed", "model", "summarize", "retrieve", "recommend")
"""Tables of a recipe that say how the parts of a run are made; "evaluate" says what is measured of them."""


@dataclass(frozen=True)
class Provenance:
    """A finished run as its parts tell it.

    Attributes:
        recipe: The settings that made it; `data` and `runtime` as recipe.toml has them now.
        split: The split whose models are served.
        notes: What a user should know, a sentence each.
    """

    recipe: Recipe
    split: SplitName
    notes: tuple[str, ...] = ()


def read_provenance(folder: Path) -> Provenance:
    """How the run in a folder was made.

    Raises:
        MmsrarecError: There is no run, no part of it is finished, its parts do not belong together, or another version
            made it.
    """
    if not (folder / RECIPE).is_file() and not any(folder.glob(f"r*/*/**/{MANIFEST}")):
        raise NotFittedError.no_run(folder)
    wanted = _wanted(folder)
    part = _served_part(folder, wanted)
    manifest = read_manifest(folder / part)
    check_inputs(folder, part, manifest)
    recipe = _recipe_of(manifest, folder)
    if wanted is None:
        return _provenance(recipe, part)
    differences = differing(_making_settings(recipe), _making_settings(wanted))
    place = {"data": wanted.data, "runtime": wanted.runtime}
    if not differences:
        return _provenance(wanted.model_copy(update={"name": recipe.name}), part)
    note = (
        f"{folder / RECIPE} asks for other settings than {part} was made with, which are the ones that answer: "
        f"{difference_text(differences, part, RECIPE)}; mmsrarec run makes what is asked for"
    )
    return _provenance(recipe.model_copy(update=place), part, note)


def check_inputs(folder: Path, part: str, manifest: Manifest) -> None:
    """Raise MmsrarecError where a part was made from another state of a part than the one that is there now."""
    for name, key in manifest["inputs"].items():
        if not (folder / name).is_dir() or identity(folder / name) == key:
            continue
        other = read_manifest(folder / name)
        differences = differing(manifest["settings"], other["settings"])
        why = difference_text(differences, part, name) if differences else "from other data, or by another version"
        raise NotFittedError(
            f"{folder}: {name} was made again after {part}, which does not fit it any more ({why}): finish with "
            f"mmsrarec run RECIPE --out {folder}, with the recipe that you want"
        )


def _is_table(value: object) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping)


def differing(mine: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Where two recipes differ, in the tables that make parts.

    Args:
        mine: Settings of one recipe, by table.
        other: Settings of the other.

    Returns:
        Dotted setting -> (its value in mine, its value in the other).
    """
    differences: dict[str, tuple[Any, Any]] = {}

    def walk(name: str, a: Any, b: Any) -> None:
        if _is_table(a) and _is_table(b):
            for key in sorted(a.keys() | b.keys()):
                walk(f"{name}.{key}", a.get(key), b.get(key))
        elif a != b:
            differences[name] = (a, b)

    for table in TABLES_THAT_MAKE:
        walk(table, mine.get(table), other.get(table))
    return differences


def difference_text(differences: Mapping[str, tuple[Any, Any]], mine: str, other: str, max_named: int = 3) -> str:
    """The differences in words.

    Args:
        differences: As `differing` returns them.
        mine: What holds the first values.
        other: What holds the second ones.
        max_named: How many are named.
    """
    sentences = [
        f"{name} is {a!r} in {mine} and {b!r} in {other}" for name, (a, b) in list(differences.items())[:max_named]
    ]
    more = len(differences) - len(sentences)
    return "; ".join(sentences) + (f"; and {more} more" if more else "")


def _wanted(folder: Path) -> Recipe | None:
    """What recipe.toml says; None where a run was stopped before there was one."""
    if not (folder / RECIPE).is_file():
        return None
    try:
        return load_recipe(folder / RECIPE)
    except MmsrarecError as error:
        raise NotFittedError(f"{error}; make the run anew with mmsrarec run RECIPE --out {folder}") from error


def _making_settings(recipe: Recipe) -> dict[str, Any]:
    """The settings that make parts: a small ranker of the embedded model is made in the same run as the whole one."""
    return recipe.model_copy(update={"model": recipe.model.whole}).model_dump(mode="json")


def _recipe_of(manifest: Manifest, folder: Path) -> Recipe:
    try:
        return Recipe.model_validate(manifest["settings"])
    except ValidationError as error:
        raise NotFittedError(
            f"{folder} was made by another version of mmsrarec: make the run anew with mmsrarec run RECIPE --out "
            f"{folder}"
        ) from error


def _served_part(folder: Path, wanted: Recipe | None) -> str:
    """The part that answers: the ranker that recipe.toml names, else the newest one, else the newest encoder."""
    if wanted and is_whole(folder / (adapter := served_adapter(wanted))):
        return adapter
    for pattern in ("recommend/*/*", "retrieve/*", "summarize"):
        part_names = (path.relative_to(folder).as_posix() for path in folder.glob(pattern) if is_whole(path))
        parts = [name for name in part_names if _may_serve(folder, name)]
        parts.sort(key=lambda name: (folder / name / MANIFEST).stat().st_mtime_ns, reverse=True)
        if parts:
            return parts[0]
    raise NotFittedError(
        f"{folder} has no finished artefact to answer by yet: go on with mmsrarec run RECIPE --out {folder}"
    )


def _may_serve(folder: Path, part: str) -> bool:
    """Whether a part is the ranker of the first split of the recipe that made it, or no ranker at all."""
    if not part.startswith("recommend/"):
        return part != "retrieve/all"
    try:
        return served_adapter(Recipe.model_validate(read_manifest(folder / part)["settings"])) == part
    except ValidationError:
        return True  # of another version: opening it says so


def serving_variant(recipe: Recipe) -> str:
    """The variant of stage 3 that recommends and explains."""
    return "small" if recipe.model.name == "embedded-small" else "whole"


def served_on(folder: Path, split: SplitName, variant: str) -> SplitName | Everything:
    """What the models that answer were fitted on.

    Args:
        folder: The run's folder.
        split: Whose models were evaluated.
        variant: Of stage 3, that answers.

    Returns:
        Everything, where the run was refitted after it was evaluated as it is now; else the split.
    """
    part = f"recommend/{EVERYTHING}/{variant}"
    if not is_whole(folder / part) or f"recommend/{split}/{variant}" not in inputs_of(folder / part):
        return split
    try:
        check_inputs(folder, part, read_manifest(folder / part))
    except MmsrarecError:
        return split
    return EVERYTHING


def served_adapter(recipe: Recipe) -> str:
    """The part of a run that a finished run of this recipe answers by."""
    return f"recommend/{recipe.evaluate.splits[0]}/{serving_variant(recipe)}"


def _provenance(recipe: Recipe, part: str, *notes: str) -> Provenance:
    """The split of the part that answers comes first, as it does where choices are made on validation."""
    splits = recipe.evaluate.splits
    split: SplitName = splits[0]
    for name in SPLIT_NAMES:
        if f"/{name}" in part:
            split = name
    evaluate = recipe.evaluate.model_copy(update={"splits": (split, *(name for name in splits if name != split))})
    return Provenance(recipe.model_copy(update={"evaluate": evaluate}), split, notes)
