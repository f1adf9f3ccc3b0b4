"""Plans a recipe: what it will cost on the machines that are known, by calculation alone. Nothing is loaded or run."""

from typing import Any

from mmsrarec.models.sizes.model_size import ModelSize, model_size
from mmsrarec.pipeline.cost_plan.data_size import DataSize, data_size
from mmsrarec.pipeline.cost_plan.machines import GIB, Machine, machines
from mmsrarec.pipeline.cost_plan.prompt_tokens import ranking_tokens
from mmsrarec.pipeline.cost_plan.stage_costs import OTHER_SHARE, Stage, stages_of
from mmsrarec.runs.recipe import Recipe

ANSWER = "answer"
"""The stage of one served answer, which is no part of a run."""
NOTES = (
    "Everything here is an estimate by calculation: nothing was loaded or run.",
    "Tokens of prompts are averages of this project's data; other texts and languages are longer or shorter.",
    "Hours count matrix products, and weights read while answers are written. Rendering prompts, reading pictures from "
    "the disk, the classic rankers, reasons and the row mllm-msr are not counted.",
    "A GPU's hours assume a share of its published peak: they are right in their order of size, at best.",
)


def plan_recipe(
    recipe: Recipe,
    items: int | None = None,
    users: int | None = None,
    events: int | None = None,
    text_tokens: float | None = None,
    pictures: int | None = None,
    picture_side: int = 512,
    model: str | None = None,
) -> dict[str, Any]:
    """Plan a recipe.

    Args:
        recipe: The recipe.
        items: In the catalogue; as the data folder says, where it is not given. So are the next ones.
        users: With an interaction.
        events: Interactions.
        text_tokens: Tokens of an item's text.
        pictures: Items with a picture.
        picture_side: Pixels of a picture's side, for models whose grid follows the picture.
        model: Another model than the recipe's: a name, or a folder with a config.json.

    Returns:
        The model, the data, the stages and the machines, as plain values.

    Raises:
        MmsrarecError: The data or the size of the model is not known.
    """
    data = data_size(recipe.data, items, users, events, text_tokens, pictures)
    size = model_size(recipe.model.name if model is None else model, picture_side)
    tokens = ranking_tokens(recipe.recommend)
    return {
        "recipe": recipe.name,
        "model": _model(size, recipe),
        "data": data.__dict__,
        "prompt_tokens": {"shared": round(tokens.shared), "candidate": round(tokens.candidate, 1)},
        "stages": [_stage(stage) for stage in stages_of(recipe, size, data, 2)],
        "machines": [_machine(machine, recipe, size, data) for machine in machines()],
        "notes": [*NOTES, *_notes(recipe, size, data)],
    }


def _model(size: ModelSize, recipe: Recipe) -> dict[str, Any]:
    settings = recipe.recommend
    ranker = size.shortened(settings.layers)
    return {
        "name": size.name,
        "parameters": size.parameters,
        "vision_parameters": size.vision.parameters if size.vision else 0,
        "layers": size.layers,
        "hidden": size.hidden,
        "ranking_layers": ranker.layers,
        "adapter_parameters": ranker.adapter_parameters(settings.rank, settings.first_layer),
    }


def _stage(stage: Stage) -> dict[str, Any]:
    return {
        "stage": stage.name,
        "tokens": round(stage.tokens),
        "flops": float(f"{stage.flops:.4g}"),
        "attention_flops": float(f"{stage.attention_flops:.4g}"),
        "memory": {name: round(value) for name, value in stage.memory.items()},
    }


def _machine(machine: Machine, recipe: Recipe, size: ModelSize, data: DataSize) -> dict[str, Any]:
    """Hours and the peak of memory on a machine; no hours where it does not fit."""
    stages = stages_of(recipe, size, data, machine.number_bytes)
    peaks = {stage.name: sum(stage.memory.values()) for stage in stages}
    seconds = {stage.name: sum(machine.seconds(part, stage.width) for part in stage.works) for stage in stages}
    highest = max(peaks, key=peaks.__getitem__)
    fits = peaks[highest] <= machine.memory
    hours = {name: value / 3600 for name, value in seconds.items() if name != ANSWER}
    return {
        "machine": machine.name,
        "about": machine.about,
        "dtype": machine.dtype,
        "memory_gib": round(machine.memory / GIB, 1),
        "peak_gib": round(peaks[highest] / GIB, 2),
        "peak_stage": highest,
        "fits": fits,
        "hours": {name: float(f"{value:.3g}") for name, value in hours.items()} if fits else None,
        "total_hours": float(f"{sum(hours.values()):.3g}") if fits else None,
        "answer_ms": float(f"{1000 * seconds[ANSWER]:.3g}") if fits else None,
    }


def _notes(recipe: Recipe, size: ModelSize, data: DataSize) -> list[str]:
    """What this plan assumed beyond the rules."""
    notes: list[str] = []
    settings = recipe.recommend
    if settings.first_layer >= size.shortened(settings.layers).layers:
        notes.append("recommend.first_layer is above the last layer: training would refuse this recipe.")
    if settings.layers is not None and settings.layers > size.layers:
        notes.append(f"recommend.layers = {settings.layers} are more than the model's {size.layers}: all are used.")
    if recipe.runtime.compile_layers and recipe.model.quantization is not None:
        notes.append("runtime.compile_layers has no effect: weights of few bits are not compiled.")
    if any(name not in ("leave-one-out", "user-8-1-1") for name in recipe.evaluate.splits):
        notes.append(f"Of splits by time or file, {OTHER_SHARE:.0%} of the users are taken to be tested.")
    if size.vision is None and data.pictures:
        notes.append("The model reads no pictures: they are left out.")
    return notes
