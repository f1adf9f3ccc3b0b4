"""Which number format a model computes in: bfloat16 where a short measurement finds it clearly faster, else float32.

The format is part of a model's fingerprint, so the choice must not change from run to run: it is measured once for a
processor and a version of torch, and then kept in the cache folder. Best of several turns, so that a busy machine slows
both formats alike, and the margin lies between processors that have bfloat16 (1.7 times as fast and more) and those
that imitate it (slower than float32).
"""

import json
import platform
import time
from functools import cache

import torch
from torch.nn import functional as F

from mmsrarec.core.artefacts import atomic_write
from mmsrarec.core.cache import cache_to_write, kept
from mmsrarec.core.terminal import remark
from mmsrarec.errors import MmsrarecError
from mmsrarec.models.backbone.settings import ModelSettings
from mmsrarec.models.devices import synchronize

MARGIN = 1.2
"""bfloat16 is chosen if it is so many times as fast."""
TOKENS, WIDTH_IN, WIDTH_OUT = 128, 576, 1536  # a map of the embedded MLP, too short to be interrupted often
FILE = "precision.json"
TURNS, SECONDS = 32, 0.5  # of measuring, at most

Rates = dict[str, float]


def pick_dtype(settings: ModelSettings, device: str = "cpu") -> torch.dtype:
    """The format asked for, or the faster one on that device."""
    name = choice(device)["choice"] if settings.dtype == "auto" else settings.dtype
    return getattr(torch, name)


@cache
def choice(device: str = "cpu") -> dict:
    """{"float32", "bfloat16": GFLOP/s, "choice"}, as measured when this machine was first asked."""
    name = processor() if device.startswith("cpu") else f"{device} of {processor()}"
    if device.startswith("cuda"):
        name = torch.cuda.get_device_name(device)
    key = f"{name}, torch {torch.__version__}"
    known = _known()
    if key not in known:
        rates = measure(device)
        known[key] = {**rates, "choice": faster(rates)}
        _keep(known)
    return known[key]


def faster(rates: Rates) -> str:
    return "bfloat16" if rates["bfloat16"] >= MARGIN * rates["float32"] else "float32"


def measure(device: str) -> Rates:
    """GFLOP/s of a linear map in both formats, which take turns; the best of each counts."""
    best: Rates = {"float32": float("inf"), "bfloat16": float("inf")}
    parts = {name: _maps(getattr(torch, name), device) for name in best}
    started = time.perf_counter()
    for turn in range(TURNS):
        for name, (inputs, weight) in parts.items():
            best[name] = min(best[name], _seconds(inputs, weight))
        if turn and time.perf_counter() - started > SECONDS:
            break
    return {name: round(2e-9 * TOKENS * WIDTH_IN * WIDTH_OUT / seconds, 1) for name, seconds in best.items()}


def _maps(dtype: torch.dtype, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    shapes = ((TOKENS, WIDTH_IN), (WIDTH_OUT, WIDTH_IN))
    inputs, weight = (torch.randn(shape, generator=draw).to(device, dtype) for shape in shapes)
    return inputs, weight


@torch.inference_mode()
def _seconds(inputs: torch.Tensor, weight: torch.Tensor) -> float:
    synchronize(inputs.device)
    started = time.perf_counter()
    F.linear(inputs, weight)
    synchronize(inputs.device)
    return time.perf_counter() - started


def processor() -> str:
    """What torch knows of it that decides which format is fast."""
    formats = {"avx512_bf16": torch.cpu._is_avx512_bf16_supported(), "amx": torch.cpu._is_amx_tile_supported()}
    known = (name for name, has in formats.items() if has)
    return " ".join((platform.machine(), torch.backends.cpu.get_cpu_capability(), *known))


def _known() -> dict[str, dict]:
    file = kept(FILE)
    try:
        known = json.loads(file.read_text(encoding="utf-8")) if file else {}
    except (OSError, ValueError):
        known = {}
    return known if isinstance(known, dict) else {}


def _keep(known: dict[str, dict]) -> None:
    """For the next process. Where nothing can be written it measures again, and may choose otherwise."""
    try:
        atomic_write(cache_to_write() / FILE, json.dumps(known, indent=1).encode())
    except (OSError, MmsrarecError) as error:
        remark(
            f"which number format is fast here cannot be kept ({error}), and may be chosen otherwise next time: "
            "name one by model.dtype"
        )
