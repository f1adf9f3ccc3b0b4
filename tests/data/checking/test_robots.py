"""Programs among users are told, and busy people are not."""

from pathlib import Path

import numpy as np
import pytest

from mmsrarec.data.checking import robots
from mmsrarec.data.checking.robots import Suspect, suspects
from mmsrarec.data.dataset import Dataset, IntArray, Item, make_interactions

START, DAY, ITEMS = 1_600_000_000, 86_400, 2_000


def person(seed: int, n: int = 60) -> tuple[IntArray, IntArray]:
    """(items, times) of a person: some evenings, an item every few minutes."""
    rng = np.random.default_rng(seed)
    evenings = START // DAY * DAY + rng.integers(0, 300, n) * DAY + 18 * 3_600
    return rng.integers(0, ITEMS, n), np.sort(evenings + rng.integers(0, 4 * 3_600, n))


def dataset_with(items: IntArray, times: IntArray, people: int = 150) -> Dataset:
    """A data set of ordinary people and one more user, "x"."""
    histories = [person(seed) for seed in range(people)] + [(items, times)]
    user = np.repeat(np.arange(len(histories)), [len(history[0]) for history in histories])
    item, time = (np.concatenate([history[part] for history in histories]) for part in (0, 1))
    names = (*map(str, range(people)), "x")
    catalogue = tuple(Item(str(code)) for code in range(ITEMS))
    return Dataset("d", catalogue, names, make_interactions(user, item, time, len(names), ITEMS))


rng = np.random.default_rng(5)
CASES = {
    "times the median user": (rng.integers(0, ITEMS, 900), np.sort(START + rng.integers(0, 9 * 10**6, 900))),
    "of the catalogue": (np.arange(1_200), np.sort(START + rng.integers(0, 9 * 10**6, 1_200))),
    "are with one item": (np.full(80, 7), person(1, 80)[1]),
    "around the clock": (
        rng.integers(0, ITEMS, 150),
        START // DAY * DAY + np.sort(rng.permutation(72 * 3)[:150]) * 1_200,
    ),
    "like a clock": (rng.integers(0, ITEMS, 100), START + np.arange(100) * 7_201),
    "within a minute": (rng.integers(0, ITEMS, 61), np.append(START + np.arange(60), START + 10**6)),
}


@pytest.mark.parametrize("reason", CASES)
def test_a_program_is_told_with_its_reason(reason: str) -> None:
    items, times = CASES[reason]
    (suspect,) = suspects(dataset_with(items, times))
    assert suspect.user_id == "x"
    assert suspect.interactions == len(items)
    assert any(reason in line for line in suspect.reasons)


def test_people_are_no_programs() -> None:
    assert suspects(dataset_with(*person(999))) == []


def test_a_batch_at_one_second_is_no_program() -> None:
    items = np.random.default_rng(3).integers(0, ITEMS, 200)
    assert suspects(dataset_with(items, np.full(200, START))) == []


def test_a_log_of_whole_days_is_no_clock() -> None:
    items = np.random.default_rng(3).integers(0, ITEMS, 60)
    assert suspects(dataset_with(items, START // DAY * DAY + np.arange(60) * DAY)) == []


def test_steps_have_no_pace() -> None:
    dataset = dataset_with(np.random.default_rng(3).integers(0, ITEMS, 100), START + np.arange(100))
    stepped = Dataset("d", dataset.items, dataset.user_ids, dataset.interactions, times="steps")
    assert suspects(dataset) != []
    assert suspects(stepped) == []


def test_without_users_there_are_no_suspects() -> None:
    none = np.zeros(0, dtype=np.int64)
    assert suspects(Dataset("d", (Item("a"),), (), make_interactions(none, none, none, 0, 1))) == []


def test_of_real_people_one_is_told(movielens: Path) -> None:
    dataset = Dataset.load(movielens)
    assert suspects(dataset) == [Suspect("414", 2132, ("consumed 58% of the catalogue",))]


def random_user(rng: np.random.Generator) -> tuple[IntArray, IntArray]:
    """Somebody near one of the borders of what is suspicious, or far from all."""
    n = int(rng.choice([1, 40, 50, 59, 60, 61, 90, 150]))
    items = rng.integers(0, int(rng.choice([1, 2, 9, 300])), n)
    items[: int(rng.choice([0, 0.89, 0.9, 0.95]) * n)] = 7
    step = int(rng.choice([0, 1, 2, 1_000, 3_600]))
    times = START + np.arange(n) * step + rng.integers(0, int(rng.choice([1, 2, 1 + step // 3, 10**6])), n)
    return items, np.sort(times)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("times", ["seconds", "steps"])
def test_whoever_is_passed_over_is_not_suspicious(seed: int, times: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plain way: every user is looked at, one after another."""
    rng = np.random.default_rng(seed)
    histories = [random_user(rng) for _ in range(120)]
    user = np.repeat(np.arange(120), [len(history[0]) for history in histories])
    item, time = (np.concatenate([history[part] for history in histories]) for part in (0, 1))
    log = make_interactions(user, item, time, 120, 300)
    dataset = Dataset("d", tuple(Item(str(code)) for code in range(300)), tuple(map(str, range(120))), log, times=times)
    found = suspects(dataset)
    monkeypatch.setattr(
        robots,
        "_worth_a_look",
        lambda interactions, *_: np.flatnonzero(np.diff(interactions.offsets) >= robots.MIN_INTERACTIONS),
    )
    assert found == suspects(dataset)
    assert 0 < len(found) < 120


def test_users_far_from_all_borders_are_passed_over() -> None:
    log = dataset_with(*person(3)).interactions
    assert len(robots._worth_a_look(log, 10**9, True)) < 0.1 * log.n_users
    nobody = make_interactions(*np.zeros((3, 0), dtype=np.int64), 0, 5)
    assert robots._worth_a_look(nobody, 1.0, True).tolist() == []
