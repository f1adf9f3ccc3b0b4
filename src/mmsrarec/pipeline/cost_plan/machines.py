"""The machines that a plan knows, and how long work takes on them."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmsrarec.pipeline.cost_plan.work import Work

MACHINES = Path(__file__).with_name("machines.toml")
SHARE, SMALL_SHARE, SMALL_WIDTH = 0.3, 0.04, 1024
"""The share of a GPU's peak that is assumed, and that of a model narrower than SMALL_WIDTH."""
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
        forward: Operations a second in a forward pass of a wide model.
        training: The same in training.
        small_share: What a narrow model has of these rates.
        bandwidth: Bytes of weights a second while text is written.
    """

    name: str
    about: str
    dtype: str
    memory: float
    forward: float
    training: float
    small_share: float
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
        rate = (self.training if work.trains else self.forward) * (self.small_share if hidden < SMALL_WIDTH else 1.0)
        computing = (work.flops + work.attention_flops) / rate
        return max(computing, work.reads * self.number_bytes / self.bandwidth)


def machines() -> tuple[Machine, ...]:
    """All machines."""
    return tuple(_machine(name, entry) for name, entry in tomllib.loads(MACHINES.read_text(encoding="utf-8")).items())


def _machine(name: str, entry: dict[str, Any]) -> Machine:
    common = {"name": name, "about": entry["about"], "dtype": entry["dtype"], "memory": entry["memory_gib"] * GIB}
    if "peak" not in entry:  # measured, with a narrow model
        return Machine(
            **common,
            forward=entry["forward"],
            training=entry["training"],
            small_share=1.0,
            bandwidth=entry["bandwidth"],
        )
    about = f"{entry['about']}; {SHARE:.0%} of it assumed, {SMALL_SHARE:.0%} for a model under {SMALL_WIDTH} wide"
    rate = entry["peak"] * SHARE
    return Machine(
        **{**common, "about": about},
        forward=rate,
        training=rate,
        small_share=SMALL_SHARE / SHARE,
        bandwidth=entry["bandwidth"] * READ_SHARE,
    )
