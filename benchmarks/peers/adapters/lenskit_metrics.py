"""LensKit's metrics of scores that a file holds: (m, n) `scores`, of which column 0 is each user's target.

ENVIRONMENTS/lenskit/bin/python benchmarks/peers/adapters/lenskit_metrics.py SCORES.npz

The output is one JSON object: metric to the mean over users.
"""

import json
import sys

import numpy as np
from lenskit.data import ItemList
from lenskit.metrics import NDCG, Hit, RecipRank, call_metric
from lenskit.metrics.ranking import LogRankWeight

GAIN = LogRankWeight(offset=1)
"""1 / log2(rank + 1); its default, from the first paper on NDCG, gives ranks 1 and 2 the same gain."""
METRICS = {
    "HR@5": Hit(5),
    "HR@10": Hit(10),
    "NDCG@5": NDCG(5, weight=GAIN),
    "NDCG@10": NDCG(10, weight=GAIN),
    "MRR@10": RecipRank(10),
    "MRR": RecipRank(),
}


def main() -> int:
    with np.load(sys.argv[1]) as stored:
        orders = np.argsort(-stored["scores"], axis=1)
    target = ItemList(item_ids=[0])
    lists = [ItemList(item_ids=order, ordered=True) for order in orders]
    told = {
        name: float(np.mean([call_metric(metric, one, target) for one in lists])) for name, metric in METRICS.items()
    }
    print(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
