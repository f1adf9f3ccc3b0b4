"""Multimodal sequential recommendation by keywords, retrieval and a language model that sees: see README.md."""

import importlib
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmsrarec.data.dataset import Dataset
    from mmsrarec.errors import (
        DataError,
        EngineError,
        MissingDependencyError,
        MmsrarecError,
        NotFittedError,
        RecipeError,
        UnknownIdError,
    )
    from mmsrarec.pipeline.fit import fit
    from mmsrarec.pipeline.run import run
    from mmsrarec.runs.recipe import Recipe
    from mmsrarec.runs.recommender import Recommender

__version__ = "0.1.0"
__all__ = [
    "DataError",
    "Dataset",
    "EngineError",
    "MissingDependencyError",
    "MmsrarecError",
    "NotFittedError",
    "Recipe",
    "RecipeError",
    "Recommender",
    "UnknownIdError",
    "__version__",
    "fit",
    "run",
]

_MODULE_OF = {
    "Dataset": "mmsrarec.data.dataset",
    "Recipe": "mmsrarec.runs.recipe",
    "Recommender": "mmsrarec.runs.recommender",
    "fit": "mmsrarec.pipeline.fit",
    "run": "mmsrarec.pipeline.run",
    **dict.fromkeys((name for name in __all__ if name.endswith("Error")), "mmsrarec.errors"),
}
_MODEL_PACKAGES = ("torch", "transformers", "tokenizers", "peft", "safetensors", "gguf")
"""Packages of the extra "mllm"."""

logging.getLogger("mmsrarec").addHandler(logging.NullHandler())  # a library says nothing unless it is asked to


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: `import mmsrarec` needs no torch and costs nothing."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'mmsrarec' has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(_MODULE_OF[name]), name)
    except ModuleNotFoundError as missing:
        if missing.name not in _MODEL_PACKAGES:
            raise
        from mmsrarec.errors import MissingDependencyError

        hint = f"mmsrarec.{name} needs the package {missing.name}: pip install 'mmsrarec[mllm]'"
        raise MissingDependencyError(hint) from missing


def __dir__() -> list[str]:
    return sorted(__all__)
