"""Typed forms of the functions of torch and safetensors that these libraries leave without types.

Each function does what its namesake does. The casts stand here, so that the rest of the package is checked strictly.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol, cast

import safetensors
import safetensors.torch
import torch
from torch import Tensor, distributed
from torch.utils import checkpoint


class TensorFile(Protocol):
    """An open file of tensors."""

    def get_tensor(self, name: str) -> Tensor:
        """The tensor of that name."""
        ...

    def metadata(self) -> Mapping[str, str] | None:
        """The texts that were saved with the tensors."""
        ...


def to_list(tensor: Tensor) -> list[Any]:
    """`Tensor.tolist` of a tensor with at least one dimension: Python numbers, nested as the dimensions."""
    return cast(Any, tensor).tolist()


def split_columns(tensor: Tensor, sizes: Sequence[int]) -> tuple[Tensor, ...]:
    """`Tensor.split` of the second dimension: parts with so many columns each."""
    return cast(Any, tensor).split(list(sizes), dim=1)


def repeat_rows(tensor: Tensor, times: int) -> Tensor:
    """`Tensor.repeat_interleave` of the first dimension: every row that many times, one after the other."""
    return cast(Any, tensor).repeat_interleave(times, 0)


def backward(loss: Tensor) -> None:
    """`Tensor.backward`: add the gradients of a () loss to its parameters."""
    cast(Any, loss).backward()


def checkpointed(function: Callable[..., Tensor], *arguments: Any) -> Tensor:
    """`torch.utils.checkpoint.checkpoint`: the function's value; the backward pass computes it once more."""
    return cast(Any, checkpoint).checkpoint(function, *arguments, use_reentrant=False)


def optimizer_step(optimizer: torch.optim.Optimizer) -> None:
    """`Optimizer.step`: update the parameters once."""
    cast(Any, optimizer).step()


def set_seed(seed: int) -> None:
    """`torch.manual_seed`: set the global random state of torch."""
    cast(Any, torch).manual_seed(seed)


def saved_random_state() -> AbstractContextManager[None]:
    """`torch.random.fork_rng`: the global random state is the same after the block as before."""
    return cast(Any, torch.random).fork_rng()


def sum_in_place(tensor: Tensor) -> None:
    """`distributed.all_reduce`: make the tensor the sum over all processes."""
    cast(Any, distributed).all_reduce(tensor)


def broadcast_values(values: list[Any]) -> None:
    """`distributed.broadcast_object_list`: put the first process's values into the lists of all processes."""
    cast(Any, distributed).broadcast_object_list(values, src=0)


def gather_values(value: Any, n_processes: int) -> list[Any]:
    """`distributed.all_gather_object`: the values of all processes."""
    values: list[Any] = [None] * n_processes
    cast(Any, distributed).all_gather_object(values, value)
    return values


def load_tensors(file: Path) -> dict[str, Tensor]:
    """`safetensors.torch.load_file`: all tensors of a file by name, on the CPU."""
    return cast(Any, safetensors.torch).load_file(file)


def save_tensors(tensors: Mapping[str, Tensor], file: Path, metadata: Mapping[str, str] | None = None) -> None:
    """`safetensors.torch.save_file`: write tensors and texts by name."""
    cast(Any, safetensors.torch).save_file(dict(tensors), file, metadata=None if metadata is None else dict(metadata))


def tensors_from_bytes(data: bytes) -> dict[str, Tensor]:
    """`safetensors.torch.load`: all tensors of a file's content by name, on the CPU."""
    return cast(Any, safetensors.torch).load(data)


def tensors_to_bytes(tensors: Mapping[str, Tensor]) -> bytes:
    """`safetensors.torch.save`: the content of a file of tensors."""
    return cast(Any, safetensors.torch).save(dict(tensors))


def open_tensors(file: Path) -> AbstractContextManager[TensorFile]:
    """`safetensors.safe_open`: read a file tensor by tensor."""
    return cast(Any, safetensors).safe_open(file, framework="pt")


def named_modules(model: torch.nn.Module) -> Iterable[tuple[str, torch.nn.Module]]:
    """`Module.named_modules`: every module below a model, itself included, with its path."""
    return cast(Any, model).named_modules()
