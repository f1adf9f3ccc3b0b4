"""Chooses the engine that a recipe names. The module needs no torch."""

from typing import TYPE_CHECKING

from mmsrarec.engines.settings import EngineSettings
from mmsrarec.errors import RecipeError
from mmsrarec.models.ray_workers import check_ray

if TYPE_CHECKING:
    from mmsrarec.engines.openai_engine import OpenAIEngine

EMBEDDED = "embedded"
"""The name of the embedded model in the settings."""
OWN_MODEL = ("local", "ray")
"""Engines by which the model of this process answers, here or in workers."""


def check_choice(settings: EngineSettings, model: str | None, tuned: bool = False) -> None:
    """Check that an engine and a model go together.

    Args:
        settings: The engine.
        model: `summarize.model`; None where the model of this process answers.
        tuned: Whether the summaries are tuned.

    Raises:
        RecipeError: They do not.
        MissingDependencyError: Ray is to answer, and is not installed.
    """
    if settings.engine in OWN_MODEL:
        if settings.engine == "ray":
            check_ray()
        if model is not None:
            raise RecipeError(
                f'summarize.model is "{model}", which another engine is to ask: name it with --engine openai --set '
                "runtime.engine_url=ADDRESS; or leave summarize.model out for the model of this process"
            )
        return
    if model is None:
        raise RecipeError(
            f'the engine "{settings.engine}" needs to know which model answers: --set summarize.model=NAME, and '
            f'"{EMBEDDED}" for the embedded one'
        )
    if tuned:
        raise RecipeError(
            f'the engine "{settings.engine}" cannot ask a tuned policy: leave out summarize.tune, or use --engine local'
        )


def open_engine(settings: EngineSettings, model: str | None, tuned: bool = False) -> "OpenAIEngine | None":
    """The engine that answers in the place of this process; None where this process answers. Nothing is sent yet.

    Args:
        settings: The engine.
        model: `summarize.model`.
        tuned: Whether the summaries are tuned.

    Raises:
        RecipeError: The settings do not go together.
        MissingDependencyError: A package that the engine needs is not installed.
    """
    check_choice(settings, model, tuned)
    if settings.engine in OWN_MODEL or model is None:
        return None
    from mmsrarec.engines.openai_engine import OpenAIEngine

    return OpenAIEngine(settings, model)
