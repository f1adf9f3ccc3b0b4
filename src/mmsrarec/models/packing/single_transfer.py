"""Sends all tensors of a batch to a device in one transfer.

A transfer costs an accelerator some ten microseconds, however little it carries, and from ordinary memory the CPU waits
for it. So the bytes of all tensors lie in one buffer, which a GPU copies while it computes, and there they are looked
at as tensors again.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

ALIGNMENT = 16
"""Bytes of which each tensor's place is a multiple, as any number format asks."""


@dataclass(frozen=True, slots=True, eq=False)
class SingleTransfer:
    """Tensors on their way to a device.

    Attributes:
        tensors: The tensors on the CPU; None stands for one that is absent.
        device: Where they go.
        buffer: Their bytes, in memory from which a GPU copies by itself; None where they stay on the CPU.
    """

    tensors: tuple[Tensor | None, ...]
    device: torch.device
    buffer: Tensor | None

    @classmethod
    def of(cls, tensors: Sequence[Tensor | None], device: torch.device) -> "SingleTransfer":
        """Lay tensors out, which may be done ahead.

        Args:
            tensors: On the CPU; None for one that is absent.
            device: Where they go.
        """
        if device.type == "cpu":
            return cls(tuple(tensors), device, None)
        size = sum(_room(tensor) for tensor in tensors if tensor is not None)
        buffer = torch.empty(size, dtype=torch.uint8, pin_memory=device.type == "cuda")
        start = 0
        for tensor in tensors:
            if tensor is not None:
                _seen(buffer, start, tensor).copy_(tensor)
                start += _room(tensor)
        return cls(tuple(tensors), device, buffer)

    def arrived(self) -> tuple[Tensor | None, ...]:
        """The tensors on the device."""
        if self.buffer is None:
            return self.tensors
        there, start, tensors = self.buffer.to(self.device, non_blocking=True), 0, list[Tensor | None]()
        for tensor in self.tensors:
            tensors.append(None if tensor is None else _seen(there, start, tensor))
            start += 0 if tensor is None else _room(tensor)
        return tuple(tensors)


def _room(tensor: Tensor) -> int:
    """Bytes that a tensor takes in a buffer."""
    return math.ceil(tensor.numel() * tensor.element_size() / ALIGNMENT) * ALIGNMENT


def _seen(buffer: Tensor, start: int, like: Tensor) -> Tensor:
    """A part of a buffer, seen as a tensor of that shape and number format."""
    return buffer[start : start + like.numel() * like.element_size()].view(like.dtype).view(like.shape)
