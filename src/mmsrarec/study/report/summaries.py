"""summaries.html: stage 1 looked at: keywords before and after tuning, its rewards, its best and worst items."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from mmsrarec.study.report.curves import Cloud, cloud_plot
from mmsrarec.study.report.item_examples import METRICS, TUNED, ShownSummary, examples_section
from mmsrarec.study.report.markup import bdi, figure, number, section, shell, table, union
from mmsrarec.study.report.plots import Dot, dot_plot
from mmsrarec.study.report.tuning_section import tuning_section

__all__ = ["ShownSummary", "SummaryFacts", "summaries_page"]

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
}
MODALITIES = {"text": "Asked about texts", "picture": "Asked about pictures"}
REWARDED = {
    "information": "how much of what the item’s text means the keywords say",
    "reconstruction": "how well the text is foreseen by a language model that has read the keywords",
    "length": "how long the list is; shorter is better",
    "image": "how much better the keywords fit this picture than other pictures",
}


@dataclass(frozen=True)
class SummaryFacts:
    """Stage 1 in figures; whatever was not measured is empty. A policy is "untuned" or "tuned".

    statistics: policy -> name -> value over the catalogue. heldout: modality -> policy -> metric -> value, low, high
    (95 %). tradeoff: policy -> mean (tokens, information) of lists cut after 1, 2, 3 ... keywords. points: policy ->
    (tokens, information) of single held-out items. curve: an entry a logged step, with any of phase, step, loss,
    reward, rewards (name -> mean, std), keywords, copied, malformed. words: category -> its most frequent keywords with
    their counts. richness: policy -> mean keywords of held-out texts whose title leaves little, some, much unsaid.
    """

    data: str
    statistics: Mapping[str, Mapping[str, float]]
    heldout: Mapping[str, Mapping[str, Mapping[str, Mapping[str, float]]]]
    tradeoff: Mapping[str, Sequence[tuple[float, float]]]
    points: Mapping[str, Sequence[tuple[float, float]]]
    curve: Sequence[Mapping[str, Any]]
    words: Mapping[str, Sequence[tuple[str, int]]]
    richness: Mapping[str, Sequence[float]]


def summaries_page(facts: SummaryFacts, shown: Sequence[ShownSummary]) -> str:
    """The page; sections without anything to show are left out. All text from data is escaped."""
    sections = [_statistics(facts), _rewarded(facts, shown), _heldout(facts), _length(facts)]
    sections += [tuning_section(facts.curve), _words(facts), examples_section(shown)]
    policies = union((facts.statistics, *facts.heldout.values(), facts.tradeoff, facts.points))
    tuned = TUNED in policies or facts.curve or any(item.after for item in shown)
    intro = "Stage 1 sums every item up in a few keywords. This is what it wrote"
    intro += ", and what tuning by rewards changed." if tuned else "; its policy was not tuned."
    heading = f"The summaries of {facts.data}"
    return shell(heading, "Stage 1", heading, intro, "".join(sections))


def _statistics(facts: SummaryFacts) -> str:
    rows = [
        (STATISTICS.get(name, name), [number(found.get(name), name) for found in facts.statistics.values()])
        for name in union(facts.statistics.values())
    ]
    return section("The whole catalogue", "", table("", list(facts.statistics), rows)) if rows else ""


def _rewarded(facts: SummaryFacts, shown: Sequence[ShownSummary]) -> str:
    """Which of the known rewards occur anywhere, in words."""
    seen = {name for policies in facts.heldout.values() for metrics in policies.values() for name in metrics}
    seen |= {name for entry in facts.curve for name in entry.get("rewards") or ()}
    seen |= {name for item in shown for name in (*item.rewards_before, *item.rewards_after)}
    ranking_features = "".join(
        f"<dt>{METRICS.get(name, name)}</dt><dd>{meaning}</dd>" for name, meaning in REWARDED.items() if name in seen
    )
    return section("What is rewarded", "", f"<dl>{ranking_features}</dl>") if ranking_features else ""


def _heldout(facts: SummaryFacts) -> str:
    """A table a modality, and the copied shares as a plot."""
    tables, copied = [], []
    for modality, policies in facts.heldout.items():
        names = union(policies.values())
        rows = [
            (METRICS.get(name, name), [_interval(found.get(name), name) for found in policies.values()])
            for name in names
        ]
        if rows:
            tables.append(f"<h3>{escape(MODALITIES.get(modality, modality))}</h3>{table('', list(policies), rows)}")
        copied += [
            Dot(f"{modality}, {policy}", m["value"], m["low"], m["high"], policy == TUNED)
            for name in names
            if name.startswith("copied")
            for policy, found in policies.items()
            if (m := found.get(name)) and all(map(math.isfinite, m.values()))
        ]
    if copied:
        plot = dot_plot(copied, "Share of keywords copied from the title")
        caption = "Share of keywords copied from the title, with 95 % intervals. A copied title says nothing new."
        tables.append(f'<div class="figures">{figure(plot, caption)}</div>')
    note = "Items that tuning never saw. Below each mean stands its 95 % interval over items."
    return section("Held-out items", note, "".join(tables)) if tables else ""


def _length(facts: SummaryFacts) -> str:
    clouds = [
        Cloud(policy, dots, line, list(map(str, range(1, len(line) + 1))), policy == TUNED)
        for policy in union((facts.tradeoff, facts.points))
        if (dots := _finite(facts.points.get(policy, ()))) + (line := _finite(facts.tradeoff.get(policy, ())))
    ]
    if not clouds:
        return ""
    thirds = ["title leaves little unsaid", "some", "much"]
    rows = [(policy, [f"{mean:.2f}" for mean in means]) for policy, means in facts.richness.items()]
    counts = f"<h3>Keywords an item, by how much there is to tell</h3>{table('', thirds, rows)}" if rows else ""
    plot = cloud_plot(clouds, "Information against length", "tokens", "information")
    caption = (
        "A faint dot is one held-out item. The lines join the means when every list is cut after 1, 2, 3 … keywords."
    )
    note = "A longer list tends to tell more. The better policy is the one whose line lies higher at the same length."
    return section("Length against information", note, f'<div class="figures">{figure(plot, caption)}</div>{counts}')


def _words(facts: SummaryFacts) -> str:
    rows = []
    for category, counted in facts.words.items():
        most = max((count for _, count in counted), default=0)
        spans = (
            f'<span style="font-size:{0.8 + 0.7 * math.sqrt(max(count, 0) / max(most, 1)):.2f}em">{bdi(word)}'
            f"<small>{count:,}</small></span>"
            for word, count in counted
        )
        if counted:
            rows.append(f"<dt>{bdi(category) or 'no category'}</dt><dd>{' '.join(spans)}</dd>")
    note = "The most frequent keywords of each category, with how often they occur."
    return section("Words by category", note, f'<dl class="weighted">{"".join(rows)}</dl>') if rows else ""


def _interval(measured: Mapping[str, float] | None, name: str) -> str:
    if measured is None:
        return "–"
    mean = measured.get("value")
    low, high = (number(measured.get(key), name, mean) for key in ("low", "high"))
    return f"{number(mean, name)}<small>{low} to {high}</small>"


def _finite(points: Sequence[tuple[float | None, float | None]]) -> list[tuple[float, float]]:
    known = ((x, y) for x, y in points if x is not None and y is not None)
    return [(x, y) for x, y in known if math.isfinite(x) and math.isfinite(y)]
