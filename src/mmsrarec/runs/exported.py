"""What tells an exported run from the folder of a run, and what it holds beside the parts of a run."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from mmsrarec.core.artefacts import MANIFEST
from mmsrarec.data.folder import is_data_folder
from mmsrarec.runs.recipe import Recipe

KIND = "exported run"
"""What the manifest of the folder says that it is."""
OWN_DATA = "data"
"""The data folder inside the folder."""


def data_place(folder: Path, recipe: Recipe) -> Path:
    """Where the data of a run lie: in its own folder, if it has any or was exported; else where the recipe says.

    Args:
        folder: Of the run.
        recipe: Of the run.
    """
    own = folder / OWN_DATA
    return own if is_data_folder(own) or is_exported(folder) else recipe.data


def is_exported(folder: Path) -> bool:
    """Whether a folder is an exported run."""
    return _manifest(folder).get("kind") == KIND


def as_exported(recipe: Recipe, folder: Path) -> Recipe:
    """The recipe with the number format of the language model that the run was exported with.

    "auto" may be another format on another machine, whose scores differ in the last digits. The recipe of a run that
    was not exported is returned as it is.
    """
    settings = _manifest(folder).get("settings")
    if not is_exported(folder) or not isinstance(settings, dict):
        return recipe
    dtype = cast("dict[str, Any]", settings).get("dtype")
    if dtype not in ("float32", "bfloat16"):
        return recipe
    return recipe.model_copy(update={"model": recipe.model.model_copy(update={"dtype": dtype})})


def _manifest(folder: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        content: object = json.loads((folder / MANIFEST).read_bytes())
        if isinstance(content, dict):
            return cast("dict[str, Any]", content)
    return {}
