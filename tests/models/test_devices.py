"""A device that is not there is said in one line, before any work, with those that are."""

import sys

import pytest
import torch

from mmsrarec.errors import MmsrarecError
from mmsrarec.models import devices
from mmsrarec.models.devices import available_devices, check_device, synchronize


def cards(monkeypatch: pytest.MonkeyPatch, cuda: int = 0, mps: bool = False) -> None:
    """A machine with so many cards, as torch would tell it."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.fixture
def works(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every card computes; which were tried."""
    tried: list[str] = []
    monkeypatch.setattr(devices, "_usable", lambda name, there: tried.append(name) or name)
    return tried


@pytest.mark.parametrize(
    "name",
    [
        "cuda",
        "cuda:7",
        "mps",
        "gpu",
        "GPU",
        "tpu",
        "",
        " ",
        "cpu:1",
        "cpu:",
        "meta",
        "cuda:x",
        "cuda:-1",
        "0",
        "\x1b[2J",
    ],
)
def test_a_device_that_is_not_there_is_one_line(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cards(monkeypatch)
    with pytest.raises(MmsrarecError) as error:
        check_device(name)
    assert str(error.value).startswith(f'runtime.device "{name}" is not on this machine, there are: cpu; choose one')
    assert "--device" in str(error.value)


def test_what_is_there_is_taken(monkeypatch: pytest.MonkeyPatch, works: list[str]) -> None:
    cards(monkeypatch)
    assert (available_devices(), check_device("cpu"), check_device("cpu:0")) == (["cpu"], "cpu", "cpu")
    assert check_device("auto") == "cpu"
    assert works == []
    cards(monkeypatch, cuda=1)
    assert available_devices() == ["cpu", "cuda"]
    assert [check_device(name) for name in ("cuda", "cuda:0", "auto")] == ["cuda", "cuda:0", "cuda"]
    with pytest.raises(MmsrarecError, match=r'"cuda:1" is not on this machine, there are: cpu, cuda; '):
        check_device("cuda:1")
    cards(monkeypatch, cuda=2)
    assert available_devices() == ["cpu", "cuda", "cuda:0", "cuda:1"]
    assert check_device("cuda:1") == "cuda:1"
    cards(monkeypatch, mps=True)
    assert available_devices() == ["cpu", "mps"]
    assert check_device("auto") == check_device("mps") == "mps"


@pytest.mark.parametrize("reason", ["CUDA error: no kernel image is available", ""])
def test_a_card_that_cannot_be_used_is_one_line(reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def ones(*shape: int, device: str) -> None:
        raise RuntimeError(f"{reason}\nCompile with TORCH_USE_CUDA_DSA" if reason else "")

    cards(monkeypatch, cuda=1)
    monkeypatch.setattr(torch, "ones", ones)
    with pytest.raises(MmsrarecError, match=rf"cannot be used \({reason or 'it computes wrongly'}\).*--device"):
        check_device("cuda")


def test_without_torch_there_is_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert (available_devices(), check_device("cpu"), check_device("auto")) == (["cpu"], "cpu", "cpu")


def test_a_clock_waits_for_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[str] = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: waited.append("cuda"))
    monkeypatch.setattr(torch.mps, "synchronize", lambda: waited.append("mps"))
    for name in ("cpu", "cuda:0", "mps"):
        synchronize(name)
    assert waited == ["cuda", "mps"]
