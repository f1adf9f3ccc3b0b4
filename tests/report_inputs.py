"""Rows, facts and users that the tests of the report make reports of."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from mmsrarec.study.report.report import build_report
from mmsrarec.study.report.user_examples import ItemCard, UserCard
from mmsrarec.study.results import ModelResult, compare_rows

FACT = {"protocol": "published", "split": "user-8-1-1", "candidates": "1 and 20", "seed": 0, "candidate_hash": "ab12"}
FACT |= {"users": 80, "negatives": 20, "tied_share": 0.237, "cold_share": 0.0, "history": "left out", "ties": "mean"}


def row(model="mmsrarec", variant="whole", protocol="published", shift=0.0, **more: Any) -> ModelResult:
    """Eighty users with random metrics, the same in every row but for the shift."""
    rng = np.random.default_rng(0)
    metrics = {name: np.clip(rng.random(80) + shift, 0, 1) for name in ("HR@5", "NDCG@5", "MRR@5", "AUC")}
    cost = {"tokens_per_user": 640, "calls_per_user": 1, "ms_per_user": 410.0, "peak_mb": 2100}
    given = {"cost": cost, "slices": {"target without an image": np.arange(80) < 9}} | more
    return ModelResult(protocol, "user-8-1-1", model, variant, 0, np.arange(80), metrics, **given)


def user(text: str = "Alien", picture: bytes | None = None) -> UserCard:
    """A user of one item, all of whose texts are `text`."""
    item = ItemCard(text, ("space", text), picture, 0.9, (f"because of {text}",), item_id=text)
    return UserCard(text, [item], [text, "crew"], [item], item)


def written(folder: Path, rows: list[ModelResult], users=(), **more: Any) -> tuple[dict[str, Any], str]:
    """What report.json and report.html hold."""
    pairs = compare_rows(rows[0], rows[1], ["HR@5"]) if len(rows) > 1 else []
    given = {"data": "movielens-small", "manifest": "0" * 64, "attributes": {"items": 12}, "notes": ["A note."]} | more
    build_report(rows, [FACT], pairs, users, folder, **given)
    return json.loads((folder / "report.json").read_text()), (folder / "report.html").read_text()
