"""Looks at the times of a log: their range, their grain, and what cannot be the time of a person's choice."""

from dataclasses import dataclass, field

import numpy as np

from mmsrarec.data.dataset import IntArray, Interactions
from mmsrarec.data.times import DAY_SECONDS

GRAINS = {"day": DAY_SECONDS, "hour": 3_600, "minute": 60}
MIN_GRAIN_SHARE = 0.99
"""The share of times that must be whole days (hours, minutes) for the log to have that grain."""
BURST_RATIO = 20
"""A day with this many times the users of the median day is a burst. One busy user makes none."""
MIN_BURST = 50
"""A burst has at least this many users."""
MIN_DAYS = 7
"""Fewer days have no usual day."""
MIN_SAME_SECOND_USERS = 20
"""Users who share one second, from which on it is no chance where days hold far fewer."""
QUIET_DAYS = 30
"""A silence of all users that is at least as long as this, and QUIET_RATIO times the usual gap, is a hole."""
QUIET_RATIO = 50
MAX_BARS = 48


@dataclass(frozen=True)
class TimeFacts:
    """What is known of the times of a log that has a clock.

    Attributes:
        first: The first time, such as 2016-10-02T09:15:00Z.
        last: The last time.
        days: Days between both.
        grain: The coarsest unit in which nearly all times are whole: day, hour, minute or second.
        per_period: Start of a period, such as 2016-10-02 -> interactions in it; at most MAX_BARS periods of equal
            length.
        bursts: Day -> users, of days with far more than usual, the largest first.
        same_second: The time that most users share, with their number; None where it may be chance.
        holes: Start and end of long silences of all users, the longest first.
    """

    first: str
    last: str
    days: float
    grain: str
    per_period: dict[str, int]
    bursts: dict[str, int] = field(default_factory=dict[str, int])
    same_second: tuple[str, int] | None = None
    holes: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])


def time_facts(interactions: Interactions) -> TimeFacts | None:
    """Look at the times of a log.

    Args:
        interactions: n interactions whose times are seconds.

    Returns:
        The facts; None without interactions.
    """
    if not len(interactions):
        return None
    times = np.sort(interactions.time)
    first, last = int(times[0]), int(times[-1])
    return TimeFacts(
        time_text(first),
        time_text(last),
        (last - first) / DAY_SECONDS,
        _grain(times),
        _per_period(times),
        _bursts(interactions),
        _same_second(interactions),
        _holes(times),
    )


def time_text(second: int) -> str:
    """A time as ISO 8601 in UTC."""
    return f"{np.datetime64(second, 's')}Z"


def _day(second: int) -> str:
    """The day of a time."""
    return str(np.datetime64(second, "s").astype("datetime64[D]"))


def _grain(times: IntArray) -> str:
    """The coarsest unit in which nearly all times are whole, wherever its zero lies."""
    for name, seconds in GRAINS.items():
        _, counts = np.unique(times % seconds, return_counts=True)
        if counts.max() >= MIN_GRAIN_SHARE * len(times) and len(times) > 1:
            return name
    return "second"


def _per_period(times: IntArray) -> dict[str, int]:
    """Interactions by periods of equal, whole numbers of days."""
    first = int(times[0]) // DAY_SECONDS
    days = int(times[-1]) // DAY_SECONDS - first + 1
    step = -(-days // MAX_BARS)
    counts = np.bincount((times // DAY_SECONDS - first) // step, minlength=-(-days // step))
    return {_day((first + place * step) * DAY_SECONDS): int(count) for place, count in enumerate(counts)}


def _bursts(interactions: Interactions) -> dict[str, int]:
    """Days with far more users than the median of the days that have any."""
    pairs = np.unique(interactions.time // DAY_SECONDS * max(interactions.n_users, 1) + interactions.user)
    days, users = np.unique(pairs // max(interactions.n_users, 1), return_counts=True)
    if len(days) < MIN_DAYS:
        return {}
    many = np.flatnonzero(users >= max(MIN_BURST, BURST_RATIO * np.median(users)))
    order = many[np.argsort(-users[many], kind="stable")]
    return {_day(int(days[place]) * DAY_SECONDS): int(users[place]) for place in order}


def _same_second(interactions: Interactions) -> tuple[str, int] | None:
    """The second that most users share, where the log has seconds and others are shared by far fewer."""
    time, user = interactions.time, interactions.user
    once = np.ones(len(time), dtype=bool)  # rows are sorted by user, then time: equal pairs stand together
    once[1:] = (time[1:] != time[:-1]) | (user[1:] != user[:-1])
    seconds, users = np.unique(time[once], return_counts=True)
    place = int(users.argmax())
    usual = float(np.quantile(users, 0.99))
    if users[place] < max(MIN_SAME_SECOND_USERS, 5 * usual):
        return None
    return time_text(int(seconds[place])), int(users[place])


def _holes(times: IntArray) -> list[tuple[str, str]]:
    """Long silences of all users."""
    gaps = np.diff(times)
    if not len(gaps):
        return []
    usual = max(float(np.quantile(gaps, 0.9)), 1.0)
    long = np.flatnonzero(gaps >= max(QUIET_DAYS * DAY_SECONDS, QUIET_RATIO * usual))
    order = long[np.argsort(-gaps[long], kind="stable")]
    return [(_day(int(times[place])), _day(int(times[place + 1]))) for place in order[:5]]
