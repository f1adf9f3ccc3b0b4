"""Time what one query costs in a large catalogue: negatives, popularity, keyword overlap.

    OMP_NUM_THREADS=1 python benchmarks/scale/one_query.py --items 1000000

The log is small beside the catalogue, so that what grows with the items shows. Times are the processor's, a mean over
queries, after a first call that builds what is kept. The last line of the output is one JSON object.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable

import numpy as np

from mmsrarec.data.dataset import Interactions, make_interactions
from mmsrarec.data.splits import Queries, leave_one_out
from mmsrarec.evaluate.protocols import published_candidates
from mmsrarec.rankers.base import Ranker
from mmsrarec.rankers.ensemble.interleaved import interleave_cold_items
from mmsrarec.rankers.ensemble.keyword_overlap import KeywordOverlap
from mmsrarec.rankers.ensemble.leading import proposals
from mmsrarec.rankers.registry.registry import ranker_class
from mmsrarec.retrieve.signals import popularity_levels

N_KEYWORDS, KEYWORDS_OF_ITEM, N_PROPOSED = 5_000, 5, 20
EXPONENT = 0.9
"""The item of rank r is chosen in proportion to 1 / (r + 20) ** EXPONENT."""


def draw_log(items: int, users: int, interactions: int, rng: np.random.Generator) -> Interactions:
    low, high = 20 ** (1 - EXPONENT), (items + 20) ** (1 - EXPONENT)
    rank = ((low + rng.random(interactions) * (high - low)) ** (1 / (1 - EXPONENT)) - 20).astype(np.int64)
    user, time_s = rng.integers(users, size=interactions), rng.integers(10**6, 10**8, size=interactions)
    return make_interactions(user, np.minimum(rank, items - 1), time_s, users, items)


def ms_each(call: Callable[[], object], n: int) -> float:
    """Milliseconds of the processor for one of n queries, once what is kept is built."""
    call()
    started = time.process_time()
    call()
    return round(1000 * (time.process_time() - started) / n, 4)


def measure(items: int, users: int, interactions: int, queries: int, seed: int = 0) -> dict[str, float]:
    """The milliseconds of one query, by what is done."""
    rng = np.random.default_rng(seed)
    log = draw_log(items, users, interactions, rng)
    split = leave_one_out(log)
    asked = split.test.pick(np.arange(min(queries, len(split.test))))
    candidates = published_candidates(asked, log, seed)
    later = Queries(asked.user, np.full(len(asked), 10**9), asked.target, asked.history)
    codes = rng.integers(N_KEYWORDS, size=(items, KEYWORDS_OF_ITEM)).tolist()
    overlap = KeywordOverlap([tuple(map(str, row)) for row in codes])
    few = asked.pick(np.arange(min(5, len(asked))))
    return {
        "negatives": ms_each(lambda: published_candidates(asked, log, seed), len(asked)),
        "popularity": ms_each(lambda: popularity_levels.levels(split.train, asked, candidates.items), len(asked)),
        "popularity_after_the_log": ms_each(
            lambda: popularity_levels.levels(split.train, later, candidates.items), len(asked)
        ),
        "keyword_overlap": ms_each(lambda: overlap.score(few, None), len(few)),
        "candidates_of_an_answer_p50": median_ms(rules_and_words(log, overlap), asked, N_PROPOSED),
    }


def rules_and_words(log: Interactions, words: KeywordOverlap) -> Ranker:
    """What proposes to a served query: rules, in turns with keywords among the items that nobody consumed."""
    rules = ranker_class("sequential-rules")().fit(log)
    return interleave_cold_items(rules, words, log.counts == 0, N_PROPOSED)


def median_ms(ranker: Ranker, queries: Queries, n: int) -> float:
    """The median of the processor's milliseconds for the n candidates of one query, asked one at a time."""
    spent = []
    for row in range(-1, len(queries)):
        query = queries.pick(np.array([max(row, 0)]))
        started = time.process_time()
        proposals(ranker, query, n)
        spent.append(1000 * (time.process_time() - started))
    return round(statistics.median(spent[1:]), 2)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--items", type=int, default=1_000_000)
    options.add_argument("--users", type=int, default=20_000)
    options.add_argument("--interactions", type=int, default=400_000)
    options.add_argument("--queries", type=int, default=200)
    args = options.parse_args()
    times = measure(args.items, args.users, args.interactions, args.queries)
    print(json.dumps({"benchmark": "scale_one_query", **vars(args), "ms_a_query": times}))


if __name__ == "__main__":
    main()
