"""Where tests find what lies beside them."""

from pathlib import Path

import mmsrarec

TESTS = Path(__file__).parent
GOLDEN = TESTS / "golden"
CASES = TESTS / "cases"
SRC = Path(mmsrarec.__file__).parents[1]
SHARED_DATA = TESTS.parents[1] / "shared" / "data"
"""Real data sets, where somebody has put them beside the checkout; tests that want one skip without it."""
