"""What stage 1 left behind, as figures and single items."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mmsrarec.data.dataset import Dataset
from mmsrarec.study.report.summary_figures import CATEGORIES, frequent, heldout_means, pairs, richness


def answer(item_id: str, policy: str, read: list[str], modality: str = "text", **more: Any) -> dict[str, Any]:
    given = {"item_id": item_id, "policy": policy, "read": read, "modality": modality, "unsaid": 0.5, "total": 0.5}
    return given | {"length": None} | more


def test_means_are_over_the_items_of_a_modality_and_policy(tmp_path: Path) -> None:
    rows = [answer(str(i), policy, ["a"] * (i + 1), total=i / 4) for i in range(5) for policy in ("untuned", "tuned")]
    rows += [answer("9", policy, ["a", "b"], "picture", length=0.25) for policy in ("untuned", "tuned")]
    pl.DataFrame(rows, schema_overrides={"length": pl.Float64}).write_parquet(tmp_path / "heldout.parquet")
    means = heldout_means(tmp_path, seed=0, resamples=50)
    assert list(means) == ["text", "picture"]
    text = means["text"]["untuned"]
    assert text["total"]["value"] == pytest.approx(0.5)
    assert text["total"]["low"] <= 0.5 <= text["total"]["high"]
    assert text["keywords"]["value"] == pytest.approx(3)
    assert "length" not in text  # not applicable to texts
    assert means["picture"]["untuned"]["length"]["value"] == pytest.approx(0.25)


def test_richness_is_by_thirds_of_what_titles_leave_unsaid() -> None:
    rows = [answer(str(i), "untuned", ["word"] * (i // 2), unsaid=i / 10) for i in range(6)]
    rows += [answer("1", "tuned", ["word"])]
    assert richness(pl.DataFrame(rows)) == {"untuned": [0.0, 1.0, 2.0]}  # one text has no thirds


def test_items_that_both_policies_answered_are_shown(drawn: Dataset) -> None:
    first, second = (item.item_id for item in drawn.items[:2])
    rows = [answer(first, "untuned", ["old"]), answer(first, "tuned", ["new", "words"], total=0.75)]
    rows += [answer(second, "tuned", ["lonely"]), answer("gone", "untuned", []), answer("gone", "tuned", [])]
    (shown,) = pairs(drawn, pl.DataFrame(rows))
    assert (shown.item_id, shown.title, shown.modality) == (first, drawn.items[0].title, "text")
    assert (shown.before, shown.after) == (("old",), ("new", "words"))
    assert (shown.rewards_before["total"], shown.rewards_after["total"]) == (0.5, 0.75)
    assert shown.rewards_after["image"] is None
    assert shown.rewards == {"untuned": shown.rewards_before, "tuned": shown.rewards_after}
    assert replace(shown, rewards_before={}).rewards == {"tuned": shown.rewards_after}


class Titles:
    """Keywords that are the words of titles."""

    def __init__(self, dataset: Dataset):
        self.dataset = dataset

    def united(self, code: int) -> list[str]:
        return self.dataset.items[code].title.split()


def test_the_commonest_categories_have_their_commonest_words(drawn: Dataset) -> None:
    words = frequent(drawn, Titles(drawn))  # pyright: ignore[reportArgumentType]
    sizes = Counter(name for item in drawn.items for name in item.categories or ("without a category",))
    assert list(words) == [name for name, _ in sizes.most_common(CATEGORIES)]
    name = next(iter(words))
    counts = Counter(word for item in drawn.items if name in item.categories for word in item.title.split())
    assert words[name][0][1] == counts.most_common(1)[0][1]
