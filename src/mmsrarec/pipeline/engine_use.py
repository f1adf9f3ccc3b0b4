"""How a run uses an engine other than this process: looks whether it is there, says who answered, counts the cost."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path

from mmsrarec.core.progress import Progress
from mmsrarec.engines.engine_choice import open_engine
from mmsrarec.engines.openai_engine import OpenAIEngine
from mmsrarec.engines.protocol import COST_FIGURES, EngineFacts, Usage
from mmsrarec.engines.settings import EngineSettings
from mmsrarec.runs.recipe import Recipe
from mmsrarec.summarize.answer_store import Store
from mmsrarec.summarize.settings import SummarizeSettings
from mmsrarec.summarize.summarizer import Spread, job_of

UNCHECKED = "keywords of pictures are not checked with the pictures, which needs a model of this process"


def check_engine(recipe: Recipe) -> None:
    """See that the engine of a recipe is there, before any work is done.

    Raises:
        MmsrarecError: It is not, or the settings do not go together.
    """
    if recipe.runtime.engine != "local":  # workers of Ray start where there is work for them
        engine = open_engine(recipe.runtime, recipe.summarize.model, recipe.summarize.tune is not None)
        if engine is not None:
            try:
                engine.describe()
            finally:
                engine.close()


@contextmanager
def asking(runtime: EngineSettings, settings: SummarizeSettings, say: Progress) -> Generator[OpenAIEngine | None]:
    """The engine that answers in the place of this process while the block runs; None where this process answers.

    Args:
        runtime: Names the engine.
        settings: Name the model.
        say: Is told which engine is asked, which model answered, and what it cost.

    Raises:
        MmsrarecError: The engine is not there, or the settings do not go together.
    """
    engine = open_engine(runtime, settings.model, settings.tune is not None)
    if engine is None:
        yield None
        return
    try:
        say(introduction(engine.describe(), runtime.engine_requests))
        if settings.pictures:
            say(UNCHECKED)
        yield engine
    finally:
        if sentence := engine.sentence():
            say(f"engine: {sentence}")
        engine.close()


@contextmanager
def spreading(recipe: Recipe, adapter: Path | None, say: Progress) -> Generator[Spread | None]:
    """What spreads the work of this process's engine over workers of Ray while the block runs.

    Args:
        recipe: Names the engine and the model.
        adapter: The folder of the tuned policy's adapter; None where the untuned model answers.
        say: Is told how many workers there are, and how many died.

    Yields:
        None where the engine is not "ray".

    Raises:
        MmsrarecError: Ray is not installed, or does not start.
    """
    runtime = recipe.runtime
    if runtime.engine != "ray":
        yield None
        return
    from mmsrarec.engines.ray_engine import ModelSource, RayEngine
    from mmsrarec.models.ray_workers import RayWorkers

    source = ModelSource(recipe.model, runtime.device, adapter.resolve() if adapter else None)
    with RayWorkers(source.load, runtime.engine_workers, int(runtime.device.startswith("cuda"))) as workers:
        say(f"engine: {workers.count} workers of Ray, each of which loads the model")
        yield lambda local: RayEngine(local, workers)
        if workers.deaths:
            say(f"engine: {workers.deaths} workers of Ray died, and what they had not finished was asked again")


def introduction(facts: EngineFacts, requests: int) -> str:
    """A sentence on the engine that is asked."""
    text = f'engine: asking "{facts.model}" at {facts.place}, {requests} requests at once'
    if facts.offers and facts.model not in facts.offers:
        text += f"; it lists {len(facts.offers)} models, and not this one, such as {facts.offers[0]}"
    return text


def engine_cost(recipe: Recipe, file: Path) -> dict[str, float]:
    """What all answers to the recipe's questions cost that an engine other than this process gave, in any call.

    Args:
        recipe: Names the engine and the model.
        file: The store of answers.

    Returns:
        Figures by name; empty where the model of this process answers.
    """
    engine = open_engine(recipe.runtime, recipe.summarize.model, recipe.summarize.tune is not None)
    if engine is None:
        return {}
    engine.close()
    total, n_answers = Usage(), 0
    with Store(file) as store:
        for modality in ("text", "picture"):
            count, usage = store.usage(job_of(modality, engine, recipe.summarize))
            n_answers, total = n_answers + count, total + usage
    return dict(zip(COST_FIGURES, (n_answers, *astuple(total)), strict=True))
