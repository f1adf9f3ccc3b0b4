"""When the next request may start: after the pauses that a server asks for, and no faster than a given rate."""

import random
import threading
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime

from mmsrarec.errors import EngineError

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0
"""Seconds of the pause before the second attempt, which doubles before each further one, and of the longest pause."""
LONGEST_WAIT = 900.0
"""Seconds that a server may ask to be left alone; a longer wait ends the work."""


class Pacing:
    """The clock that all requests of an engine share; it may be used from several threads.

    Attributes:
        first_pause: Seconds of the pause before a second attempt.
    """

    def __init__(
        self,
        per_minute: float | None = None,
        first_pause: float = FIRST_PAUSE,
        rng: random.Random | None = None,
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ):
        """Start a clock.

        Args:
            per_minute: Requests a minute, at most; None for any number.
            first_pause: Seconds of the pause before a second attempt.
            rng: Scatters the pauses, so that waiting requests do not all come back at once.
            sleep: Waits for so many seconds.
            clock: Seconds that only grow.
        """
        self.first_pause = first_pause
        self._interval = 60.0 / per_minute if per_minute else 0.0
        self._rng, self._sleep, self._clock = rng or random.Random(), sleep, clock
        self._lock = threading.Lock()
        self._next_start = self._closed_until = 0.0

    def wait_for_turn(self) -> None:
        """Wait until a request may start."""
        with self._lock:
            start = max(self._clock(), self._next_start)
            self._next_start = start + self._interval
        # a pause may be asked for while this request waits
        while (wait := max(start, self._closed_until) - self._clock()) > 0:
            self._sleep(wait)

    def leave_alone(self, seconds: float) -> None:
        """Start no request for so long.

        Raises:
            EngineError: The pause is too long to wait for.
        """
        if seconds > LONGEST_WAIT:
            raise EngineError(
                f"the engine asks to be left alone for {seconds:.0f} s: start again then; nothing it answered is lost"
            )
        with self._lock:
            self._closed_until = max(self._closed_until, self._clock() + seconds)

    def pause(self, attempt: int) -> None:
        """Wait before another attempt at a request.

        Args:
            attempt: The attempts that failed, from 1.
        """
        longest = min(self.first_pause * 2 ** (attempt - 1), LONGEST_PAUSE)
        self._sleep(longest * self._rng.uniform(0.5, 1.0))


def asked_pause(headers: Mapping[str, str]) -> float:
    """The seconds for which an answer's headers ask to be left alone; 0 where they ask for nothing.

    Args:
        headers: With names in lower case. Read are `retry-after-ms`, and `retry-after` in seconds or as a date.
    """
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after", "")
    if (seconds := _number(value)) is not None:
        return seconds
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return 0.0


def _number(text: str) -> float | None:
    """A number that is not negative; None for any other text."""
    whole, _, fraction = text.strip()[:12].partition(".")
    return float(f"{whole}.{fraction or 0}") if whole.isdecimal() and (fraction or "0").isdecimal() else None
