"""Evaluate a ranker of your own as the report evaluates the others: full ranking of each user's last item.

    python examples/evaluate_own_ranker.py DATA

A ranker is any object with a name and `score(queries, candidates)`. This one counts what followed the last item.
"""

import argparse

import numpy as np

from mmsrarec import Dataset
from mmsrarec.data.splits import leave_one_out
from mmsrarec.evaluate.protocols import evaluate_full
from mmsrarec.rankers.popularity import Popularity


class LastItem:
    """How often an item followed directly upon the last item of the history."""

    name = "last-item"

    def __init__(self, train):
        self.follows = np.zeros((train.n_items, train.n_items), dtype=np.float32)
        same_user = train.user[:-1] == train.user[1:]
        np.add.at(self.follows, (train.item[:-1][same_user], train.item[1:][same_user]), 1)

    def score(self, queries, candidates):
        """(m, c) scores of (m, c) candidates; (m, items) of all where `candidates` is None."""
        last = np.array([history[-1] if len(history) else 0 for history in queries.history])
        scores = self.follows[last]
        return scores if candidates is None else np.take_along_axis(scores, candidates, axis=1)


parser = argparse.ArgumentParser()
parser.add_argument("data", help="a data folder")
args = parser.parse_args()

dataset = Dataset.load(args.data)
split = leave_one_out(dataset.interactions)
queries = split.test.rankable
for ranker in (Popularity().fit(split.train), LastItem(split.train)):
    found = evaluate_full(ranker, queries, len(dataset.items), ("HR@10", "NDCG@10"))
    print(f"{ranker.name:12}", "  ".join(f"{name} {values.mean():.3f}" for name, values in found.items()))
