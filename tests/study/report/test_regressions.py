import numpy as np
import pytest

from mmsrarec.study.report.regressions import competitors, largest_losses, regressions, strongest
from mmsrarec.study.results import ModelResult


def row(
    model: str, places: list[int], protocol: str = "full", variant: str = "whole", **more: list[bool]
) -> ModelResult:
    """Users whose next item stands at these places, from 1."""
    place = np.array(places, dtype=float)
    cut = 10 if protocol == "full" else 5
    metrics = {
        f"HR@{cut}": (place <= cut) * 1.0,
        f"NDCG@{cut}": np.where(place <= cut, 1 / np.log2(place + 1), 0),
        "MRR": 1 / place,
    }
    slices = {name: np.array(mask) for name, mask in more.items()}
    return ModelResult(protocol, "user-8-1-1", model, variant, 0, np.arange(len(places)) + 100, metrics, {}, slices)


OURS = row("mmsrarec", [1, 2, 40, 3, 1], variant="ensemble", cold=[False, False, True, True, False], none=[False] * 5)
RIVAL = row("sasrec", [11, 2, 1, 12, 4])


def test_each_part_has_its_difference_and_who_was_gained_and_lost() -> None:
    found = regressions(OURS, RIVAL, resamples=100)
    assert {key: found[key] for key in ("protocol", "a", "b", "metric", "found")} == {
        "protocol": "full",
        "a": "mmsrarec, ensemble",
        "b": "sasrec",
        "metric": "NDCG@10",
        "found": "HR@10",
    }
    cold, everybody = found["parts"]  # the worst first; a part without users is none
    assert (cold["part"], cold["users"], cold["gained"], cold["lost"]) == ("cold", 2, 1, 1)
    assert (everybody["part"], everybody["users"], everybody["gained"], everybody["lost"]) == ("all users", 5, 2, 1)
    assert cold["difference"] == pytest.approx((0.5 - 1) / 2)
    assert cold["difference"] < 0 < everybody["difference"]
    smaller, larger = sorted((cold, everybody), key=lambda part: part["p"])
    assert smaller["p_holm"] == min(2 * smaller["p"], 1)
    assert larger["p_holm"] == max(larger["p"], smaller["p_holm"])


def test_who_lost_most_is_told_with_both_places() -> None:
    assert largest_losses(OURS, RIVAL, 3) == {102: "sasrec had it at place 1, mmsrarec, ensemble at place 40."}
    assert largest_losses(RIVAL, OURS, 1) == {100: "mmsrarec, ensemble had it at place 1, sasrec at place 11."}
    assert list(largest_losses(RIVAL, OURS, 5)) == [100, 104, 103]  # codes; not 1, who lost nothing, nor 2, who gained
    assert largest_losses(row("mmsrarec", [2], "published"), row("sasrec", [1], "published"), 3) == {}


def test_the_rival_is_the_strongest_single_row_that_is_not_ours() -> None:
    together = row("als+ease", [1, 1, 1, 1, 1], variant="ensemble")
    other = row("ease", [1, 1, 1, 1, 1], "published")
    weak = row("random", [50, 60, 70, 80, 90])
    table = [OURS, row("mmsrarec", [1] * 5), weak, RIVAL, together, other]
    assert [found.model for found in competitors(table, OURS)] == ["random", "sasrec"]
    assert strongest(competitors(table, OURS)) is RIVAL
