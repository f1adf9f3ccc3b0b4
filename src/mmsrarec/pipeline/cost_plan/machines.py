"""The machines that a plan knows, and how long work takes on them."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmsrarec.pipeline.cost_plan.work import Work

MACHINES = Path(__file__).with_name("machines.toml")
SHARE, WIDE = 0.3, 2048
"""The share of a GPU's peak that is assumed for a model at least so wide."""
SMALL_SHARE, NARROW = 0.04, 576
"""The share that the embedded model had in one run, and its width; in between shares lie on a line."""
READ_SHARE = 0.5
"""The share of a GPU's memory bandwidth that writing is assumed to have."""
NUMBER_BYTES = {"bfloat16": 2, "float32": 4}
GIB = 2**30


@dataclass(frozen=True)
class Machine:
    """A machine.

    Attributes:
        name: Its short name.
        about: What it is, and where its rates are from.
        dtype: The number format that the model has on it.
        memory: Bytes.
        forward: Operations a second in a forward pass.
        training: The same in training.
        measured: Whether the rates were measured; else they are a GPU's published peak.
        bandwidth: Bytes of weights a second while text is written.
    """

    name: str
    about: str
    dtype: str
    memory: float
    forward: float
    training: float
    measured: bool
    bandwidth: float

    @property
    def number_bytes(self) -> int:
        """Bytes of a number of the model."""
        return NUMBER_BYTES[self.dtype]

    def seconds(self, work: Work, hidden: int) -> float:
        """How long work takes, without what stands between the products.

        Args:
            work: The work.
            hidden: Width of the model.
        """
        rate = (self.training if work.trains else self.forward) * (1.0 if self.measured else assumed_share(hidden))
        computing = (work.flops + work.attention_flops) / rate
        return max(computing, work.reads * self.number_bytes / self.bandwidth)


def machines() -> tuple[Machine, ...]:
    """All machines."""
    return tuple(_machine(name, entry) for name, entry in tomllib.loads(MACHINES.read_text(encoding="utf-8")).items())


def _machine(name: str, entry: dict[str, Any]) -> Machine:
    about, dtype, memory = entry["about"], entry["dtype"], entry["memory_gib"] * GIB
    if "peak" not in entry:
        return Machine(name, about, dtype, memory, entry["forward"], entry["training"], True, entry["bandwidth"])
    about = f"{about}; {SMALL_SHARE:.0%} to {SHARE:.0%} of it assumed, by the width of the model"
    return Machine(name, about, dtype, memory, entry["peak"], entry["peak"], False, entry["bandwidth"] * READ_SHARE)


def assumed_share(hidden: int) -> float:
    """The share of a GPU's peak that a model is taken to have.

    Args:
        hidden: Its width.
    """
    place = min(max((hidden - NARROW) / (WIDE - NARROW), 0.0), 1.0)
    return SMALL_SHARE + place * (SHARE - SMALL_SHARE)
