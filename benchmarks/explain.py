"""What explanations cost beside one ranking, and whether they are faithful, on users of a finished run.

    python benchmarks/explain.py --run runs/sample --users 100

Cost: explaining the top k of each user's proposals against ranking these proposals once. As a user pays for both, one
comes right after the other. Reasons are measured through a `PrefixTree`, which reads the top k once more; then the same
packs are scored without a tree, so that a busy machine slows all three. Faithfulness: the best proposal is scored again
without its top reason, without a random one, without its two top reasons at once, and without two random ones. For one
reason a larger drop holds by construction, as the reasons were put in order by it; for two at once, and for the rank
among the proposals, it does not. The same is done among the reasons in words alone, and among those in vectors (soft
tokens) alone, of users who have two of a kind. The last line of the output is one JSON object: medians over users of
milliseconds and tokens, means with their standard errors.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import reduce
from operator import or_
from pathlib import Path

import numpy as np
import torch

from mmsrarec.core.artefacts import versions
from mmsrarec.data.dataset import FloatArray
from mmsrarec.models.packing.packed_prompt import PackedPrompt
from mmsrarec.models.packing.prefix_tree import PrefixTree
from mmsrarec.rankers.ensemble.two_stage import Reranked
from mmsrarec.recommend.explain import explain_all, explanation_prompts, facts_of, log_odds
from mmsrarec.recommend.prompt.explanation_units import Mask, PromptFact
from mmsrarec.recommend.prompt.prompt_context import PromptContext
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.ranking.scorer import score_packs
from mmsrarec.runs.recommender import Recommender

TOLD_IN = {"words": False, "vectors": True}
"""Kinds of reasons that are also looked at alone, and whether their names begin with "soft"."""


def proposals(recommender: Recommender, split: str, users: int, candidates: int, seed: int) -> list[PromptContext]:
    """Test users at random, each with what is proposed to them."""
    run_folder = recommender.run_folder
    test = run_folder.split(split).test  # pyright: ignore
    rows = np.random.default_rng(seed).permutation(len(test))[:users]
    found = []
    for row in np.sort(rows):
        query = test.pick(np.array([row]))
        proposed = Reranked("", recommender.generator, recommender.scorer, candidates).proposals(query)
        found += recommender.retrieval.gather(query, proposed, recommender.prompts.settings)
    return found


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - started)


def cost(prompts: Prompts, context: Sequence[PromptContext], k: int) -> dict:
    """Milliseconds and computed tokens, medians over users. "packs": the explanations', scored without a tree."""
    times: dict[str, list[float]] = {"ranking": [], "explaining": [], "packs": []}
    tokens: dict[str, list[int]] = {"ranking": [], "explaining": [], "packs": []}
    packs_needed = []
    for number, one in enumerate(context):
        ranked, counted = prompts.render(one), PrefixTree()
        best = np.argsort(-score_packs(prompts, [ranked])[0], kind="stable")[:k]
        top = one.pick(best)
        packs = explanation_prompts(prompts, top, *facts_of(prompts, top))
        tokens["ranking"].append(len(ranked))
        read = [counted.grow(asked, prompts.mllm.vision_layout).ids.numel() for asked in ([prompts.render(top)], packs)]
        tokens["explaining"].append(sum(read))
        tokens["packs"].append(sum(map(len, packs)))
        packs_needed.append(len(packs))

        def rank(one: PromptContext = one) -> None:
            score_packs(prompts, [prompts.render(one)])

        def explain(top: PromptContext = top) -> None:
            explain_all(prompts, top)

        def whole(packs: Sequence[PackedPrompt] = packs) -> None:
            score_packs(prompts, packs)

        for name, way in {"ranking": rank, "explaining": explain, "packs": whole}.items():
            times[name].append(timed(way))
        print(f"timed {number + 1} of {len(context)}", file=sys.stderr)
    ms = {name: round(statistics.median(values), 1) for name, values in times.items()}
    read = {name: statistics.median(values) for name, values in tokens.items()}
    return {
        "ms": ms,
        "ratio": round(ms["explaining"] / ms["ranking"], 2),
        "ratio_of_packs": round(ms["packs"] / ms["ranking"], 2),
        "tokens": read,
        "ratio_of_tokens": round(read["explaining"] / read["ranking"], 2),
        "packs": statistics.median(packs_needed),
    }


def without(prompts: Prompts, context: PromptContext, place: int, cut: Mask) -> tuple[float, int]:
    """Log-odds of the candidate at `place` and its rank among all, from 0, when the prompt lacks what is cut."""
    places = range(len(context.candidates))
    candidates = [(cut if at == place else Mask()).candidate(prompts, context, at) for at in places]
    state = cut.of(prompts, context).state
    (scores,) = score_packs(prompts, [PackedPrompt(cut.shared(prompts, context), candidates, state)])
    return log_odds(float(scores[place])), int((scores > scores[place]).sum())


def faithfulness(prompts: Prompts, context: Sequence[PromptContext], seed: int) -> dict:
    """For each kind of reasons: means over users of what the best proposal loses, in log-odds and in ranks."""
    rng = np.random.default_rng(seed)
    drops = {name: Drops() for name in ("all", *TOLD_IN)}
    for number, one in enumerate(context):
        (scores,) = score_packs(prompts, [prompts.render(one)])
        place = int(scores.argmax())
        alone = one.pick([place])
        ((_, reasons),) = explain_all(prompts, alone)
        about_user, own = facts_of(prompts, alone)
        by_text: dict[tuple[str, str], PromptFact] = {(fact.kind, fact.text): fact for fact in [*about_user, *own[0]]}
        facts = [by_text[reason.kind, reason.text] for reason in reasons]
        before = log_odds(float(scores[place]))
        for name, drop in drops.items():
            cuts = [fact.cut for fact in facts if name == "all" or fact.kind.startswith("soft") == TOLD_IN[name]]
            if len(cuts) > 1:
                drop.add(prompts, one, place, before, cuts, rng)
        print(f"left out {number + 1} of {len(context)}", file=sys.stderr)
    return {name: drop.record() for name, drop in drops.items()}


class Drops:
    """What the best proposals lose without their top reasons, and without random ones."""

    def __init__(self) -> None:
        self.lost: dict[str, list[tuple[float, int]]] = {"top": [], "random": [], "top_two": [], "random_two": []}

    def add(
        self,
        prompts: Prompts,
        context: PromptContext,
        place: int,
        before: float,
        cuts: Sequence[Mask],
        rng: np.random.Generator,
    ) -> None:
        """Score one user's best proposal without some of its reasons, whose cuts are in order, the top one first."""
        pair = rng.choice(len(cuts), 2, replace=False)
        left_out = {"top": [0], "random": [int(rng.integers(len(cuts)))], "top_two": [0, 1], "random_two": pair}
        for name, chosen in left_out.items():
            after, rank = without(prompts, context, place, reduce(or_, (cuts[int(at)] for at in chosen)))
            self.lost[name].append((before - after, rank))

    def record(self) -> dict:
        """Means over users, with their standard errors."""
        if not self.lost["top"]:
            return {"users": 0}
        parts = {name: np.array(values, dtype=float) for name, values in self.lost.items()}
        told = {name: {"log_odds": _mean(part[:, 0]), "ranks": _mean(part[:, 1])} for name, part in parts.items()}
        for name, top, other in (("one", "top", "random"), ("two", "top_two", "random_two")):
            gap = parts[top] - parts[other]
            told[f"top_minus_random_{name}"] = {"log_odds": _mean(gap[:, 0]), "ranks": _mean(gap[:, 1])}
            told[f"top_falls_further_{name}"] = {"share": round(float((gap[:, 0] > 0).mean()), 3)}
        return {"users": len(parts["top"]), **told}


def _mean(values: FloatArray) -> list[float | None]:
    """The mean and its standard error."""
    if len(values) < 2:
        return [None, None]
    return [round(float(values.mean()), 4), round(float(values.std(ddof=1) / np.sqrt(len(values))), 4)]


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--run", type=Path, required=True, help="the folder of a finished run")
    options.add_argument("--users", type=int, default=100, help="users whose best proposal loses reasons")
    options.add_argument("--timed", type=int, default=20, help="users that cost is measured on")
    options.add_argument("--candidates", type=int, default=50, help="proposals that one ranking puts in order")
    options.add_argument("--k", type=int, default=10, help="recommendations explained at once")
    options.add_argument("--seed", type=int, default=0)
    args = options.parse_args()

    recommender = Recommender.load(args.run)
    recipe = recommender.run_folder.recipe
    if recipe.runtime.threads:
        torch.set_num_threads(recipe.runtime.threads)
    split = recipe.evaluate.splits[0]
    count = max(args.users, args.timed)
    context = proposals(recommender, split, count, args.candidates, args.seed)
    spent = cost(recommender.prompts, context[: args.timed], args.k) if args.timed else {}
    print(json.dumps(spent), file=sys.stderr)
    faithful = faithfulness(recommender.prompts, context[: args.users], args.seed) if args.users else {}
    result = {
        "benchmark": "explain",
        **spent,
        "faithfulness": faithful,
        "timed_users": args.timed,
        "candidates": args.candidates,
        "k": args.k,
        "data": recommender.dataset.name,
        "model": recommender.prompts.mllm.fingerprint,
        "dtype": str(recommender.prompts.mllm.dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "seed": args.seed,
        "settings": recommender.prompts.settings.model_dump(
            include={
                "prompt_fields",
                "history",
                "similar_items",
                "item_keywords",
                "layers",
                "n_examples",
                "preference_rate",
            }
        ),
        "versions": versions(),
    }
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
