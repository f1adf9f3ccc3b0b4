"""What times tell: their range, their grain, and what cannot be a person's choice."""

import numpy as np
import pytest

from mmsrarec.data.checking.time_facts import time_facts
from mmsrarec.data.dataset import IntArray, Interactions, make_interactions

DAY = 86_400
START = 17_000 * DAY  # 2016-07-18


def log(times: IntArray, users: IntArray | None = None) -> Interactions:
    users = np.arange(len(times)) if users is None else users
    return make_interactions(users, np.zeros(len(times), dtype=np.int64), times, int(users.max(initial=-1)) + 1, 1)


def busy(days: int = 60, users_a_day: int = 5, seed: int = 0) -> tuple[IntArray, IntArray]:
    """(times, users) of an ordinary log."""
    rng = np.random.default_rng(seed)
    times = START + np.sort(rng.integers(0, days * DAY, days * users_a_day))
    return times, rng.integers(0, 200, len(times))


def test_the_range_and_the_periods() -> None:
    facts = time_facts(log(np.array([START, START + 5, START + 3 * DAY])))
    assert facts is not None
    assert (facts.first, facts.last) == ("2016-07-18T00:00:00Z", "2016-07-21T00:00:00Z")
    assert facts.days == 3
    assert facts.per_period == {"2016-07-18": 2, "2016-07-19": 0, "2016-07-20": 0, "2016-07-21": 1}
    assert time_facts(log(np.zeros(0, dtype=np.int64))) is None


def test_long_logs_have_few_periods_and_lose_no_interaction() -> None:
    times, users = busy(days=3000)
    facts = time_facts(log(times, users))
    assert facts is not None
    assert 24 < len(facts.per_period) <= 48
    assert sum(facts.per_period.values()) == len(times)


@pytest.mark.parametrize(("unit", "grain"), [(DAY, "day"), (3_600, "hour"), (60, "minute"), (1, "second")])
@pytest.mark.parametrize("shift", [0, 5 * 3_600])
def test_the_grain_of_times_in_any_zone(unit: int, grain: str, shift: int) -> None:
    times, users = busy()
    facts = time_facts(log(times // unit * unit + shift, users))
    assert facts is not None
    assert facts.grain == grain


def test_an_ordinary_log_has_nothing_suspicious() -> None:
    facts = time_facts(log(*busy()))
    assert facts is not None
    assert (facts.bursts, facts.same_second, facts.holes) == ({}, None, [])


def test_a_day_with_far_more_users_is_a_burst_and_one_busy_user_makes_none() -> None:
    times, users = busy()
    rng = np.random.default_rng(1)
    day = START + 30 * DAY
    many = np.concatenate([times, day + rng.integers(0, DAY, 300)])
    facts = time_facts(log(many, np.concatenate([users, np.arange(300)])))
    assert facts is not None
    assert list(facts.bursts) == ["2016-08-17"]
    assert facts.bursts["2016-08-17"] >= 300
    alone = time_facts(log(many, np.concatenate([users, np.zeros(300, dtype=np.int64)])))
    assert alone is not None
    assert alone.bursts == {}


def test_a_second_that_many_users_share() -> None:
    times, users = busy()
    moved = np.concatenate([times, np.full(80, START + 10 * DAY + 4)])
    facts = time_facts(log(moved, np.concatenate([users, 300 + np.arange(80)])))
    assert facts is not None
    assert facts.same_second == ("2016-07-28T00:00:04Z", 80)
    batch = time_facts(log(moved, np.concatenate([users, np.full(80, 300)])))  # one user's batch
    assert batch is not None
    assert batch.same_second is None


def test_whole_days_share_their_second_without_suspicion() -> None:
    times, users = busy(users_a_day=50)
    facts = time_facts(log(times // DAY * DAY, users))
    assert facts is not None
    assert facts.same_second is None


def test_a_long_silence_is_a_hole() -> None:
    times, users = busy()
    later = np.where(times > START + 20 * DAY, times + 100 * DAY, times)
    facts = time_facts(log(later, users))
    assert facts is not None
    assert len(facts.holes) == 1
    start, end = map(np.datetime64, facts.holes[0])
    assert 98 <= (end - start).astype(int) <= 102


def test_a_second_counts_each_of_its_users_once() -> None:
    times, users = busy()
    times = np.concatenate([times, np.full(90, START + 77)])
    users = np.concatenate([users, np.repeat(np.arange(45), 2)])
    facts = time_facts(log(times, users))
    assert facts is not None
    assert facts.same_second is not None
    others = {int(user) for user, time in zip(users, times, strict=True) if time == START + 77}
    assert facts.same_second == ("2016-07-18T00:01:17Z", len(others))
