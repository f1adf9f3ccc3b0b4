"""What stands in for the language model: counts as shares, and reasons that say how many chose an item."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from mmsrarec.runs.answers.without_model import CountScorer, is_without_model, load_rankers, popularity_reasons


class Log(SimpleNamespace):
    """Interactions as far as they are counted."""

    def __len__(self) -> int:
        return int(self.counts.sum())


SCORER = CountScorer(cast(Any, Log(n_items=3, counts=np.array([4, 0, 2]))))


def prompt(*candidates: int) -> Any:
    return SimpleNamespace(candidates=candidates, popularity=[2, 0, 1])


def test_scores_follow_laplaces_rule_of_succession() -> None:
    (scores,) = SCORER.score_contexts([prompt(0, 1, 2)])
    assert scores.tolist() == pytest.approx([5 / 8, 1 / 8, 3 / 8])


def test_an_item_that_joined_since_was_chosen_by_nobody() -> None:
    (scores,) = SCORER.score_contexts([prompt(7, 0)])
    assert scores.tolist() == pytest.approx([1 / 8, 5 / 8])


def test_nothing_else_is_scored_by_it() -> None:
    with pytest.raises(NotImplementedError):
        SCORER.score(None, None)


def test_reasons_weigh_a_count_against_the_mean_candidate() -> None:
    context = prompt(0, 1, 2)
    (p,) = SCORER.score_contexts([context])
    reasons = popularity_reasons(context, [0, 1, 2], p)
    assert sum(reason.weight for (reason,) in reasons) == pytest.approx(0.0)
    assert [reason.level for (reason,) in reasons] == [2, 0, 1]
    assert reasons[0][0].weight > reasons[2][0].weight > reasons[1][0].weight


def test_a_folder_without_rankers_is_no_run_of_rankers_alone(tmp_path: Path) -> None:
    assert not is_without_model(tmp_path, "recommend/leave-one-out/whole")
    assert load_rankers(tmp_path) is None
