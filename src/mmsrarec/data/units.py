"""What the times of a data set are, and what a source may count. Without numpy: the command line starts with it."""

from typing import Literal

Times = Literal["seconds", "steps"]
"""What the times of a data set are."""
Unit = Literal["auto", "seconds", "milliseconds", "microseconds", "nanoseconds", "steps"]
"""What a source may be declared to count."""

PER_SECOND: dict[str, int] = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
