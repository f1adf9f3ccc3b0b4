"""Laws that every ranker must keep, and small logs to try it on, for the tests of this library and of plug-ins.

    from mmsrarec.testing import RankerLaws

    class TestMine(RankerLaws):
        ranker = Mine

Neither torch nor pytest is needed to import it.
"""

from typing import TYPE_CHECKING, Any

from mmsrarec.core.lazy_imports import public_attribute

if TYPE_CHECKING:
    from mmsrarec.testing.logs import checkerboard, grown, queries, tiny_log
    from mmsrarec.testing.ranker_laws import RankerLaws

_HOME = {"RankerLaws": "ranker_laws", **dict.fromkeys(("checkerboard", "grown", "queries", "tiny_log"), "logs")}
__all__ = ["RankerLaws", "checkerboard", "grown", "queries", "tiny_log"]


def __getattr__(name: str) -> Any:
    """Import a public name at its first use."""
    return public_attribute(__name__, _HOME, name)
