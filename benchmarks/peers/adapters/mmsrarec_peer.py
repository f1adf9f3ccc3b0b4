"""The rows of this library, by the same rules as the others.

A sequence model is trained twice, once to choose the number of passes and once for as many on the whole log. So that
both fit in `budget` seconds of the processor, its passes are limited by what a first pass of each took.
"""

import sys
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from peer_protocol import Fit, Fitted, PeerSplit, adapter

from mmsrarec.data.dataset import Interactions, make_interactions
from mmsrarec.data.splits import Queries
from mmsrarec.rankers.registry.registry import ranker_class
from mmsrarec.rankers.sequence_model import SequenceRanker
from mmsrarec.retrieve.settings import RetrieveSettings

ROWS = ("popularity", "item-knn", "user-knn", "ease", "als", "bpr", "sasrec", "gru4rec", "bert4rec")


def training_log(split: PeerSplit) -> Interactions:
    return make_interactions(split.user, split.item, split.time, split.n_users, split.n_items)


def queries_of(split: PeerSplit) -> Queries:
    """The queries; their targets are not known here."""
    unknown = np.full(len(split.query_user), -1)
    return Queries(split.query_user, split.query_time, unknown, tuple(split.history))


def most_passes(name: str, own: Mapping[str, Any], log: Interactions, budget: float) -> int:
    """How many passes of choosing and of the training after it `budget` seconds of the processor hold, at least one."""
    start = time.process_time()
    ranker_class(name)(**own, epochs=1).fit(log)
    return max(1, int(budget / (time.process_time() - start)))


def fit_row(name: str) -> Fit:
    def fit(split: PeerSplit, settings: Mapping[str, Any], seed: int) -> Fitted:
        own = {key: value for key, value in settings.items() if key != "budget"}
        log, kind = training_log(split), ranker_class(name)
        if issubclass(kind, SequenceRanker):
            own["embedding_size"] = own.pop("factors")
            if "budget" in settings:
                usual = RetrieveSettings().epochs
                own["epochs"] = min(usual, most_passes(name, own, log, settings["budget"]))
        ranker = kind(**own).fit(log, seed=seed)
        encoder = getattr(ranker, "encoder", None)
        facts = {} if encoder is None else {"passes": encoder.best_pass}
        return Fitted(lambda: ranker.score(queries_of(split)), facts)

    return fit


MODELS = {name: fit_row(name) for name in ROWS}

if __name__ == "__main__":
    sys.exit(adapter("mmsrarec", MODELS))
