"""The units of time of a data set and of a source. The module needs no NumPy, for the command line reads it."""

from typing import Literal

Times = Literal["seconds", "steps"]
"""The unit of the times of a data set."""
Unit = Literal["auto", "seconds", "milliseconds", "microseconds", "nanoseconds", "steps"]
"""The unit that the timestamps of a source are declared to have; "auto" recognizes it by their magnitude."""

TimeChoice = Literal["auto", "seconds", "milliseconds", "microseconds", "nanoseconds", "steps", "rows"]
"""The same as a user may say it; "rows" takes the order of the rows."""
Repeats = Literal["keep", "first", "last"]
"""What happens to further interactions of a user with the same item."""

TICKS_PER_SECOND: dict[str, int] = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
"""How many of a unit make a second; steps have no such number."""
