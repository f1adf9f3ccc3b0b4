"""What stage 1 left in a run's folder, as figures and single items for summaries.html."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mmsrarec.data.dataset import Dataset
from mmsrarec.evaluate.significance import intervals
from mmsrarec.study.report.summary_facts import POLICIES, ShownSummary
from mmsrarec.study.report.user_examples import small_picture
from mmsrarec.summarize.keywords import Keywords

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


def heldout_means(folder: Path, seed: int, resamples: int) -> dict[str, dict[str, dict[str, Any]]]:
    """Mean measures of held-out items.

    Args:
        folder: Of a finished tuning.
        seed: Of the bootstrap, as `resamples` is.
        resamples: How often items are drawn anew.

    Returns:
        Modality -> policy -> measure -> its mean (value) with its 95 % interval (low, high).
    """
    table = pl.read_parquet(folder / "heldout.parquet").with_columns(count=pl.col("read").list.len())
    means: dict[str, dict[str, dict[str, Any]]] = {}
    for modality in table["modality"].unique(maintain_order=True):
        for policy in table["policy"].unique(maintain_order=True):
            part = table.filter((pl.col("modality") == modality) & (pl.col("policy") == policy))
            values = {
                label: part[name].cast(pl.Float64).to_numpy()
                for name, label in MEASURED.items()
                if name in part.columns and part[name].null_count() == 0
            }
            means.setdefault(modality, {})[policy] = {
                name: {"value": mean.value, "low": mean.low, "high": mean.high}
                for name, mean in intervals(values, seed, resamples).items()
            }
    return means


def richness(texts: pl.DataFrame) -> dict[str, list[float]]:
    """Mean keywords of held-out texts in thirds, from titles that leave the least unsaid to those that leave the most.

    Args:
        texts: Questions on texts with their answers.

    Returns:
        Policy to three means.
    """
    ranked = texts.sort("unsaid", "item_id")
    parts = {policy: ranked.filter(pl.col("policy") == policy)["read"].list.len().to_numpy() for policy in POLICIES}
    return {
        policy: [float(third.mean()) for third in np.array_split(counts, 3)]
        for policy, counts in parts.items()
        if len(counts) >= 3
    }


def pairs(dataset: Dataset, table: pl.DataFrame) -> list[ShownSummary]:
    """Each held-out question with the answers of both policies."""
    answers: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for row in table.iter_rows(named=True):
        answers.setdefault((row["item_id"], row["modality"]), {})[row["policy"]] = row
    summaries: list[ShownSummary] = []
    for (item_id, modality), rows in answers.items():
        item = dataset.items[dataset.item_code[item_id]] if item_id in dataset.item_code else None
        if item is None or not rows.keys() >= set(POLICIES):
            continue  # the catalogue has changed since
        before, after = (rows[policy] for policy in POLICIES)
        summaries.append(
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
    return summaries


def frequent(dataset: Dataset, keywords: Keywords) -> dict[str, list[tuple[str, int]]]:
    """The commonest categories, and the keywords that their items have most often."""
    counts: dict[str, Counter[str]] = {}
    sizes: Counter[str] = Counter()
    for code, item in enumerate(dataset.items):
        for category in item.categories or ("without a category",):
            sizes[category] += 1
            counts.setdefault(category, Counter()).update(keywords.united(code))
    return {category: counts[category].most_common(WORDS) for category, _ in sizes.most_common(CATEGORIES)}
