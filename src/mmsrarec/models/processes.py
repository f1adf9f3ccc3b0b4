"""Several processes that train one model together, each on its share of every batch, as `accelerate launch` and
`torchrun` start them. Alone, which is the rule, everything here does nothing.

They speak by the variables that both set: RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

import torch
from torch import Tensor, distributed

from mmsrarec.core import artefacts
from mmsrarec.data.dataset import IntArray
from mmsrarec.errors import MmsrarecError

PATIENCE = timedelta(days=7)  # the others wait while the first summarizes a catalogue


def count() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    return int(os.environ.get("RANK", "0")) if count() > 1 else 0


def is_first() -> bool:
    """The one that writes and speaks."""
    return rank() == 0


def join(device: str) -> None:
    """Find the others, once. With CUDA each process takes a device of its own."""
    if count() == 1 or distributed.is_initialized():
        return
    cuda = device.startswith("cuda")
    if cuda:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    distributed.init_process_group("nccl" if cuda else "gloo", timeout=PATIENCE)


@contextmanager
def first_alone() -> Iterator[None]:
    """The first process does it, then the others, which find it done. Where the first fails, all of them fail.

    Raises:
        MmsrarecError: in the others, if the first one raised anything.
    """
    if count() == 1:
        yield
    elif is_first():
        try:
            yield
        except BaseException:
            _tell(False)
            raise
        _tell(True)
    else:
        if not _tell(False):
            raise MmsrarecError("the first of the processes failed; what it said tells why")
        yield


@contextmanager
def holding_run(folder: Path, what: str = "working in") -> Iterator[None]:
    """Hold a run's folder for all processes of this training while the block runs (`artefacts.locked`).

    The first one takes the lock; where it is refused, all of them raise. `join` goes before.
    """
    with ExitStack() as held:
        with first_alone():
            if is_first():
                held.enter_context(artefacts.locked(folder, what))
        yield


def _tell(well: bool) -> bool:
    """What the first process says, in each of them."""
    flag = torch.tensor([int(well)], device=_device())
    distributed.broadcast(flag, src=0)
    return bool(flag.item())


def _device() -> torch.device:
    """Where the processes exchange numbers: NCCL knows CUDA alone."""
    cuda = distributed.get_backend() == "nccl"
    return torch.device("cuda", torch.cuda.current_device()) if cuda else torch.device("cpu")


def share(rows: IntArray) -> tuple[IntArray, float]:
    """This process's part of a batch, and its weight in the mean. Where there are fewer rows than processes some
    compute a row for nothing, at weight 0."""
    mine = rows[rank() :: count()]
    return (mine, len(mine) / len(rows)) if len(mine) else (rows[:1], 0.0)


def add_up(tensors: Iterable[Tensor]) -> None:
    """Make each tensor, in place, the sum of what all processes have of it. All of them bring the same ones."""
    if count() > 1:
        for tensor in tensors:
            distributed.all_reduce(tensor)


def add_up_gradients(parameters: Iterable[Tensor]) -> None:
    """Make each gradient, in place, the sum of all processes' gradients.

    A process whose rows never touched a parameter has none for it and brings zeros, for the others wait for its part. A
    gradient that nobody has stays None, so that the optimizer leaves the parameter alone, as it does in one process.
    """
    if count() == 1:
        return
    parameters = list(parameters)
    has = torch.tensor([parameter.grad is not None for parameter in parameters], dtype=torch.int32, device=_device())
    add_up([has])
    for parameter, holders in zip(parameters, has.tolist(), strict=True):
        if holders:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            add_up([parameter.grad])
