"""The demo: a catalogue is drawn, a recipe is run on it, and how long that will take here is said before."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from mmsrarec.core.artefacts import is_whole
from mmsrarec.core.progress import Progress
from mmsrarec.data.folder import is_data_folder
from mmsrarec.data.synthetic.catalogue import draw_catalogue
from mmsrarec.models.backbone.dtype import pick_dtype
from mmsrarec.models.backbone.settings import ModelSettings
from mmsrarec.pipeline.run import run
from mmsrarec.runs.recipe import load_recipe

LINE_SECONDS = 4.0
"""Something is shown at least about so often."""
CALIBRATION_SECONDS = 1.0
TOKENS, WIDTH_IN, WIDTH_OUT = 512, 576, 1536
"""Sizes of the product that is timed: a linear map of the embedded model over a prompt."""


@dataclass(frozen=True)
class Size:
    """A demo.

    Attributes:
        recipe: The shipped recipe, which is also the name of the folders.
        items: Of the catalogue.
        shoppers: Of the catalogue.
        gflop: What the work costs, in products like the one that is timed: seconds that it took, times the GFLOP/s that
            `speed` measured then.
    """

    recipe: str
    items: int
    shoppers: int
    gflop: float


QUICK = Size("demo", 120, 240, 20_000)
FULL = Size("sample", 300, 800, 120_000)


def demo(size: Size, out: Path, data: Path, say: Progress, overrides: list[str] | None = None) -> dict[str, Any]:
    """Draw the catalogue of a demo where it is not there yet, and run its recipe.

    Args:
        size: Which demo.
        out: The run's folder.
        data: The data folder.
        say: Is told how far it is.
        overrides: As of `load_recipe`.

    Returns:
        What `pipeline.run.run` returns.
    """
    recipe = load_recipe(size.recipe, [f"data={json.dumps(str(data))}", *(overrides or [])])
    with say.heartbeat(LINE_SECONDS):
        drawn_before = is_data_folder(data)
        say(f"{size.items} products, {size.shoppers} shoppers: {'drawn' if drawn_before else 'drawing'} in {data}")
        if not drawn_before:
            draw_catalogue(data, recipe.seed, size.items, size.shoppers)
        goes_on = is_whole(out / "pictures")
        say(duration_text(size.gflop / speed(recipe.model, recipe.runtime.device), goes_on))
        return run(recipe, out, None, say)


def duration_text(seconds: float, goes_on: bool) -> str:
    """How long the work will take, in words.

    Args:
        seconds: As it was reckoned.
        goes_on: Whether some of the work is done already.
    """
    long = f"{max(round(seconds / 10), 1) * 10} seconds" if seconds < 90 else f"{seconds / 60:.0f} minutes"
    bound = "at most " if goes_on else ""
    return f"this takes {bound}about {long} here, by a measurement of this machine as busy as it is"


def speed(model: ModelSettings, device: str) -> float:
    """GFLOP/s of a linear map of the embedded model here and now, whatever else the machine does meanwhile."""
    dtype = pick_dtype(model, device)
    generator = torch.Generator().manual_seed(0)
    inputs, weight = (torch.randn(shape, generator=generator).to(device, dtype) for shape in _shapes())
    turns, started, seconds = 0, time.perf_counter(), 0.0
    with torch.inference_mode():
        while seconds < CALIBRATION_SECONDS:
            float((inputs @ weight).sum())  # a device that works on its own is waited for
            turns, seconds = turns + 1, time.perf_counter() - started
    return 2e-9 * TOKENS * WIDTH_IN * WIDTH_OUT * turns / seconds


def _shapes() -> tuple[tuple[int, int], tuple[int, int]]:
    return (TOKENS, WIDTH_IN), (WIDTH_IN, WIDTH_OUT)
