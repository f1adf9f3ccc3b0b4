"""Multimodal sequential recommendation by keywords, retrieval and a model that sees: see README.md."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmsrarec.data.dataset import Dataset
    from mmsrarec.errors import MmsrarecError
    from mmsrarec.runs.recommender import Recommender

__version__ = "0.1.0"
__all__ = ["Dataset", "MmsrarecError", "Recommender", "__version__"]

_HOME = {
    "Dataset": "mmsrarec.data.dataset",
    "MmsrarecError": "mmsrarec.errors",
    "Recommender": "mmsrarec.runs.recommender",
}


def __getattr__(name: str) -> Any:
    """Import the public classes when they are first asked for: `import mmsrarec` needs no torch and costs nothing."""
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'mmsrarec' has no attribute {name!r}")
