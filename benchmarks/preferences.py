"""Whether preferences are obeyed at once, and what training with them costs, on test users of a finished run.

    python benchmarks/preferences.py --run runs/sample --users 100 --against runs/without-preferences

Of each user's 1 + 20 published candidates, a keyword that some have and some lack is drawn; they are ranked as they
are, with more of it asked for, and with less. Nothing is trained in between. HR@5 is that of the ranking without
preferences; --against: another run on the same data, whose HR@5 is measured on the same candidates. --served: users who
are answered as a served run answers, and of whose first five the share is told that carries a drawn word. The last line
of the output is one JSON object: places that items with the keyword rise, mean over users and its standard error.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from math import comb
from pathlib import Path

import numpy as np
import torch

from mmsrarec.core.artefacts import versions
from mmsrarec.data.dataset import FloatArray
from mmsrarec.evaluate.protocols import published_candidates
from mmsrarec.recommend.prompt.preferences import UserPreferences, carries
from mmsrarec.recommend.prompt.prompt_context import PromptContext
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.ranking.scorer import score_packs
from mmsrarec.runs.recommender import Recommender


def ask(recommender: Recommender, users: int, seed: int) -> tuple[list[PromptContext], FloatArray]:
    """Random test users with their published candidates, and which of these each took, (users, candidates)."""
    run_folder = recommender.run_folder
    split, evaluate = run_folder.recipe.evaluate.splits[0], run_folder.recipe.evaluate
    test = run_folder.split(split).test
    test = test.pick(np.sort(np.random.default_rng(seed).permutation(len(test))[:users]))
    asked = published_candidates(test, run_folder.dataset.interactions, seed=seed, n=evaluate.negatives)
    test = test.pick(asked.rows)
    context = recommender.retrieval.gather(test, asked.items, recommender.prompts.settings)
    return context, asked.items == test.target[:, None]


def ranks(prompts: Prompts, context: Sequence[PromptContext], label: str) -> FloatArray:
    """(users, candidates) places from 1; equals share the mean of theirs."""

    def tell(done: int, total: int, _: str) -> None:
        print(f"{label}: {done} of {total}", file=sys.stderr)

    scores = np.array(score_packs(prompts, [prompts.render(one) for one in context], progress=tell))
    above = (scores[:, None, :] > scores[:, :, None]).sum(2)
    equal = (scores[:, None, :] == scores[:, :, None]).sum(2)
    return above + (equal + 1) / 2


def words_for(prompts: Prompts, context: Sequence[PromptContext], seed: int) -> list[str | None]:
    """For each user a keyword that at least one candidate has and at least one lacks."""
    rng, found = np.random.default_rng(seed), []
    for one in context:
        shown = [prompts.shown_keywords(code) for code in one.candidates]
        words = sorted({word for words in shown for word in words})
        telling = [word for word in words if 0 < sum(carries(words, [word]) for words in shown) < len(shown)]
        found.append(str(rng.choice(telling)) if telling else None)
    return found


def moved(before: FloatArray, after: FloatArray, has: FloatArray) -> dict:
    """How far items with the keyword rise, (users,) means, and whether that is chance, by a two-sided sign test."""
    rise = np.array([(b - a)[mine].mean() for b, a, mine in zip(before, after, has, strict=True)])
    up, n = int((rise > 0).sum()), int((rise != 0).sum())
    p = min(1.0, 2 * sum(comb(n, at) for at in range(max(up, n - up), n + 1)) / 2**n)
    error = rise.std(ddof=1) / np.sqrt(len(rise))
    return {"rise": round(float(rise.mean()), 3), "error": round(float(error), 3), "up": up, "moved": n, "p": p}


def served(recommender: Recommender, users: int, seed: int) -> dict:
    """The share of the first five recommendations that carry a word, asked for as they are, with more and with less of
    it: means over users, and the standard error of what the preference changes. Words are those of 3 to 30 % of the
    items."""
    dataset, rng, items = recommender.dataset, np.random.default_rng(seed), len(recommender.dataset.items)
    shown = [recommender.prompts.shown_keywords(code) for code in range(items)]
    said = Counter(word for words in shown for word in set(words))
    words = sorted(word for word, count in said.items() if 0.03 * items <= count <= 0.3 * items)
    shares = {"plain": [], "more": [], "less": []}
    for user in rng.permutation(dataset.user_ids)[:users]:
        word = str(rng.choice(words))
        for kind, found in shares.items():
            preference = {} if kind == "plain" else {kind: [word]}
            best = recommender.recommend(user=str(user), k=5, reasons=False, **preference)
            found.append(np.mean([carries(shown[dataset.item_code[one.item_id]], [word]) for one in best]))
    changed = {kind: np.subtract(found, shares["plain"]) for kind, found in shares.items() if kind != "plain"}
    errors = {kind: round(float(one.std(ddof=1) / np.sqrt(users)), 3) for kind, one in changed.items()}
    return {
        "words": len(words),
        **{kind: round(float(np.mean(one)), 3) for kind, one in shares.items()},
        "error": errors,
    }


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--run", type=Path, required=True, help="the folder of a finished run")
    options.add_argument("--against", type=Path, help="another run on the same data")
    options.add_argument("--users", type=int, default=100)
    options.add_argument("--served", type=int, default=0, help="users who are answered as a served run does")
    options.add_argument("--seed", type=int, default=0)
    args = options.parse_args()

    recommender = Recommender.load(args.run)
    if threads := recommender.run_folder.recipe.runtime.threads:
        torch.set_num_threads(threads)
    prompts = recommender.prompts
    context, taken = ask(recommender, args.users, args.seed)
    words = words_for(prompts, context, args.seed)
    plain = ranks(prompts, context, "as they are")
    told = np.array([word is not None for word in words])
    result: dict = {"benchmark": "preference_rate", "users": len(context), "users_with_a_keyword": int(told.sum())}
    result["HR@5"] = round(float((plain[taken] <= 5).mean()), 4)
    pairs = list(zip(context, words, strict=True))
    has = np.array([[carries(prompts.shown_keywords(c), [w or ""]) for c in one.candidates] for one, w in pairs])
    for kind in ("more", "less"):
        asked = [
            replace(one, preferences=UserPreferences(**{kind: (word,)})) for one, word in pairs if word is not None
        ]
        result[kind] = moved(plain[told], ranks(prompts, asked, kind), has[told])
        print(json.dumps(result), file=sys.stderr)
    if args.against:
        other = Recommender.load(args.against)
        theirs, same = ask(other, args.users, args.seed)
        hits = ranks(other.prompts, theirs, "against")[same] <= 5
        gap = (plain[taken] <= 5).astype(float) - hits
        error = float(gap.std(ddof=1) / np.sqrt(len(gap)))
        result["against"] = {"HR@5": round(float(hits.mean()), 4), "difference": [float(gap.mean()), round(error, 4)]}
    if args.served:
        result["served"] = served(recommender, args.served, args.seed)
    result |= {
        "data": recommender.dataset.name,
        "model": prompts.mllm.fingerprint,
        "seed": args.seed,
        "settings": prompts.settings.model_dump(
            include={"prompt_fields", "n_examples", "negatives", "preference_rate", "layers"}
        ),
        "versions": versions(),
    }
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
