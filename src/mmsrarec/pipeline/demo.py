"""The demo: a catalogue is drawn, a recipe is run on it, and how long that will take here is said before."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmsrarec.core.artefacts import is_whole
from mmsrarec.core.progress import Progress
from mmsrarec.data.folder import is_data_folder, load
from mmsrarec.data.synthetic.catalogue import draw_catalogue
from mmsrarec.pipeline.fit import REPORT_SECONDS
from mmsrarec.pipeline.fit_costs import Costs, Facts, measure
from mmsrarec.pipeline.fit_plan import (
    CANDIDATE_TOKENS,
    CHOICE_SECONDS,
    LOADS,
    TRAIN_FACTOR,
    USUAL_PASSES,
    prompt_seconds,
)
from mmsrarec.pipeline.run import run
from mmsrarec.retrieve.settings import ENCODERS
from mmsrarec.runs.recipe import Recipe, load_recipe
from mmsrarec.study.model_names import TRAINED

LINE_SECONDS = 4.0
"""Something is shown at least about so often."""


@dataclass(frozen=True)
class Size:
    """A demo.

    Attributes:
        recipe: The shipped recipe, which is also the name of the folders.
        items: Of the catalogue.
        shoppers: Of the catalogue.
    """

    recipe: str
    items: int
    shoppers: int


QUICK = Size("demo", 120, 240)
FULL = Size("sample", 300, 800)


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
        say("measuring what the work costs on this machine")
        say(duration_text(predicted_seconds(recipe), goes_on))
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


def predicted_seconds(recipe: Recipe) -> float:
    """What a recipe takes here, about: its pieces are timed on a sample of the data, as `fit` times them, and counted.

    Args:
        recipe: The recipe; its data folder is there.
    """
    dataset = load(recipe.data)
    facts, costs = Facts.of(dataset), measure(dataset, recipe.model, recipe.runtime.device, recipe.seed)
    return seconds_of(recipe, facts, costs)


def seconds_of(recipe: Recipe, facts: Facts, costs: Costs) -> float:
    """The seconds of all stages of a recipe.

    Args:
        recipe: The recipe.
        facts: What its data hold.
        costs: What was measured here.
    """
    rank, evaluate = recipe.recommend, recipe.evaluate
    layers = min(rank.layers or costs.layers, costs.layers)
    encoders = len({recipe.retrieve.encoder, *(name for name in ENCODERS if name in evaluate.rows)})
    tuned = sum(row in TRAINED for row in evaluate.rows)
    listed, proposed = (prompt_seconds(costs, layers, n) for n in (1 + evaluate.negatives, evaluate.n_candidates))
    reading = facts.pictures * (costs.picture + costs.image_answer) + facts.texts * costs.text_answer
    states = facts.items * 2 * CANDIDATE_TOKENS * layers * costs.token_layer
    sequences = encoders * recipe.retrieve.epochs * USUAL_PASSES * costs.sequence_pass
    training = tuned * rank.n_examples * TRAIN_FACTOR * prompt_seconds(costs, layers, 1 + rank.negatives)
    fusing = CHOICE_SECONDS + evaluate.fusion_users * proposed
    testing = REPORT_SECONDS + tuned * facts.validated * (listed + proposed)
    return LOADS * costs.load + reading + states + sequences + training + fusing + testing
