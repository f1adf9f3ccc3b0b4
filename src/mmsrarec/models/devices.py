"""Lists the devices of this machine and checks the chosen one before any work. torch is imported only when needed.

The rest of the package uses only the result of `check_device` as the name of a device.
"""

import importlib.util
from typing import TYPE_CHECKING

from mmsrarec.errors import MmsrarecError

if TYPE_CHECKING:
    import torch

AUTO = "auto"
"""The name that stands for the fastest device of the machine."""
DEVICE_KINDS = ("cuda", "xpu", "mps", "cpu")
"""The kinds of devices, in the order in which "auto" prefers them."""


def available_devices() -> list[str]:
    """The names of this machine's devices, the processor first; several cards also have names with their numbers."""
    if importlib.util.find_spec("torch") is None:
        return ["cpu"]
    import torch

    names = ["cpu"]
    for kind, part in (("cuda", torch.cuda), ("xpu", getattr(torch, "xpu", None))):
        cards = part.device_count() if part is not None and part.is_available() else 0
        names += [kind] if cards == 1 else [kind, *(f"{kind}:{card}" for card in range(cards))] if cards else []
    return [*names, "mps"] if torch.backends.mps.is_available() else names


def check_device(name: "str | torch.device") -> str:
    """Check a device by a small computation on it.

    Args:
        name: "cpu", "cuda", "cuda:1", "mps", "xpu", "auto" for the fastest one of this machine, or a torch device.

    Returns:
        The name as torch takes it.

    Raises:
        MmsrarecError: The machine has no such device, or cannot use it.
    """
    name = str(name) if type(name).__module__ == "torch" else name
    if not isinstance(name, str):
        raise MmsrarecError(f'device: {name!a} is no name of a device: give one such as "cpu", "cuda" or "auto"')
    if name == "cpu":
        return name
    available = available_devices()
    if name == AUTO:
        name = next(kind for kind in DEVICE_KINDS if kind in available)
        return name if name == "cpu" else _usable(name, available)
    kind, _, number = name.partition(":")
    if name == "cpu:0":
        return "cpu"
    if name in available or (kind in available and number == "0"):
        return _usable(name, available)
    raise MmsrarecError(
        f'runtime.device "{name}" is not on this machine, there are: {", ".join(available)}; choose one with --device'
    )


def _usable(name: str, available: list[str]) -> str:
    """The name, after a computation on the device: a card may be too old, in use, or without free memory."""
    import torch

    try:
        assert (torch.ones(2, device=name) + 1).sum().item() == 4
    except (RuntimeError, AssertionError) as error:
        reason = (str(error).splitlines() or ["it computes wrongly"])[0].rstrip(".")
        raise MmsrarecError(
            f'runtime.device "{name}" is on this machine and cannot be used ({reason}); there are: '
            f"{', '.join(available)}; choose another with --device"
        ) from error
    return name


def synchronize(device: "torch.device | str") -> None:
    """Wait until a device has finished its work, so that a clock can be read; a processor has always finished."""
    import torch

    kind = torch.device(device).type
    if kind != "cpu":
        getattr(torch, kind).synchronize()
