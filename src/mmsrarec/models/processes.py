"""Several processes that train one model together, each on its share of every batch, as `accelerate launch` and
`torchrun` start them. Alone, which is the rule, everything here does nothing.

They speak by the variables that both set: RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
from torch import Tensor, distributed

from mmsrarec.data.dataset import IntArray

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
    """The first process does it, then the others, which find it done."""
    if count() > 1 and not is_first():
        distributed.barrier()
    yield
    if count() > 1 and is_first():
        distributed.barrier()


def share(rows: IntArray) -> tuple[IntArray, float]:
    """This process's part of a batch, and its weight in the mean. Where there are fewer rows than processes some
    compute a row for nothing, at weight 0."""
    mine = rows[rank() :: count()]
    return (mine, len(mine) / len(rows)) if len(mine) else (rows[:1], 0.0)


def add_up(tensors: Iterable[Tensor]) -> None:
    """Make each tensor, in place, the sum of what all processes have of it."""
    if count() > 1:
        for tensor in tensors:
            distributed.all_reduce(tensor)
