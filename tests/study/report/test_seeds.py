"""Several seeds as one table: rows are found again whoever proposes, users count once, pairs are tested over all."""

import numpy as np
import pytest

from mmsrarec.study.report.seeds import pooled, role, spread
from mmsrarec.study.results import ModelResult, compare_rows


def row(model: str, variant: str, users: list[int], values: list[float], seed: int) -> ModelResult:
    return ModelResult("published", "user-8-1-1", model, variant, seed, np.array(users), {"HR@5": np.array(values)})


def seeds() -> list[list[ModelResult]]:
    """Users 0 to 3, then 2 to 5; sasrec proposes in one seed, two together in the other."""
    first = [
        row("sasrec", "whole", [0, 1, 2, 3], [0, 0, 1, 1], 0),
        row("mmsrarec", "ensemble with sasrec", [0, 1, 2, 3], [1, 1, 1, 1], 0),
        row("ease", "whole", [0, 1, 2, 3], [0, 0, 0, 0], 0),
    ]
    second = [
        row("sasrec", "whole", [2, 3, 4, 5], [0, 1, 0, 0], 1),
        row("mmsrarec", "ensemble with als+sasrec", [2, 3, 4, 5], [0, 1, 1, 0], 1),
        row("als+sasrec", "ensemble, no language model", [2, 3, 4, 5], [0, 1, 0, 0], 1),
    ]
    return [first, second]


def test_rows_are_known_by_their_role() -> None:
    assert role(row("mmsrarec", "re-ranks als+ease, ensemble with als+ease+sasrec", [0], [1], 0))[2:] == (
        "mmsrarec",
        "re-ranks, ensemble",
    )
    assert role(row("mmsrarec", "re-ranks sasrec, ensemble", [0], [1], 0))[3] == "re-ranks, ensemble"
    assert role(row("mmsrarec", "history 4", [0], [1], 0))[3] == "history 4"
    assert role(row("als+ease", "ensemble, no language model", [0], [1], 0))[2:] == (
        "generators",
        "ensemble, no language model",
    )


def test_only_rows_that_every_seed_has_are_told() -> None:
    assert [one.label for one, _ in pooled(seeds())] == ["sasrec", "mmsrarec, ensemble"]
    assert pooled([]) == []


def test_users_of_several_seeds_have_their_mean_and_the_table_that_of_the_seeds() -> None:
    (sasrec, _), (fused, _) = pooled(seeds())
    assert sasrec.user.tolist() == [0, 1, 2, 3, 4, 5]
    assert sasrec.metrics["HR@5"].mean() == pytest.approx(3 / 8)  # of eight answers
    assert fused.metrics["HR@5"].mean() == pytest.approx(6 / 8)
    (pair,) = compare_rows(fused, sasrec, ["HR@5"])
    assert pair["difference"] == pytest.approx(3 / 8)
    same = [[row("sasrec", "whole", [7, 8], [0, 1], 0)], [row("sasrec", "whole", [8, 7], [0, 1], 1)]]
    ((both, _),) = pooled(same)
    assert both.metrics["HR@5"].tolist() == [0.5, 0.5]


def test_who_is_asked_more_often_counts_more_and_no_interval_grows_by_it() -> None:
    """Against resampling whole users and taking the mean of all their answers."""
    rng = np.random.default_rng(0)
    ids, values = rng.integers(0, 300, (3, 200)), rng.random((3, 200))
    asked = [np.unique(own, return_index=True) for own in ids]
    tables = [
        [row("sasrec", "whole", users.tolist(), values[seed][at].tolist(), seed)]
        for seed, (users, at) in enumerate(asked)
    ]
    ((whole, rows),) = pooled(tables)
    users = np.concatenate([one.user for one in rows])
    answers = np.concatenate([one.metrics["HR@5"] for one in rows])
    _, at = np.unique(users, return_inverse=True)
    total, times = np.bincount(at, answers), np.bincount(at)
    drawn = rng.integers(len(total), size=(4000, len(total)))
    ratios = total[drawn].sum(1) / times[drawn].sum(1)
    told = spread([(whole, rows)])[0]["metrics"]["HR@5"]
    assert whole.metrics["HR@5"].mean() == pytest.approx(answers.mean())
    assert told["high"] - told["low"] == pytest.approx(np.subtract(*np.percentile(ratios, [97.5, 2.5])), rel=0.1)


def test_means_and_deviations_are_over_seeds_and_intervals_over_users() -> None:
    sasrec, fused = spread(pooled(seeds()))
    assert (sasrec["seeds"], sasrec["users"]) == ([0, 1], 6)
    told = fused["metrics"]["HR@5"]
    assert told["value"] == pytest.approx(0.75)
    assert told["sd"] == pytest.approx(0.5 / 2**0.5)
    assert told["low"] <= 0.75 <= told["high"]


def test_more_seeds_of_other_users_narrow_the_interval() -> None:
    rng = np.random.default_rng(0)
    tables = [
        [row("sasrec", "whole", list(range(200 * seed, 200 * seed + 200)), list(rng.random(200)), seed)]
        for seed in range(4)
    ]
    few, many = (spread(pooled(tables[:count]))[0]["metrics"]["HR@5"] for count in (2, 4))
    assert many["high"] - many["low"] == pytest.approx((few["high"] - few["low"]) / 2**0.5, rel=0.15)
