"""cornac: popularity, EASE and BPR. Its kNN predicts ratings: where all ratings are one, all its scores are too."""

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
from cornac.data import Dataset
from cornac.models import BPR, EASE, MostPop
from peer_protocol import Fit, Fitted, PeerSplit, adapter, spread


def recommender(name: str, settings: Mapping[str, Any], seed: int) -> Any:
    match name:
        case "popularity":
            return MostPop()
        case "ease":  # posB would leave the negative weights out, which is another model
            return EASE(lamb=settings["l2"], posB=False, verbose=False, seed=seed)
        case _:
            return BPR(k=settings["factors"], seed=seed, num_threads=1)


def fit_row(name: str) -> Fit:
    def fit(split: PeerSplit, settings: Mapping[str, Any], seed: int) -> Fitted:
        rows = zip(split.user.tolist(), split.item.tolist(), np.ones(len(split.user)).tolist(), strict=True)
        log = Dataset.from_uir(list(rows), seed=seed)
        model = recommender(name, settings, seed).fit(log)

        def score() -> np.ndarray:
            scores = np.stack(
                [np.asarray(model.score(log.uid_map[user])).ravel() for user in split.query_user.tolist()]
            )
            return spread(scores.astype(np.float64), np.array(list(log.iid_map)), split.n_items)

        return Fitted(score)

    return fit


MODELS = {name: fit_row(name) for name in ("popularity", "ease", "bpr")}

if __name__ == "__main__":
    sys.exit(adapter("cornac", MODELS))
