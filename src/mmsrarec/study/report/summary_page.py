"""evaluate/summaries.html: a look at stage 1 of a run: its keywords before and after tuning, its rewards, its items."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from mmsrarec.core.artefacts import atomic_write, is_whole
from mmsrarec.runs.run_folder import RunFolder
from mmsrarec.study.report.environment import Section, page
from mmsrarec.study.report.labels import union
from mmsrarec.study.report.sections.catalogue_section import rewards_section, statistics_section, words_section
from mmsrarec.study.report.sections.heldout_section import heldout_section, length_section
from mmsrarec.study.report.sections.item_examples import examples_sections
from mmsrarec.study.report.sections.picture_examples import picture_sections
from mmsrarec.study.report.sections.tuning_section import tuning_section
from mmsrarec.study.report.summary_facts import POLICIES, TUNED, UNTUNED, ShownSummary, SummaryFacts
from mmsrarec.study.report.summary_figures import frequent, heldout_means, pairs, richness

PAGE = "summaries.html"


def summaries_page(facts: SummaryFacts, summaries: Sequence[ShownSummary], pictures: Sequence[Section] = ()) -> str:
    """Write the page; sections without anything to show are left out. pictures: sections about single pictures."""
    policies = union((facts.statistics, *facts.heldout.values(), facts.tradeoff, facts.points))
    tuned = TUNED in policies or facts.curve or any(item.after for item in summaries)
    intro = "Stage 1 sums every item up in a few keywords. This is what it wrote"
    intro += ", and what tuning by rewards changed." if tuned else "; its policy was not tuned."
    sections = [
        statistics_section(facts),
        rewards_section(facts, summaries),
        heldout_section(facts),
        length_section(facts),
        tuning_section(facts.curve),
        words_section(facts),
        *examples_sections(summaries),
        *pictures,
    ]
    return page("Stage 1", f"The summaries of {facts.data}", intro, sections)


def write_page(run_folder: RunFolder) -> Path:
    """Write the page of a run whose keywords are there; it is cheap, so it is always written anew."""
    recipe, folder = run_folder.recipe, run_folder.folder
    tuned = recipe.summarize.tune is not None
    statistics: dict[str, Any] = {}
    if tuned and is_whole(folder / "summarize-untuned"):
        statistics[UNTUNED] = _load_json(folder / "summarize-untuned" / "statistics.json")
    statistics[TUNED if tuned else UNTUNED] = _load_json(folder / "summarize" / "statistics.json")
    facts = SummaryFacts(recipe.name, statistics, words=frequent(run_folder.dataset, run_folder.keywords))
    summaries: list[ShownSummary] = []
    if tuned and is_whole(folder / "tune"):
        facts = _with_tuning(facts, folder / "tune", recipe.seed, recipe.evaluate.resamples)
        summaries = pairs(run_folder.dataset, pl.read_parquet(folder / "tune" / "heldout.parquet"))
    file = folder / "evaluate" / PAGE
    file.parent.mkdir(parents=True, exist_ok=True)
    pictures = picture_sections(run_folder.dataset, run_folder.keywords, run_folder.image_words)
    atomic_write(file, summaries_page(facts, summaries, pictures).encode())
    return file


def _with_tuning(facts: SummaryFacts, folder: Path, seed: int, resamples: int) -> SummaryFacts:
    """The facts and what a finished tuning left in its folder. seed, resamples: of the bootstrap."""
    tuning = _load_json(folder / "tuning.json")
    texts = pl.read_parquet(folder / "heldout.parquet").filter(pl.col("modality") == "text")
    curves = tuning["trade_off"].get("text", {})
    return replace(
        facts,
        heldout=heldout_means(folder, seed, resamples),
        tradeoff={policy: [(at["tokens"], at["information"]) for at in curve] for policy, curve in curves.items()},
        points={
            policy: texts.filter(pl.col("policy") == policy).select("tokens_read", "information_read").rows()
            for policy in POLICIES
            if len(texts)
        },
        curve=tuning["curve"],
        richness=richness(texts) if len(texts) else {},
    )


def _load_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
