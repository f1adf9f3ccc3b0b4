"""Which devices this machine has, and a check of the one that is asked for before any work. Free of torch until asked.

The rest of the package uses what `check_device` returns, and nothing else, as the name of a device.
"""

import importlib.util
from typing import TYPE_CHECKING

from mmsrarec.errors import MmsrarecError

if TYPE_CHECKING:
    import torch

AUTO = "auto"
"""The fastest device that is there."""
ORDER = ("cuda", "xpu", "mps", "cpu")
"""The kinds that are known, the one that "auto" takes first in front."""


def available_devices() -> list[str]:
    """What may be asked for here, the processor first; each card by its number where there are several."""
    if importlib.util.find_spec("torch") is None:
        return ["cpu"]
    import torch

    found = ["cpu"]
    for kind, part in (("cuda", torch.cuda), ("xpu", getattr(torch, "xpu", None))):
        cards = part.device_count() if part is not None and part.is_available() else 0
        found += [kind] if cards == 1 else [kind, *(f"{kind}:{card}" for card in range(cards))] if cards else []
    return [*found, "mps"] if torch.backends.mps.is_available() else found


def check_device(name: str) -> str:
    """The name as torch takes it, after a first number was put there and read back.

    Args:
        name: "cpu", "cuda", "cuda:1", "mps", "xpu", or "auto" for the fastest of them that is there.

    Raises:
        MmsrarecError: this machine has no such device, or has it and cannot use it.
    """
    name = str(name) if type(name).__module__ == "torch" else name
    if not isinstance(name, str):
        raise MmsrarecError(f'device: {name!a} is no name of a device: give one such as "cpu", "cuda" or "auto"')
    if name == "cpu":
        return name
    there = available_devices()
    if name == AUTO:
        name = next(kind for kind in ORDER if kind in there)
        return name if name == "cpu" else _tried(name, there)
    kind, _, number = name.partition(":")
    if name == "cpu:0":
        return "cpu"
    if name in there or (kind in there and number == "0"):
        return _tried(name, there)
    raise MmsrarecError(
        f'runtime.device "{name}" is not on this machine, there are: {", ".join(there)}; choose one with --device'
    )


def _tried(name: str, there: list[str]) -> str:
    """A card may be named by its driver and still be too old, taken by somebody, or without memory."""
    import torch

    try:
        assert (torch.ones(2, device=name) + 1).sum().item() == 4
    except (RuntimeError, AssertionError) as error:
        reason = (str(error).splitlines() or ["it computes wrongly"])[0].rstrip(".")
        raise MmsrarecError(
            f'runtime.device "{name}" is on this machine and cannot be used ({reason}); there are: '
            f"{', '.join(there)}; choose another with --device"
        ) from error
    return name


def synchronize(device: "torch.device | str") -> None:
    """Wait until the device has done what it was told, so that a clock can be read. A processor never lags."""
    import torch

    kind = torch.device(device).type
    if kind != "cpu":
        getattr(torch, kind).synchronize()
