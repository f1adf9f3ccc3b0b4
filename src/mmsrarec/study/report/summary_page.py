"""evaluate/summaries.html: a look at stage 1 of a run, gathered from what its parts left behind."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mmsrarec.core.artefacts import atomic_write, is_whole
from mmsrarec.data.dataset import Dataset
from mmsrarec.evaluate.significance import intervals
from mmsrarec.runs.run_folder import RunFolder
from mmsrarec.study.report.summaries import ShownSummary, SummaryFacts, summaries_page
from mmsrarec.study.report.user_examples import small_picture
from mmsrarec.summarize.keywords import Keywords

PAGE = "summaries.html"
MEASURED = {
    "total": "total",
    "information": "information",
    "reconstruction": "reconstruction",
    "image": "image information",
    "length": "length",
    "cosine_read": "R_info as published, of what is read",
    "information_read": "information, of what is read",
    "tokens_read": "tokens",
    "count": "keywords",
    "malformed": "malformed",
    "copied": "copied from the title",
}
"""Columns of heldout.parquet, and what they are called."""
SHOWN_REWARDS = ("total", "information", "reconstruction", "image", "length")
CATEGORIES, WORDS = 8, 12
POLICIES = ("untuned", "tuned")


def heldout_means(folder: Path, seed: int, resamples: int) -> dict[str, dict[str, dict[str, Any]]]:
    """modality -> policy -> measure -> mean over held-out items with its 95 % interval. folder: a finished tuning."""
    table = pl.read_parquet(folder / "heldout.parquet").with_columns(count=pl.col("read").list.len())
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for modality in table["modality"].unique(maintain_order=True):
        for policy in table["policy"].unique(maintain_order=True):
            part = table.filter((pl.col("modality") == modality) & (pl.col("policy") == policy))
            values = {
                label: part[name].cast(pl.Float64).to_numpy()
                for name, label in MEASURED.items()
                if name in part.columns and part[name].null_count() == 0
            }
            means = intervals(values, seed, resamples)
            found.setdefault(modality, {})[policy] = {
                name: {"value": one.value, "low": one.low, "high": one.high} for name, one in means.items()
            }
    return found


def write_page(run_folder: RunFolder) -> Path:
    """Write the page of a run whose keywords are there; it is cheap, so it is always written anew."""
    recipe, folder = run_folder.recipe, run_folder.folder
    statistics = {}
    if recipe.summarize.tune is not None:
        if is_whole(folder / "summarize-untuned"):
            statistics["untuned"] = load_json(folder / "summarize-untuned" / "statistics.json")
        statistics["tuned"] = load_json(folder / "summarize" / "statistics.json")
    else:
        statistics["untuned"] = load_json(folder / "summarize" / "statistics.json")
    tuned = recipe.summarize.tune is not None and is_whole(folder / "tune")
    words = frequent(run_folder.dataset, run_folder.keywords)
    facts = SummaryFacts(recipe.name, statistics, {}, {}, {}, (), words, {})
    shown: list[ShownSummary] = []
    if tuned:
        told = load_json(folder / "tune" / "tuning.json")
        table = pl.read_parquet(folder / "tune" / "heldout.parquet")
        texts = table.filter(pl.col("modality") == "text")
        curves = told["trade_off"].get("text", {})
        facts = SummaryFacts(
            recipe.name,
            statistics,
            heldout_means(folder / "tune", recipe.seed, recipe.evaluate.resamples),
            {policy: [(at["tokens"], at["information"]) for at in curve] for policy, curve in curves.items()},
            {
                policy: texts.filter(pl.col("policy") == policy).select("tokens_read", "information_read").rows()
                for policy in POLICIES
                if len(texts)
            },
            told["curve"],
            words,
            richness(texts) if len(texts) else {},
        )
        shown = pairs(run_folder.dataset, table)
    page = folder / "evaluate" / PAGE
    page.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(page, summaries_page(facts, shown).encode())
    return page


def richness(texts: pl.DataFrame) -> dict[str, list[float]]:
    """policy -> mean keywords of the held-out texts whose title leaves least unsaid, middling, and most (thirds)."""
    ranked = texts.sort("unsaid", "item_id")
    parts = {policy: ranked.filter(pl.col("policy") == policy)["read"].list.len().to_numpy() for policy in POLICIES}
    return {
        policy: [float(third.mean()) for third in np.array_split(counts, 3)]
        for policy, counts in parts.items()
        if len(counts) >= 3
    }


def load_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def pairs(dataset: Dataset, table: pl.DataFrame) -> list[ShownSummary]:
    """Each held-out question with the answers of both policies."""
    found: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for row in table.iter_rows(named=True):
        found.setdefault((row["item_id"], row["modality"]), {})[row["policy"]] = row
    shown = []
    for (item_id, modality), rows in found.items():
        item = dataset.items[dataset.item_code[item_id]] if item_id in dataset.item_code else None
        if item is None or not rows.keys() >= set(POLICIES):
            continue  # the catalogue has changed since
        before, after = (rows[policy] for policy in POLICIES)
        shown.append(
            ShownSummary(
                item_id,
                item.title,
                item.text,
                next(iter(item.categories), ""),
                small_picture(dataset, dataset.item_code[item_id]),
                modality,
                tuple(before["read"]),
                tuple(after["read"]),
                *({name: row.get(name) for name in SHOWN_REWARDS} for row in (before, after)),
            )
        )
    return shown


def frequent(dataset: Dataset, keywords: Keywords) -> dict[str, list[tuple[str, int]]]:
    """The commonest categories, and the keywords that their items have most often."""
    counts: dict[str, Counter[str]] = {}
    sizes: Counter[str] = Counter()
    for code, item in enumerate(dataset.items):
        for category in item.categories or ("without a category",):
            sizes[category] += 1
            counts.setdefault(category, Counter()).update(keywords.united(code))
    return {category: counts[category].most_common(WORDS) for category, _ in sizes.most_common(CATEGORIES)}
