"""implicit: popularity has no model there; ALS, BPR and item kNN by cosine."""

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from implicit.cpu.bpr import BayesianPersonalizedRanking
from implicit.nearest_neighbours import CosineRecommender
from peer_protocol import Fitted, PeerSplit, adapter
from threadpoolctl import threadpool_limits

threadpool_limits(1, "blas")  # the library itself asks for it


def als(split: PeerSplit, settings: Mapping[str, Any], seed: int) -> Fitted:
    own = {key: settings[key] for key in ("factors", "alpha", "regularization", "iterations")}
    model = AlternatingLeastSquares(**own, random_state=seed, num_threads=1)
    model.fit(split.matrix(), show_progress=False)
    return Fitted(lambda: model.user_factors[split.query_user] @ model.item_factors.T)


def bpr(split: PeerSplit, settings: Mapping[str, Any], seed: int) -> Fitted:
    model = BayesianPersonalizedRanking(factors=settings["factors"], random_state=seed, num_threads=1)
    model.fit(split.matrix(), show_progress=False)
    return Fitted(lambda: model.user_factors[split.query_user] @ model.item_factors.T)


def item_knn(split: PeerSplit, settings: Mapping[str, Any], seed: int) -> Fitted:
    model = CosineRecommender(K=settings["k"] + 1, num_threads=1)  # an item is its own nearest neighbour there
    matrix = split.matrix()
    model.fit(matrix, show_progress=False)
    return Fitted(lambda: np.asarray((matrix[split.query_user] @ model.similarity).todense()))


MODELS = {"als": als, "bpr": bpr, "item-knn": item_knn}

if __name__ == "__main__":
    sys.exit(adapter("implicit", MODELS))
