"""Tokens of the prompts that a recipe asks for, before a prompt is rendered.

The constants are averages of prompts on this project's data sets; a test holds them against a measured prompt.
"""

from dataclasses import dataclass

from mmsrarec.recommend.settings import RecommendSettings
from mmsrarec.summarize.settings import SummarizeSettings

FRAME = 12
"""Of the chat template, and the start of an answer."""
SENTENCES = 30
"""Of the sentences of a ranking prompt that say what the lines are, and of its question."""
TITLE, KEYWORD, LINE = 5, 2.0, 2
"""Of a title, of a keyword with its comma, and of what begins and ends a line."""
FACT = 3
"""Of a fact about a candidate in words."""
PREFERENCES = 10
"""Of a line of what is asked for, where there is one."""
SHOT, QUESTION = 52, 6
"""Of an example of stage 1, and of its question."""
FACTS = ("popularity", "neighbour_votes", "follows", "recency", "trend")


@dataclass(frozen=True)
class PromptTokens:
    """Tokens of a ranking prompt.

    Attributes:
        shared: Of what all candidates share.
        candidate: Of a candidate.
        history: Of the lines of the history alone, with the frame: a prompt of the writing tasks.
    """

    shared: float
    candidate: float
    history: float


def ranking_tokens(settings: RecommendSettings) -> PromptTokens:
    """Tokens of a ranking prompt with these settings, about."""
    fields, soft = settings.prompt_fields, settings.soft
    keywords = settings.item_keywords * (fields.text_keywords or fields.image_keywords)
    words = settings.description_tokens if fields.descriptions else KEYWORD * keywords
    item = min(settings.title_tokens, TITLE) * fields.titles + words
    history = FRAME + SENTENCES + settings.history * (item + LINE)
    shared = history + settings.similar_items * (item + LINE) * fields.similar
    shared += settings.similar_tokens * fields.similar_keywords + PREFERENCES * settings.preference_rate
    facts = FACT * sum(bool(getattr(fields, name)) for name in FACTS)
    own = item + facts + settings.visual_tokens * fields.pictures + 1
    if soft.sources:
        shared += soft.history + 4 + 3 * soft.user
        own += soft.candidates
    return PromptTokens(shared, own, history)


def text_tokens(settings: SummarizeSettings, text: float, shots: bool) -> float:
    """Tokens of the question about a text; the examples are computed once for a batch, and are not counted.

    Args:
        settings: Of stage 1.
        text: Tokens of the text.
        shots: Whether the examples stand in front of each prompt, as where prompts are trained on.
    """
    return FRAME + QUESTION + min(text, settings.text_budget) + 3 * SHOT * shots


def picture_tokens(settings: SummarizeSettings, native: float | None = None) -> float:
    """Tokens of the question about a picture.

    Args:
        settings: Of stage 1.
        native: Tokens of the picture in the model's own way; None where it is averaged.
    """
    return FRAME + QUESTION + (settings.visual_tokens if native is None else native)
