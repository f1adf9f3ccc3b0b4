"""What the rows of a comparison are fitted on, and what is said of them."""

from pathlib import Path

import numpy as np
import pytest

from mmsrarec.comparison import Comparison
from mmsrarec.data.dataset import Dataset
from mmsrarec.evaluate.rows import notes
from mmsrarec.progress import Progress
from mmsrarec.recipe import Recipe
from mmsrarec.workspace import Workspace


def comparison(data: Dataset, folder: Path, **settings) -> Comparison:
    recipe = Recipe.model_validate({"name": "a", "data": data.folder, "evaluate": settings})
    return Comparison(Workspace(recipe, folder), "leave-one-out", str, Progress(), lambda done, total, label: None)


def test_a_generator_is_chosen_without_the_validation_events_and_then_fitted_on_them(
    drawn: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = comparison(drawn, tmp_path, rows=["sequential-rules", "als"], fitted_on="train+validation")
    fitted: list[tuple[int, bool]] = []
    made = mine.made
    monkeypatch.setattr(
        mine, "made", lambda name, train, refit=False: fitted.append((len(train), refit)) or made(name, train, refit)
    )
    chosen = mine.generator()
    train, test = len(mine.split.train), len(mine.split.test)
    assert fitted == [(train, False), (train, False), (train + test, True)]
    assert chosen.name in ("sequential-rules", "als")


def test_rows_fitted_on_validation_too_are_others(drawn: Dataset, tmp_path: Path) -> None:
    strict, more = (
        comparison(drawn, tmp_path, rows=["popularity"], fitted_on=choice) for choice in ("train", "train+validation")
    )
    assert strict.inputs("popularity", "whole") != more.inputs("popularity", "whole")
    assert strict.inputs("sasrec", "whole") != more.inputs("sasrec", "whole")
    assert strict.inputs("neighbours-only", "whole") == more.inputs("neighbours-only", "whole")  # stage 2 itself
    valid = np.bincount(strict.split.valid.target, minlength=len(drawn.items))
    scores = [mine.classic("popularity").score(mine.split.test, None)[0] for mine in (strict, more)]
    assert (scores[1] - scores[0]).tolist() == valid.tolist()


def test_all_users_are_no_slice_of_them(drawn: Dataset, tmp_path: Path) -> None:
    mine = comparison(drawn, tmp_path, rows=["popularity"])
    pictured = mine.row("published", "popularity", "whole", lambda: mine.classic("popularity"))
    assert set(pictured.slices) == {"target unseen in training", "target without an image"}
    assert not any(mask.all() for mask in pictured.slices.values())


def test_notes_name_the_rows_that_are_there() -> None:
    (said,) = notes(("random", "recent-popularity"), "train")
    assert "strictly before it: recent-popularity." in said
    told = notes(("als", "sasrec", "context-only", "mmsrarec"), "train+validation")
    named = [line.partition(": ")[2].partition(". ")[0].rstrip(".") for line in told[:3]]
    assert named == ["context-only, mmsrarec", "als, sasrec", "als, sasrec"]
    assert told[3].startswith("context-only scores 1")
    assert told[4].startswith("Full ranking by the language model")
