"""The number format is measured once, chosen by a clear margin, and stays what it was."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from mmsrarec.models.backbone import dtype
from mmsrarec.models.backbone.dtype import choice, faster, measure, pick_dtype
from mmsrarec.models.backbone.settings import ModelSettings


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the choice is kept, with nothing known yet."""
    monkeypatch.setenv("MMSRAREC_CACHE", str(tmp_path / "cache"))
    choice.cache_clear()
    yield tmp_path / "cache" / "precision.json"
    choice.cache_clear()


def rates(float32: float, bfloat16: float) -> dict[str, float]:
    return {"float32": float32, "bfloat16": bfloat16}


def test_bfloat16_must_be_clearly_faster() -> None:
    assert faster(rates(100, 119)) == "float32"
    assert faster(rates(100, 120)) == "bfloat16"
    assert faster(rates(100, 30)) == "float32"


def test_the_dtype_is_what_was_asked_or_what_was_measured(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("bfloat16", "float32"):
        assert pick_dtype(ModelSettings(dtype=name)) == getattr(torch, name)
    assert not kept.exists()  # what is asked for needs no measuring
    monkeypatch.setattr(dtype, "measure", lambda device: rates(10, 80))
    assert pick_dtype(ModelSettings()) == torch.bfloat16
    monkeypatch.setattr(dtype, "measure", lambda device: rates(10, 5))
    choice.cache_clear()  # as another process would begin
    assert pick_dtype(ModelSettings()) == torch.bfloat16
    monkeypatch.setattr(dtype, "processor", lambda: "another")
    choice.cache_clear()
    assert pick_dtype(ModelSettings()) == torch.float32
    kept.write_text("damaged")
    choice.cache_clear()
    assert choice() == {"float32": 10, "bfloat16": 5, "choice": "float32"}


def test_a_measurement_is_of_this_machine() -> None:
    found = measure("cpu")
    assert found.keys() == {"float32", "bfloat16"}
    assert 0.01 < min(found.values()) <= max(found.values()) < 1e6
