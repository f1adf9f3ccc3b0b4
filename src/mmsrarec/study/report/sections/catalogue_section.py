"""Stage 1 over the whole catalogue: statistics of all keywords, what is rewarded, and the words of each category."""

import math
from collections.abc import Sequence

from mmsrarec.study.report.environment import Section
from mmsrarec.study.report.formats import number
from mmsrarec.study.report.labels import union
from mmsrarec.study.report.summary_facts import MEASURES, ShownSummary, SummaryFacts

STATISTICS = {
    "items": "items",
    "keywords": "keywords an item",
    "text_keywords": "of them from its text",
    "image_keywords": "of them from its picture",
    "vocabulary": "different keywords",
    "text_asked": "items asked about their text",
    "image_asked": "items asked about their picture",
    "text_fallback": "answers about texts of little use",
    "image_fallback": "answers about pictures of little use",
    "ungrounded": "keywords an answer that the text does not bear out",
    "from_title": "text keywords that repeat the title",
    "copied_title": "items whose keywords hold the whole title",
    "malformed": "answers with nothing usable",
    "unsupported": "picture keywords that nothing bears out",
    "common": "answers with a word that most items hold",
    "without_keywords": "items without keywords",
    "engine_answers": "answers by an engine",
    "prompt_tokens": "tokens that the engine read",
    "completion_tokens": "tokens that the engine wrote",
    "pictures_sent": "pictures sent to the engine",
}
REWARDS = {
    "information": "how much of what the item’s text means the keywords say",
    "reconstruction": "how well the text is foreseen by a language model that has read the keywords",
    "length": "how long the list is; shorter is better",
    "image": "how much better the keywords fit this picture than other pictures",
}


def statistics_section(facts: SummaryFacts) -> Section | None:
    """The statistics of each policy; None without any."""
    rows = [
        (STATISTICS.get(name, name), [number(values.get(name), name) for values in facts.statistics.values()])
        for name in union(facts.statistics.values())
    ]
    return Section("summaries/statistics", {"policies": list(facts.statistics), "rows": rows}) if rows else None


def rewards_section(facts: SummaryFacts, summaries: Sequence[ShownSummary]) -> Section | None:
    """The known rewards that occur anywhere, in words; None without any."""
    seen = {name for policies in facts.heldout.values() for metrics in policies.values() for name in metrics}
    seen |= {name for entry in facts.curve for name in entry.get("rewards") or ()}
    seen |= {name for item in summaries for name in (*item.rewards_before, *item.rewards_after)}
    rewards = [(MEASURES.get(name, name), meaning) for name, meaning in REWARDS.items() if name in seen]
    return Section("summaries/rewards", {"rewards": rewards}) if rewards else None


def words_section(facts: SummaryFacts) -> Section | None:
    """The words of each category, the more frequent the larger: (word, count, size in em); None without any."""
    categories: list[tuple[str, list[tuple[str, int, float]]]] = []
    for category, counts in facts.words.items():
        most = max((count for _, count in counts), default=0)
        words = [(word, count, 0.8 + 0.7 * math.sqrt(max(count, 0) / max(most, 1))) for word, count in counts]
        categories += [(category, words)] if words else []
    return Section("summaries/words", {"categories": categories}) if categories else None
