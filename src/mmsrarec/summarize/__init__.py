"""Stage 1: every item becomes keywords, by a multimodal language model that reads its picture and its text.

Reading order: `settings` (no torch), `prompts` (the questions), `summarizer` (asks them), `answer_store` (keeps the
answers), `answer_reading` and `keyword_parsing` (turn answers into keywords), `image_grounding` and `keyword_pruning`
(check and select keywords), `keywords` (the result), `answer_statistics` (figures of it), `language` (words and word
forms), `tuning` (trains the model for its task).
"""

from typing import TYPE_CHECKING, Any

from mmsrarec.core.lazy_imports import public_attribute

if TYPE_CHECKING:
    from mmsrarec.summarize.answer_statistics import statistics
    from mmsrarec.summarize.answer_store import Job, Store
    from mmsrarec.summarize.keywords import Keywords
    from mmsrarec.summarize.settings import SummarizeSettings, TuneSettings
    from mmsrarec.summarize.summarizer import summarize

__all__ = ["Job", "Keywords", "Store", "SummarizeSettings", "TuneSettings", "statistics", "summarize"]

_MODULES = {
    "Job": "answer_store",
    "Keywords": "keywords",
    "Store": "answer_store",
    "SummarizeSettings": "settings",
    "TuneSettings": "settings",
    "statistics": "answer_statistics",
    "summarize": "summarizer",
}


def __getattr__(name: str) -> Any:
    """Import a public name at its first use, so that settings are read without torch."""
    return public_attribute(__name__, _MODULES, name)
