"""Laws that every ranker must keep, and small logs to try it on, for the tests of this library and of plug-ins.

    from mmsrarec.testing import RankerLaws

    class TestMine(RankerLaws):
        ranker = Mine

Neither torch nor pytest is needed to import it.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmsrarec.testing.logs import checkerboard, grown, queries, tiny_log
    from mmsrarec.testing.ranker_laws import RankerLaws

_HOME = {"RankerLaws": "ranker_laws", **dict.fromkeys(("checkerboard", "grown", "queries", "tiny_log"), "logs")}
__all__ = ["RankerLaws", "checkerboard", "grown", "queries", "tiny_log"]


def __getattr__(name: str) -> Any:
    """Import a public name at its first use."""
    if name in _HOME:
        return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
