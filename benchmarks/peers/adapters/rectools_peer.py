"""RecTools: popularity, EASE, and ALS and item kNN through implicit."""

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from implicit.cpu.als import AlternatingLeastSquares
from implicit.nearest_neighbours import CosineRecommender
from peer_protocol import UNKNOWN, Fit, Fitted, PeerSplit, adapter
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import EASEModel, ImplicitALSWrapperModel, ImplicitItemKNNWrapperModel, PopularModel
from threadpoolctl import threadpool_limits

threadpool_limits(1, "blas")  # as implicit asks for


def model_of(name: str, settings: Mapping[str, Any], seed: int) -> Any:
    match name:
        case "popularity":
            return PopularModel()
        case "ease":
            return EASEModel(regularization=settings["l2"], recommend_n_threads=1)
        case "als":
            own = {key: settings[key] for key in ("factors", "alpha", "regularization", "iterations")}
            return ImplicitALSWrapperModel(AlternatingLeastSquares(**own, random_state=seed, num_threads=1))
        case _:  # an item is its own nearest neighbour there
            return ImplicitItemKNNWrapperModel(CosineRecommender(K=settings["k"] + 1, num_threads=1))


def fit_row(name: str) -> Fit:
    def fit(split: PeerSplit, settings: Mapping[str, Any], seed: int) -> Fitted:
        times = pd.to_datetime(split.time, unit="s")
        columns = {Columns.User: split.user, Columns.Item: split.item, Columns.Weight: 1.0, Columns.Datetime: times}
        log = Dataset.construct(pd.DataFrame(columns))
        model = model_of(name, settings, seed)
        model.fit(log)

        def score() -> np.ndarray:
            told = model.recommend(split.query_user, log, k=split.n_items, filter_viewed=False)
            place = pd.Series(np.arange(len(split.query_user)), index=split.query_user)
            scores = np.full((len(split.query_user), split.n_items), UNKNOWN)
            scores[place[told[Columns.User]].to_numpy(), told[Columns.Item].to_numpy()] = told[Columns.Score]
            return scores

        return Fitted(score)

    return fit


MODELS = {name: fit_row(name) for name in ("popularity", "item-knn", "ease", "als")}

if __name__ == "__main__":
    sys.exit(adapter("rectools", MODELS))
