"""A run keeps what it fitted: loaded rankers score as fitted ones to the last bit, or are refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mmsrarec.core.artefacts import writing
from mmsrarec.data.dataset import Interactions
from mmsrarec.data.splits import leave_one_out
from mmsrarec.rankers.registry.registry import CLASSIC, Source, make_row, ranker_class
from mmsrarec.rankers.registry.settings import BaselineSettings
from mmsrarec.runs.fitted_rankers import load_fitted, ranker_key, ranker_part
from mmsrarec.testing import tiny_log

SPLIT = leave_one_out(tiny_log())


def refuse(*asked: object) -> None:
    raise AssertionError("a ranker of the log alone asked for stage 2")


def source(train: Interactions, seed: int = 3, **tables: object) -> Source:
    return Source(train, seed, refuse, refuse, BaselineSettings.model_validate(tables))  # type: ignore[arg-type]


def keep(run: Path, name: str, made_from: Source) -> None:
    """As the pipeline does."""
    folder = run / ranker_part("leave-one-out", name)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with writing(folder, kind="ranker", key=ranker_key(name, made_from)) as draft:
        make_row(name, made_from).save(draft)


@pytest.mark.parametrize("name", CLASSIC)
def test_what_was_kept_scores_as_if_it_were_fitted(name: str, tmp_path: Path) -> None:
    if name == "als":
        pytest.importorskip("implicit")
    made_from = source(SPLIT.train)
    keep(tmp_path, name, made_from)
    loaded = load_fitted(tmp_path, "leave-one-out", name, made_from)
    assert loaded is not None
    fitted = make_row(name, made_from)
    np.testing.assert_array_equal(loaded.score(SPLIT.test, None), fitted.score(SPLIT.test, None))


def test_who_joined_since_changes_nothing(tmp_path: Path) -> None:
    keep(tmp_path, "ease", source(SPLIT.train))
    joined = replace(SPLIT.train, n_users=SPLIT.train.n_users + 4, n_items=SPLIT.train.n_items + 9)
    loaded = load_fitted(tmp_path, "leave-one-out", "ease", source(joined))
    assert loaded is not None
    assert loaded.n_items == SPLIT.train.n_items


@pytest.mark.parametrize(
    "other",
    [
        source(SPLIT.train, seed=4),
        source(SPLIT.train, ease={"l2": 1.0}),
        source(SPLIT.train.where(np.arange(len(SPLIT.train)) > 0)),
    ],
    ids=["seed", "settings", "log"],
)
def test_what_was_made_otherwise_is_not_taken(other: Source, tmp_path: Path) -> None:
    keep(tmp_path, "ease", source(SPLIT.train))
    assert load_fitted(tmp_path, "leave-one-out", "ease", other) is None
    assert load_fitted(tmp_path, "time-cut", "ease", source(SPLIT.train)) is None


def test_another_version_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(tmp_path, "ease", source(SPLIT.train))
    monkeypatch.setattr(ranker_class("ease"), "version", 2)
    assert load_fitted(tmp_path, "leave-one-out", "ease", source(SPLIT.train)) is None


def test_a_part_that_was_cut_is_not_taken(tmp_path: Path) -> None:
    keep(tmp_path, "ease", source(SPLIT.train))
    file = tmp_path / ranker_part("leave-one-out", "ease") / "weights.npy"
    file.write_bytes(file.read_bytes()[:100])
    assert load_fitted(tmp_path, "leave-one-out", "ease", source(SPLIT.train)) is None


def test_a_sequence_model_has_its_own_part(tmp_path: Path) -> None:
    assert load_fitted(tmp_path, "leave-one-out", "sasrec", source(SPLIT.train)) is None
