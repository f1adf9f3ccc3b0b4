"""Verbs that make a run: choose and do everything in a given time, or do the stages of a recipe."""

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from mmsrarec.cli.app import verb
from mmsrarec.cli.formats.plan_format import plan_text
from mmsrarec.cli.formats.text_format import fit_text
from mmsrarec.cli.options import Data, Device, Engine, Out, Overrides, RecipeFile, RunFolder, read_shard
from mmsrarec.core.progress import Progress


@verb("fit", people=fit_text)
def fit(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="A data folder.")],
    out: Annotated[Path, typer.Option(help="The run's folder.")],
    minutes: Annotated[float, typer.Option(min=0.5, help="How long it may take, about.")] = 30,
    seed: Annotated[int, typer.Option(min=0, help="Every random draw follows from it.")] = 0,
    device: Annotated[
        str, typer.Option(help="A device: cpu, cuda, cuda:1, mps, or auto for the fastest that is there.")
    ] = "auto",
    model: Annotated[str, typer.Option(help="As model.name of a recipe.")] = "embedded",
) -> dict[str, Any]:
    """Choose the recipe for these data and this time, and do it; what was chosen and why is told."""
    from mmsrarec.pipeline.fit import fitted

    return fitted(data, out, minutes, Progress(), seed, device, model)


@verb("plan", people=plan_text)
def plan(
    recipe: RecipeFile,
    overrides: Overrides = None,
    items: Annotated[int | None, typer.Option(min=1, help="Items, where the data folder is not there yet.")] = None,
    users: Annotated[int | None, typer.Option(min=1, help="Users.")] = None,
    events: Annotated[int | None, typer.Option(min=1, help="Interactions.")] = None,
    text_tokens: Annotated[
        float | None,
        typer.Option(min=0, max=1_000_000, help="Tokens of an item's text, on average; 0: items have none."),
    ] = None,
    pictures: Annotated[int | None, typer.Option(min=0, help="Items with a picture; all unless given.")] = None,
    picture_side: Annotated[
        int, typer.Option(min=28, max=8192, help="Pixels of a picture's side, for models whose grid follows it.")
    ] = 512,
    model: Annotated[
        str | None, typer.Option(help="Another model than the recipe's: a published name, or a folder.")
    ] = None,
) -> dict[str, Any]:
    """Say what a recipe will cost, by calculation: tokens, operations, memory, and hours on known machines.

    No weights are read and nothing is run.
    """
    from mmsrarec.pipeline.cost_plan.plan import plan_recipe
    from mmsrarec.runs.recipe import load_recipe

    return plan_recipe(
        load_recipe(recipe, overrides or []), items, users, events, text_tokens, pictures, picture_side, model
    )


@verb("run")
def run(
    recipe: RecipeFile, out: Out = None, overrides: Overrides = None, device: Device = None, engine: Engine = None
) -> dict[str, Any]:
    """Do every stage of a recipe that is missing or out of date."""
    return _load_and_run(recipe, out, overrides, None, device=device, engine=engine)


@verb("summarize")
def summarize(
    recipe: RecipeFile,
    out: Out = None,
    overrides: Overrides = None,
    tune: Annotated[
        bool, typer.Option("--tune", help="Tune the policy by reinforcement learning first; see [summarize.tune].")
    ] = False,
    shard: Annotated[
        str | None, typer.Option(metavar="I/N", help="Answer the I-th of N parts only; a later call joins them.")
    ] = None,
    device: Device = None,
    engine: Engine = None,
) -> dict[str, Any]:
    """Stage 1 alone: items become keywords."""
    part = read_shard(shard)
    return _load_and_run(recipe, out, overrides, ("summarize",), tune, part, device, engine)


@verb("retrieve")
def retrieve(recipe: RecipeFile, out: Out = None, overrides: Overrides = None, device: Device = None) -> dict[str, Any]:
    """Stage 2 alone: an encoder of histories, and who is similar to whom."""
    return _load_and_run(recipe, out, overrides, ("retrieve",), device=device)


@verb("train")
def train(recipe: RecipeFile, out: Out = None, overrides: Overrides = None, device: Device = None) -> dict[str, Any]:
    """Stage 3 alone: tune the model that ranks."""
    return _load_and_run(recipe, out, overrides, ("recommend",), device=device)


@verb("evaluate")
def evaluate(recipe: RecipeFile, out: Out = None, overrides: Overrides = None, device: Device = None) -> dict[str, Any]:
    """Compare with the baselines, and write the report."""
    return _load_and_run(recipe, out, overrides, ("evaluate",), device=device)


@verb("update")
def update(run: RunFolder, data: Data = None) -> dict[str, Any]:
    """Read the items that joined a run's data folder; then they are recommended, and those that left are not.

    Nothing is trained.
    """
    from mmsrarec.pipeline.run import update

    return update(run, Progress(), data)


@verb("refit")
def refit(run: RunFolder, data: Data = None, device: Device = None) -> dict[str, Any]:
    """Train what is served on all interactions, with the settings that validation chose: after the evaluation."""
    from mmsrarec.pipeline.run import refit

    return refit(run, Progress(), data, device)


def _load_and_run(
    file: str,
    out: Path | None,
    overrides: list[str] | None,
    stages: tuple[str, ...] | None,
    tune: bool = False,
    shard: tuple[int, int] | None = None,
    device: str | None = None,
    engine: str | None = None,
) -> dict[str, Any]:
    from mmsrarec.runs.recipe import load_recipe

    chosen = {"device": device, "engine": engine}
    overrides = [
        *(overrides or []),
        *(f"runtime.{name}={json.dumps(value)}" for name, value in chosen.items() if value),
    ]
    recipe = load_recipe(file, overrides)
    if tune and recipe.summarize.tune is None:
        recipe = load_recipe(file, [*overrides, "summarize.tune={}"])
    return _run(recipe, out or Path("runs") / recipe.name, stages, shard, tune)


def _run(
    recipe: Any,
    out: Path,
    stages: tuple[str, ...] | None,
    shard: tuple[int, int] | None = None,
    retune: bool = False,
) -> dict[str, Any]:
    from mmsrarec.models.processes import is_first
    from mmsrarec.pipeline.run import run

    if is_first():
        return run(recipe, out, stages, Progress(), shard, retune)
    with Path(os.devnull).open("w") as silence:  # of several processes the first one speaks
        run(recipe, out, stages, Progress(silence), shard, retune)
    raise typer.Exit
