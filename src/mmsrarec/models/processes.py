"""Lets several processes train one model, each on its share of every batch; in a single process it does nothing.

`accelerate launch` and `torchrun` start such processes and set the variables that are read here: RANK, WORLD_SIZE,
LOCAL_RANK, MASTER_ADDR and MASTER_PORT.
"""

import atexit
import os
from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, distributed

from mmsrarec.core import artefacts
from mmsrarec.data.dataset import IntArray
from mmsrarec.errors import MmsrarecError
from mmsrarec.models.untyped import broadcast_values, gather_values, sum_in_place, to_list

T = TypeVar("T")

MAX_WAIT = timedelta(days=7)
"""How long the other processes wait for the first one, which may summarize a whole catalogue."""


def count() -> int:
    """The number of processes."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """The number of this process, from 0."""
    return int(os.environ.get("RANK", "0")) if count() > 1 else 0


def is_first() -> bool:
    """Whether this is the process that writes files and messages."""
    return rank() == 0


def join(device: str) -> None:
    """Connect to the other processes; a second call does nothing.

    Args:
        device: The device of the training. With CUDA each process takes another one.
    """
    if count() == 1 or distributed.is_initialized():
        return
    cuda = device.startswith("cuda")
    if cuda:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    distributed.init_process_group("nccl" if cuda else "gloo", timeout=MAX_WAIT)
    atexit.register(_leave)


def _leave() -> None:
    """Take leave of the other processes: a thread that still listens to them would abort the end of this one."""
    if distributed.is_initialized():
        distributed.destroy_process_group()


@contextmanager
def first_alone() -> Generator[None]:
    """Run a block in the first process, and then in the others, which find its work done.

    Raises:
        MmsrarecError: In the other processes, if the first one raised an error.
    """
    if count() == 1:
        yield
    elif is_first():
        try:
            yield
        except BaseException:
            _broadcast(False)
            raise
        _broadcast(True)
    else:
        if not _broadcast(False):
            raise MmsrarecError("the first of the processes failed; what it said tells why")
        yield


def from_first(make: Callable[[], T]) -> T:
    """A value that the first process makes, in all processes.

    Args:
        make: Makes the value, which can be pickled.

    Raises:
        MmsrarecError: In the other processes, if the first one raised an error.
    """
    if count() == 1:
        return make()
    values: list[Any] = [None]
    with first_alone():
        if is_first():
            values[0] = make()
    broadcast_values(values)
    return values[0]


def gather(value: T) -> list[T]:
    """The values of all processes, in the order of their numbers, in each of them."""
    return [value] if count() == 1 else gather_values(value, count())


def wait() -> None:
    """Wait until all processes are here."""
    if count() > 1:
        cast(Any, distributed).barrier()  # its type is incomplete


def divide(total: int, what: str) -> int:
    """A process's part of a step that is shared evenly.

    Args:
        total: Of the step.
        what: Names what is shared.

    Raises:
        MmsrarecError: The processes cannot have equal parts.
    """
    if total % count():
        raise MmsrarecError(f"{count()} processes cannot share {total} {what} evenly: start a number that divides them")
    return total // count()


@contextmanager
def holding_run(folder: Path, what: str = "working in") -> Generator[None]:
    """Hold a run's folder for all processes of this training while the block runs; call `join` first.

    Args:
        folder: The folder of the run.
        what: What the processes do with it (see `artefacts.locked`).

    Raises:
        MmsrarecError: The first process cannot get the lock; all processes raise it.
    """
    with ExitStack() as locks:
        with first_alone():
            if is_first():
                locks.enter_context(artefacts.locked(folder, what))
        yield


def _broadcast(success: bool) -> bool:
    """The value of the first process, in all processes."""
    flag = torch.tensor([int(success)], device=_device())
    distributed.broadcast(flag, src=0)
    return bool(flag.item())


def _device() -> torch.device:
    """The device on which the processes exchange numbers: NCCL supports only CUDA."""
    cuda = distributed.get_backend() == "nccl"
    return torch.device("cuda", torch.cuda.current_device()) if cuda else torch.device("cpu")


def batch_share(rows: IntArray) -> tuple[IntArray, float]:
    """This process's share of a batch.

    Args:
        rows: The rows of the batch.

    Returns:
        The rows of this process, and their weight in the mean. Where there are more processes than rows, some get
        the first row with weight 0.
    """
    own_rows = rows[rank() :: count()]
    return (own_rows, len(own_rows) / len(rows)) if len(own_rows) else (rows[:1], 0.0)


def sum_tensors(tensors: Iterable[Tensor]) -> None:
    """Make each tensor, in place, its sum over all processes, which must pass the same tensors in the same order."""
    if count() > 1:
        for tensor in tensors:
            sum_in_place(tensor)


def sum_gradients(parameters: Iterable[Tensor]) -> None:
    """Make the gradient of each parameter, in place, its sum over all processes.

    A process whose rows do not use a parameter has no gradient and adds zeros. A gradient that no process has stays
    None, so that the optimizer leaves the parameter alone, as in a single process.
    """
    if count() == 1:
        return
    parameters = list(parameters)
    n_gradients = torch.tensor(
        [parameter.grad is not None for parameter in parameters], dtype=torch.int32, device=_device()
    )
    sum_tensors([n_gradients])
    for parameter, n_processes in zip(parameters, to_list(n_gradients), strict=True):
        if n_processes:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            sum_tensors([parameter.grad])
