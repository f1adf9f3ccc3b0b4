"""Time packed scoring against one prompt per candidate, on users of a synthetic catalogue.

    python benchmarks/packing.py --users 50 --check

Both ways ask the same prompts of the same model, in turns within each user, so that a busy machine slows both. The last
line of the output is one JSON object; times are medians over users and repeats, in milliseconds a user.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from mmsrarec.core.artefacts import versions
from mmsrarec.data.dataset import Dataset, FloatArray, IntArray
from mmsrarec.data.splits import Split, leave_one_out
from mmsrarec.data.synthetic.catalogue import draw_catalogue
from mmsrarec.evaluate.protocols import published_candidates
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.backbone.settings import ModelSettings
from mmsrarec.models.packing.packed_prompt import PackedPrompt
from mmsrarec.models.vision.image_features import encode_catalogue_images
from mmsrarec.recommend.prompt.prompt_context import PromptContext, Retrieval
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.ranking.scorer import score_packs
from mmsrarec.recommend.settings import RecommendSettings
from mmsrarec.retrieve.neighbours import Neighbours
from mmsrarec.runs.recipe import load_recipe
from mmsrarec.summarize.keyword_parsing import fallback
from mmsrarec.summarize.keywords import Keywords

AGREEMENT = 1e-4
"""How far scores of the two ways may lie apart in float32."""


class Bag:
    """Stands in for the sequence encoder: which items were had, the newer the heavier. Needs no training."""

    def __init__(self, n_items: int):
        self.n_items = n_items

    def encode(self, histories: Sequence[IntArray]) -> np.ndarray:
        vectors = np.zeros((len(histories), self.n_items), dtype=np.float32)
        for vector, history in zip(vectors, histories, strict=True):
            vector[history] = 0.8 ** np.arange(len(history))[::-1]
        return vectors


def ask(
    dataset: Dataset, split: Split, negatives: int, users: int, settings: RecommendSettings, full: bool = False
) -> list[PromptContext]:
    """What a prompt says of the first test users: 1 + negatives candidates each. full: a history that has less items
    than a prompt shows begins with some that are drawn."""
    retrieval = Retrieval(
        split.train, Neighbours(split.train, Bag(len(dataset.items))), load_recipe("sample", ["data=none"]).retrieve
    )
    queries = split.test.pick(np.arange(min(users, len(split.test))))
    if full:
        rng, n, histories = np.random.default_rng(0), settings.history, []
        for own, target in zip(queries.history, queries.target, strict=True):
            drawn = rng.permutation(len(dataset.items))[:n]
            before = drawn[~np.isin(drawn, [*own, target])]
            histories.append(np.concatenate([before[: max(n - len(own), 0)], own]))
        queries = replace(queries, history=tuple(histories))
    candidates = published_candidates(queries, dataset.interactions, seed=0, n=negatives)
    return retrieval.gather(queries.pick(candidates.rows), candidates.items, settings)


def make_prompts(mllm: Mllm, dataset: Dataset, context: list[PromptContext], settings: RecommendSettings) -> Prompts:
    """Prompts of an untuned model. Keywords are the items' own words; all pictures are said to show a red star."""
    n = len(dataset.items)
    pictured = [item.image is not None for item in dataset.items]
    keywords = Keywords(
        image=tuple(("star", "red") if has else () for has in pictured),
        text=tuple(fallback(item, settings.item_keywords) for item in dataset.items),
        source=(("none", "fallback"),) * n,
        answers=((None, None),) * n,
    )
    asked = {code for one in context for code in one.candidates}
    bare = (item if code in asked else replace(item, image=None) for code, item in enumerate(dataset.items))
    shown = replace(dataset, items=tuple(bare))
    features = (
        encode_catalogue_images(mllm, shown, settings.visual_tokens).features if settings.prompt_fields.pictures else {}
    )
    return Prompts(mllm, dataset, keywords, features, settings)


def packed(prompts: Prompts, pack: PackedPrompt) -> FloatArray:
    """All candidates in one pack."""
    return score_packs(prompts, [pack])[0]


def one_by_one(prompts: Prompts, pack: PackedPrompt) -> FloatArray:
    """A forward pass for each candidate's prompt."""
    return np.concatenate([score_packs(prompts, [single])[0] for single in pack.unpacked()])


def one_batch(prompts: Prompts, pack: PackedPrompt) -> FloatArray:
    """Each candidate's prompt whole, all of a user in one batch."""
    singles = pack.unpacked()
    return np.concatenate(score_packs(prompts, singles, batch_tokens=sum(map(len, singles)) * 2))


WAYS: dict[str, Callable[[Prompts, PackedPrompt], FloatArray]] = {
    "packed": packed,
    "one_by_one": one_by_one,
    "one_batch": one_batch,
}


def measure(prompts: Prompts, packs: list[PackedPrompt], repeats: int) -> dict[str, float]:
    """Median milliseconds a user of each way."""
    names, times = list(WAYS), {name: [] for name in WAYS}
    for name in names:
        WAYS[name](prompts, packs[0])  # first calls pay for memory
    for repeat in range(repeats):
        for number, pack in enumerate(packs):
            turn = (repeat + number) % len(names)
            for name in names[turn:] + names[:turn]:
                started = time.perf_counter()
                WAYS[name](prompts, pack)
                times[name].append(1000 * (time.perf_counter() - started))
        print(f"repeat {repeat + 1} of {repeats}", file=sys.stderr)
    return {name: round(statistics.median(values), 3) for name, values in times.items()}


def disagreement(prompts: Prompts, packs: list[PackedPrompt]) -> float:
    """The largest difference between scores of two ways."""
    scores = [[way(prompts, pack) for way in WAYS.values()] for pack in packs]
    return max(float(np.abs(first - other).max()) for first, *others in scores for other in others)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--model", default="embedded", help='"embedded", or any image-text-to-text model')
    options.add_argument("--recipe", default="sample", help="whose prompt settings are used")
    options.add_argument("--users", type=int, default=50)
    options.add_argument("--negatives", type=int, default=20)
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--dtype", choices=("auto", "float32", "bfloat16"), default="auto")
    options.add_argument("--device", default="cpu")
    options.add_argument("--check", type=int, nargs="?", const=3, default=0, help="users asked again in float32")
    args = options.parse_args()

    settings = load_recipe(args.recipe, ["data=none"]).recommend

    def prompts_in(dtype: str) -> Prompts:
        model = ModelSettings.model_validate({"name": args.model, "dtype": dtype})
        return make_prompts(Mllm.load(model, args.device), dataset, context, settings)

    with tempfile.TemporaryDirectory() as folder:
        dataset = draw_catalogue(Path(folder) / "catalogue", seed=0)
        context = ask(dataset, leave_one_out(dataset.interactions), args.negatives, args.users, settings)
        prompts = prompts_in(args.dtype)
        packs = [prompts.render(one) for one in context]
        times = measure(prompts, packs, args.repeats)
        apart = disagreement(prompts_in("float32"), packs[: args.check]) if args.check else None

    result = {
        "benchmark": "packing",
        "ms_per_user": times,
        "ratio": round(times["one_by_one"] / times["packed"], 2),
        "ratio_to_one_batch": round(times["one_batch"] / times["packed"], 2),
        "float32_disagreement": apart,
        "tokens_packed": statistics.median(map(len, packs)),
        "tokens_unpacked": statistics.median(sum(map(len, pack.unpacked())) for pack in packs),
        "users": len(packs),
        "candidates": args.negatives + 1,
        "repeats": args.repeats,
        "model": prompts.mllm.fingerprint,
        "dtype": str(prompts.mllm.dtype).removeprefix("torch."),
        "device": args.device,
        "threads": torch.get_num_threads(),
        "recipe": args.recipe,
        "settings": settings.model_dump(
            include={"prompt_fields", "history", "similar_items", "item_keywords", "visual_tokens"}
        ),
        "versions": versions(),
    }
    print(json.dumps(result))
    return int(apart is not None and apart > AGREEMENT)


if __name__ == "__main__":
    sys.exit(main())
