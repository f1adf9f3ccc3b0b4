"""LensKit: popularity, item kNN, user kNN, EASE, and ALS of implicit feedback.

Its user kNN takes, for each item, the k nearest of those who consumed it; item kNN keeps k neighbours of an item.
"""

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from lenskit.als import ImplicitMFScorer
from lenskit.basic import PopScorer
from lenskit.data import ItemList, RecQuery, from_interactions_df
from lenskit.knn import EASEScorer, ItemKNNScorer, UserKNNScorer
from lenskit.training import TrainingOptions
from peer_protocol import UNKNOWN, Fit, Fitted, PeerSplit, adapter


def scorer(name: str, settings: Mapping[str, Any]) -> Any:
    match name:
        case "popularity":
            return PopScorer(score="count")
        case "item-knn":
            return ItemKNNScorer(max_nbrs=settings["k"], save_nbrs=settings["k"], feedback="implicit")
        case "user-knn":
            return UserKNNScorer(max_nbrs=settings["k"], feedback="implicit")
        case "ease":
            return EASEScorer(regularization=settings["l2"])
        case _:
            return ImplicitMFScorer(
                embedding_size=settings["factors"],
                epochs=settings["iterations"],
                regularization=settings["regularization"],
                weight=settings["alpha"],
            )


def fit_row(name: str) -> Fit:
    def fit(split: PeerSplit, settings: Mapping[str, Any], seed: int) -> Fitted:
        log = from_interactions_df(pd.DataFrame({"user_id": split.user, "item_id": split.item}))
        model = scorer(name, settings)
        model.train(log, TrainingOptions(rng=seed))
        known = np.unique(split.item)

        def of_user(user: int, history: np.ndarray) -> np.ndarray:
            if name == "popularity":
                return model(items=ItemList(item_ids=known)).scores()
            query = RecQuery(user_id=user, history_items=ItemList(item_ids=history))
            return model(query, ItemList(item_ids=known)).scores()

        def score() -> np.ndarray:
            wide = np.full((len(split.query_user), split.n_items), UNKNOWN)
            for row, (user, history) in enumerate(zip(split.query_user, split.history, strict=True)):
                scores = of_user(user, history)
                wide[row, known] = np.where(np.isnan(scores), UNKNOWN, scores)
            return wide

        return Fitted(score)

    return fit


MODELS = {name: fit_row(name) for name in ("popularity", "item-knn", "user-knn", "ease", "als")}

if __name__ == "__main__":
    sys.exit(adapter("lenskit", MODELS))
