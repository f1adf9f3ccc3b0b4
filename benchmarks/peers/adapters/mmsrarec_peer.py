"""The rows of this library, by the same rules as the others."""

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
from peer_protocol import Fit, Fitted, PeerSplit, adapter

from mmsrarec.data.dataset import Interactions, make_interactions
from mmsrarec.data.splits import Queries
from mmsrarec.rankers.registry.registry import ranker_class

ROWS = ("popularity", "item-knn", "user-knn", "ease", "als", "bpr", "sasrec", "gru4rec", "bert4rec")


def training_log(split: PeerSplit) -> Interactions:
    return make_interactions(split.user, split.item, split.time, split.n_users, split.n_items)


def queries_of(split: PeerSplit) -> Queries:
    """The queries; their targets are not known here."""
    unknown = np.full(len(split.query_user), -1)
    return Queries(split.query_user, split.query_time, unknown, tuple(split.history))


def fit_row(name: str) -> Fit:
    def fit(split: PeerSplit, settings: Mapping[str, Any], seed: int) -> Fitted:
        own = {key: value for key, value in settings.items() if key != "budget"}  # it stops by itself
        ranker = ranker_class(name)(**own).fit(training_log(split), seed=seed)
        encoder = getattr(ranker, "encoder", None)
        facts = {} if encoder is None else {"passes": encoder.best_pass}
        return Fitted(lambda: ranker.score(queries_of(split)), facts)

    return fit


MODELS = {name: fit_row(name) for name in ROWS}

if __name__ == "__main__":
    sys.exit(adapter("mmsrarec", MODELS))
