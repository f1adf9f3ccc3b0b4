"""What each collaborative signal carries on its own and beside the others, without a language model.

    mmsrarec retrieve recipes/sample.toml --out runs/sample
    python benchmarks/signals.py runs/sample

Asked as in the published protocol: 1 positive and 20 uniform negatives on the first split's test users. A single signal
ranks by its level or its weight. A fusion is a linear score of all that a prompt would say (a weight for every word of
every signal, and for being among the collaborative items or sharing their keywords), fitted by cross-entropy over
validation users' candidates. It bounds from below what a prompt with these words can tell. The keywords are words of
the item's own text, for stage 1 need not have run. The last line of the output is one JSON object.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from mmsrarec.core.artefacts import versions
from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.evaluate.metrics import count_competitors, measure
from mmsrarec.evaluate.protocols import Candidates, published_candidates
from mmsrarec.evaluate.significance import intervals, paired
from mmsrarec.recommend.prompt.prompt_context import PromptContext, Retrieval
from mmsrarec.recommend.prompt.prompts import FACTS
from mmsrarec.recommend.settings import PromptFields, RecommendSettings
from mmsrarec.retrieve.collaborative_context import Votes, rarity, voting_neighbours
from mmsrarec.retrieve.neighbours import query_times
from mmsrarec.retrieve.signals.popularity_levels import counts
from mmsrarec.retrieve.signals.transitions import transitions
from mmsrarec.runs.run_folder import RunFolder
from mmsrarec.summarize.keyword_parsing import fallback

TODAY = ("popularity", "neighbour_votes", "similar")
"""What a prompt says unless a recipe says otherwise."""
ADDED = ("keywords", "transitions", "follows", "recency", "trend")
FUSIONS: Mapping[str, Sequence[str]] = {
    "today": TODAY,
    **{f"today and {name}": (*TODAY, name) for name in ADDED},
    "keywords for items": ("popularity", "neighbour_votes", "keywords"),
    "all": (*TODAY, *ADDED),
    **{f"all but {name}": tuple(other for other in (*TODAY, *ADDED) if other != name) for name in (*TODAY, *ADDED)},
}


class Words:
    """Stands in for stage 1: words of the items' own texts."""

    def __init__(self, run_folder: RunFolder, most: int):
        self.words = [fallback(item, most) for item in run_folder.dataset.items]

    def united(self, code: int) -> tuple[str, ...]:
        return self.words[code]


def shared_keywords(context: PromptContext, words: Words, rare: Mapping[str, float], most: int) -> list[float]:
    """(c,): the weight of the collaborative keywords that each candidate has, as a share of the heaviest keyword."""
    had = {word for code in context.history for word in words.united(code)}
    weights: dict[str, float] = {}
    for vote in context.votes:
        for word in set(words.united(vote.item)) - had:
            weights[word] = weights.get(word, 0.0) + vote.weight * rare[word]
    best = dict(sorted(weights.items(), key=lambda pair: -pair[1])[:most])
    top = max(best.values(), default=0.0) or 1.0
    return [sum(best.get(word, 0.0) for word in words.united(code)) / top for code in context.candidates]


def look(retrieval: Retrieval, queries: Queries, items: IntArray, words: Words, settings: RecommendSettings) -> dict:
    """Each signal of (m, c) candidates, (m, c): levels where a prompt says words, elsewhere weights to rank by."""
    everything = settings.model_copy(
        update={"prompt_fields": PromptFields(similar_keywords=True, follows=True, recency=True, trend=True)}
    )
    second = settings.model_copy(update={"prompt_fields": PromptFields(transitions=True)})
    gathered = retrieval.gather(queries, items, everything)
    found: dict = {name: np.array([getattr(one, name) for one in gathered]) for name in FACTS}
    rare = rarity(words, len(words.words))
    found["keywords"] = np.array([shared_keywords(one, words, rare, settings.similar_tokens // 3) for one in gathered])
    for name, context in (("similar", gathered), ("transitions", retrieval.gather(queries, items, second))):
        found[name] = np.array([np.isin(one.candidates, one.similar) for one in context], dtype=np.int64)
    return found | weights(retrieval, queries, items, settings)


def weights(retrieval: Retrieval, queries: Queries, items: IntArray, settings: RecommendSettings) -> dict:
    """The quantities behind the words, unrounded."""
    s, past, train = retrieval.settings, retrieval.past, retrieval.train
    found: dict[str, FloatArray] = {name: np.zeros(items.shape) for name in ("neighbour_votes", "follows", "recency")}
    for these, asked, voters, following in voting_neighbours(
        retrieval.neighbours, train, queries, s.n_vote_neighbours_of(train.n_users), s.n_vote_items
    ):
        for row, (i, time) in enumerate(zip(these.tolist(), query_times(asked).tolist(), strict=True)):
            same = retrieval.neighbours.same_person(asked, row)
            votes = {
                "neighbour_votes": Votes.of(following[row], voters.similarity[row], voters.user[row]),
                "follows": transitions(past, asked, row, same, settings.transition_window),
            }
            for name, vote in votes.items():
                found[name][i] = np.bincount(vote.item, vote.weight, train.n_items)[items[i]]
            found["recency"][i] = past.last_by_others(items[i], int(asked.user[row]), time)
    found["popularity"] = counts(train, queries, items)[0].astype(float)
    return {f"{name}, unrounded": value for name, value in found.items()}


def columns(found: Mapping[str, np.ndarray], names: Sequence[str]) -> FloatArray:
    """(m, c, f): a column for every level of every signal, so that a fusion is free in what each word is worth."""
    parts = []
    for name in names:
        values = found[name]
        if name in FACTS:
            parts.append(np.eye(len(FACTS[name]))[values])
        else:
            parts.append(np.stack([values > 0, values], axis=-1).astype(float))
    return np.concatenate(parts, axis=-1)


def fit(features: FloatArray, place: IntArray, penalty: float = 1e-3) -> FloatArray:
    """Weights (f,) of least cross-entropy of the positive among its candidates."""
    x_mcf, target = torch.from_numpy(features), torch.from_numpy(place)
    weight = torch.zeros(x_mcf.shape[-1], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(x_mcf @ weight, target) + penalty * weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)  # pyright: ignore[reportArgumentType]
    return weight.detach().numpy()


def ranked(scores: FloatArray, asked: Candidates) -> dict[str, FloatArray]:
    """HR@5, NDCG@5 and AUC, each (m,)."""
    place = asked.place[:, None]
    positive = np.take_along_axis(scores, place, axis=1)[:, 0]
    above, tied = count_competitors(positive, scores, np.arange(scores.shape[1]) != place)
    return measure(above, tied, scores.shape[1] - 1, ("HR@5", "NDCG@5", "AUC"))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("run", type=Path, help="a run whose stage 2 (retrieve) is finished")
    options.add_argument("--negatives", type=int, default=20)
    args = options.parse_args()
    torch.set_num_threads(1)

    run_folder = RunFolder.open(args.run)
    recipe, name = run_folder.recipe, run_folder.recipe.evaluate.splits[0]
    split, retrieval, settings = run_folder.split(name), run_folder.retrieval(name), recipe.recommend
    words = Words(run_folder, settings.item_keywords)
    asked = {
        part: published_candidates(queries, run_folder.dataset.interactions, recipe.seed, args.negatives)
        for part, queries in (("valid", split.valid), ("test", split.test))
    }
    found = {
        part: look(retrieval, queries.pick(asked[part].rows), asked[part].items, words, settings)
        for part, queries in (("valid", split.valid), ("test", split.test))
    }
    print("looked", file=sys.stderr)
    alone = {signal: ranked(values.astype(float), asked["test"]) for signal, values in found["test"].items()}
    fused = {}
    for fusion, names in FUSIONS.items():
        weight = fit(columns(found["valid"], names), asked["valid"].place)
        fused[fusion] = ranked(columns(found["test"], names) @ weight, asked["test"])

    def table(rows: Mapping[str, dict[str, FloatArray]]) -> dict:
        return {
            row: {metric: [round(v, 4) for v in asdict(i).values()] for metric, i in intervals(values).items()}
            for row, values in rows.items()
        }

    against = {
        fusion: {metric: paired(values[metric], fused["today"][metric]) for metric in ("HR@5", "AUC")}
        for fusion, values in fused.items()
        if fusion != "today"
    }
    for title, rows in (("alone", alone), ("fused", fused)):
        for row, values in rows.items():
            print(f"{title:6} {row:28}", *(f"{m} {v.mean():.3f}" for m, v in values.items()), file=sys.stderr)
    print(
        json.dumps(
            {
                "benchmark": "signals",
                "data": recipe.name,
                "split": name,
                "users": len(split.test),
                "alone": table(alone),
                "fused": table(fused),
                "fused_against_today": {
                    fusion: {m: {k: round(v, 4) for k, v in asdict(d).items()} for m, d in found.items()}
                    for fusion, found in against.items()
                },
                "settings": {"negatives": args.negatives, "retrieve": recipe.retrieve.model_dump()},
                "candidates": asked["test"].digest,
                "versions": versions(),
            }
        )
    )


if __name__ == "__main__":
    main()
