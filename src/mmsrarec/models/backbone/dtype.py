"""Chooses the number format of a model: bfloat16 where a short measurement finds it clearly faster, else float32.

The format is part of a model's fingerprint, so the choice must be the same in every run: it is measured once for a
processor and a version of torch, and then read from the cache folder. The best of several turns counts, so that a busy
machine slows both formats alike. The margin lies between processors with bfloat16 (at least 1.7 times as fast) and
processors that emulate it (slower than float32).
"""

import json
import platform
import time
from functools import cache
from typing import Any, TypedDict, cast

import torch
from torch.nn import functional as F

from mmsrarec.core.artefacts import atomic_write
from mmsrarec.core.cache import cache_to_write, find_cached
from mmsrarec.core.terminal import remark
from mmsrarec.errors import MmsrarecError
from mmsrarec.models.backbone.settings import ModelSettings
from mmsrarec.models.devices import synchronize

MIN_SPEEDUP = 1.2
"""bfloat16 is chosen if it is at least this many times as fast as float32."""
TOKENS, WIDTH_IN, WIDTH_OUT = 128, 576, 1536
"""Sizes of the measured product: a linear map of the embedded model, too short to be interrupted often."""
FILE = "precision.json"
"""The file in the cache folder that holds the choices."""
MAX_TURNS, MAX_SECONDS = 32, 0.5
"""When a measurement ends."""

Rates = dict[str, float]
"""Format -> GFLOP/s."""


class DtypeChoice(TypedDict):
    """A measurement and its result.

    Attributes:
        float32: GFLOP/s in float32.
        bfloat16: GFLOP/s in bfloat16.
        choice: The name of the chosen format.
    """

    float32: float
    bfloat16: float
    choice: str


def pick_dtype(settings: ModelSettings, device: str = "cpu") -> torch.dtype:
    """The number format in the settings, or with "auto" the faster one on that device."""
    name = choice(device)["choice"] if settings.dtype == "auto" else settings.dtype
    return getattr(torch, name)


@cache
def choice(device: str = "cpu") -> DtypeChoice:
    """The choice for a device, as it was measured when this machine first needed it."""
    name = processor() if device.startswith("cpu") else f"{device} of {processor()}"
    if device.startswith("cuda"):
        name = torch.cuda.get_device_name(device)
    key = f"{name}, torch {torch.__version__}"
    choices = _saved_choices()
    if key not in choices:
        rates = measure(device)
        choices[key] = {"float32": rates["float32"], "bfloat16": rates["bfloat16"], "choice": faster(rates)}
        _save(choices)
    return choices[key]


def faster(rates: Rates) -> str:
    """The name of the format to choose at these rates."""
    return "bfloat16" if rates["bfloat16"] >= MIN_SPEEDUP * rates["float32"] else "float32"


def measure(device: str) -> Rates:
    """Measure a linear map in both formats, in turns; the best turn of each counts.

    Args:
        device: A torch device.

    Returns:
        GFLOP/s of float32 and of bfloat16.
    """
    best: Rates = {"float32": float("inf"), "bfloat16": float("inf")}
    operands = {name: _operands(getattr(torch, name), device) for name in best}
    start = time.perf_counter()
    for turn in range(MAX_TURNS):
        for name, (inputs, weight) in operands.items():
            best[name] = min(best[name], _seconds(inputs, weight))
        if turn and time.perf_counter() - start > MAX_SECONDS:
            break
    return {name: round(2e-9 * TOKENS * WIDTH_IN * WIDTH_OUT / seconds, 1) for name, seconds in best.items()}


def _operands(dtype: torch.dtype, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Random inputs and weights of the measured product."""
    generator = torch.Generator().manual_seed(0)
    shapes = ((TOKENS, WIDTH_IN), (WIDTH_OUT, WIDTH_IN))
    inputs, weight = (torch.randn(shape, generator=generator).to(device, dtype) for shape in shapes)
    return inputs, weight


@torch.inference_mode()
def _seconds(inputs: torch.Tensor, weight: torch.Tensor) -> float:
    """Seconds of one product."""
    synchronize(inputs.device)
    start = time.perf_counter()
    F.linear(inputs, weight)
    synchronize(inputs.device)
    return time.perf_counter() - start


def processor() -> str:
    """A name of the processor that holds everything that decides which format is fast."""
    cpu = cast(Any, torch.cpu)  # torch offers these two checks under private names only
    features = {"avx512_bf16": cpu._is_avx512_bf16_supported(), "amx": cpu._is_amx_tile_supported()}
    supported = (name for name, present in features.items() if present)
    return " ".join((platform.machine(), torch.backends.cpu.get_cpu_capability(), *supported))


def _saved_choices() -> dict[str, DtypeChoice]:
    """Processor and version of torch -> choice, from the cache folder."""
    file = find_cached(FILE)
    try:
        choices: object = json.loads(file.read_text(encoding="utf-8")) if file else {}
    except (OSError, ValueError):
        choices = {}
    return cast(dict[str, DtypeChoice], choices) if isinstance(choices, dict) else {}


def _save(choices: dict[str, DtypeChoice]) -> None:
    """Save the choices for the next process, which otherwise measures again and may choose another format."""
    try:
        atomic_write(cache_to_write() / FILE, json.dumps(choices, indent=1).encode())
    except (OSError, MmsrarecError) as error:
        remark(
            f"which number format is fast here cannot be kept ({error}), and may be chosen otherwise next time: "
            "name one by model.dtype"
        )
