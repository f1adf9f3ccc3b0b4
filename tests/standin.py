"""A device that stands in for an accelerator: it computes on the CPU, and refuses what an accelerator refuses.

Its name is torch's own "meta", which nothing else in a test uses. Tensors of two devices never meet, but for single
numbers and indices; nothing is float64 there, as on Apple's GPU; and what is on it reaches numpy through the CPU only.
Where the environment names a real device, tests get that one instead (scripts/gpu_check.py).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

DEVICE_VARIABLE = "MMSRAREC_TEST_DEVICE"
REAL = os.environ.get(DEVICE_VARIABLE)
DEVICE = "meta"
CPU = torch.device("cpu")
INDEXING = ("index", "index_put", "copy_")
"""What may be told by tensors of the CPU: indices, and what is copied over."""


class There(Tensor):
    """A tensor on the device."""

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> "There":
        if inner.dtype == torch.float64:
            raise TypeError("the device knows no float64")
        shape = {"strides": inner.stride(), "storage_offset": inner.storage_offset()}
        kind = {"dtype": inner.dtype, "device": DEVICE, "requires_grad": inner.requires_grad}
        return Tensor._make_wrapper_subclass(cls, inner.size(), **shape, **kind)  # pyright: ignore

    def __init__(self, inner: Tensor) -> None:
        self.inner = inner.detach()

    def __repr__(self, **_: object) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]
        return f"There({self.inner!r})"

    def tolist(self) -> list:
        return self.inner.tolist()

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})


def _asked(args, kwargs) -> torch.device | None:
    """The device that a call names, by whatever argument."""
    return next((leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.device)), None)


def _run(func, args, kwargs):
    """Compute on the CPU; what comes out is where the inputs were, or where it was asked to be."""
    leaves = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    there = [leaf for leaf in leaves if isinstance(leaf, There)]
    here = [leaf for leaf in leaves if not isinstance(leaf, There) and leaf.dim()]
    name = func.overloadpacket.__name__
    assert not any(leaf.device.type == DEVICE for leaf in here), "made behind the back of the stand-in"
    if there and here and name not in INDEXING:
        raise RuntimeError(f"{name}: expected all tensors to be on the same device")
    asked = _asked(args, kwargs)
    on_device = bool(there) if asked is None else asked.type == DEVICE
    if name == "copy_":
        on_device = isinstance(args[0], There)
    wrapped: dict[int, There] = {id(one.inner): one for one in there}

    def inner(leaf):
        return CPU if isinstance(leaf, torch.device) else leaf.inner if isinstance(leaf, There) else leaf

    inside = tree_map(inner, (args, kwargs))
    found = func(*inside[0], **inside[1])
    if not on_device:
        return found

    def sent(out):
        if not isinstance(out, Tensor):
            return out
        return wrapped[id(out)] if id(out) in wrapped else There(out)

    return tree_map(sent, found)


class Transfers(TorchDispatchMode):
    """Counts what is sent from the CPU to the device while it holds; single numbers do not count.

    sent: the shape of each.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[int, ...]] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        if name in ("to", "_to_copy", "copy_"):  # in inference mode it is not taken apart
            source = args[1] if name == "copy_" else args[0]
            target = args[0].device if name == "copy_" else _asked(args, kwargs or {})
            if target is not None and target.type != "cpu" and source.device.type == "cpu" and source.dim():
                self.sent.append(tuple(source.shape))
        return func(*args, **(kwargs or {}))


class _Factories(TorchDispatchMode):
    """Tensors that are made on the device, or sent there."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        asked = _asked(args, kwargs or {})
        if asked is not None and asked.type == DEVICE:
            return _run(func, args, kwargs or {})
        return func(*args, **(kwargs or {}))


class _Literals(TorchFunctionMode):
    """torch.tensor makes a tensor on the device without asking anybody."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        device = kwargs.pop("device", None) if func is torch.tensor else None
        if func is torch.tensor:  # a list may hold single numbers of the device
            args = tree_map(lambda leaf: leaf.inner if isinstance(leaf, There) else leaf, args)
        found = func(*args, **kwargs)
        return found if device is None else found.to(device)


@contextmanager
def standin() -> Iterator[str]:
    """While this holds, the device is there."""
    if REAL:
        yield REAL
        return
    with _Factories(), _Literals():
        yield DEVICE
