"""The base class, on a ranker as a newcomer would write it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import Field

from mmsrarec.data.dataset import FloatArray, IntArray, Interactions
from mmsrarec.data.splits import Queries
from mmsrarec.errors import MmsrarecError
from mmsrarec.rankers import RankerBase, RankerSettings
from mmsrarec.testing import RankerLaws, grown, queries, tiny_log


class LastItemSettings(RankerSettings):
    """How far an item may be from the last one."""

    width: float = Field(default=5.0, gt=0, description="items: how far an item may be from the last one")


class LastItem(RankerBase):
    """Items are alike where their numbers are near."""

    name = "last-item"
    Settings = LastItemSettings

    def _fit(self, interactions: Interactions, seed: int) -> None:
        self.places = np.arange(interactions.n_items) / self.settings.width

    def _score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        scores = np.zeros((len(queries), self.n_items))
        for row, history in zip(scores, queries.history, strict=True):
            if len(known := history[history < self.n_items]):
                row[:] = -np.abs(self.places - self.places[known[-1]])
        return scores if candidates is None else np.take_along_axis(scores, candidates, axis=1)

    def _state(self) -> dict[str, NDArray[Any]]:
        return {"places": self.places}

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        self.places = arrays["places"]


class TestLastItem(RankerLaws):
    ranker = LastItem
    learns_taste = False


def test_settings_are_given_whole_or_by_name() -> None:
    assert LastItem().settings == LastItem(LastItemSettings()).settings
    assert LastItem(width=2).settings.width == 2
    with pytest.raises(MmsrarecError, match="settings of last-item: width: Input should be greater than 0"):
        LastItem(width=0)


def test_fitting_again_forgets() -> None:
    ranker = LastItem().fit(tiny_log(n_items=50))
    assert ranker.fit(tiny_log()) is ranker
    assert ranker.n_items == 40


def test_known_items_are_those_that_somebody_consumed() -> None:
    ranker = LastItem().fit(grown(tiny_log(), 2))
    assert ranker.known.tolist() == [True] * 40 + [False] * 2
    with pytest.raises(MmsrarecError, match=r"last-item is not fitted: call fit"):
        _ = LastItem().known


@pytest.mark.parametrize("file", ["ranker.json", "places.npy", "known.npy"])
def test_a_damaged_folder_is_refused_in_one_line(tmp_path: Path, file: str) -> None:
    ranker = LastItem().fit(tiny_log())
    for damage in (b"", b"\x00" * 99):
        ranker.save(tmp_path)
        (tmp_path / file).write_bytes(damage)
        with pytest.raises(MmsrarecError, match="holds no last-item of this version") as told:
            LastItem.load(tmp_path)
        assert "\n" not in str(told.value)
    ranker.save(tmp_path)
    (tmp_path / file).unlink()
    with pytest.raises(MmsrarecError, match="fit it again"):
        LastItem.load(tmp_path)


def test_another_version_is_another_ranker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    LastItem().fit(tiny_log()).save(tmp_path)
    monkeypatch.setattr(LastItem, "version", 2)
    with pytest.raises(MmsrarecError, match="it is last-item, version 1"):
        LastItem.load(tmp_path)


def test_a_pickled_array_is_never_read(tmp_path: Path) -> None:
    LastItem().fit(tiny_log()).save(tmp_path)
    np.save(tmp_path / "places.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(MmsrarecError, match="holds no last-item"):
        LastItem.load(tmp_path)


def test_candidates_may_be_left_out() -> None:
    ranker = LastItem().fit(tiny_log())
    assert ranker.score(queries([3])).shape == (1, 40)
