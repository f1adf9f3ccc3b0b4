"""What becomes of a trained adapter in the format that the model computes in, on users of a finished run.

    python benchmarks/merge.py --run runs/sample --variant whole --users 100

Four ways to serve the adapter: merged into float32 weights, which is the reference; merged into weights of the run's
own format; as PEFT applies it, unmerged; and kept beside the weights (`LowRank`), as it is served. Of the merged
weights: how much of each matrix's change is lost. Of all four: each user's candidates (1 positive, 20 negatives) are
scored and ranked. Ways take turns with each user, so that a busy machine slows all alike. The last line of the output
is one JSON object.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import torch

from mmsrarec.core.artefacts import versions
from mmsrarec.evaluate.protocols import published_candidates
from mmsrarec.models.backbone.adapter import WEIGHTS, load_adapter, replace_lora_layers
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.ranking.scorer import score_packs
from mmsrarec.runs.run_folder import RunFolder, adapter_part

REFERENCE = "merged in float32"


def models(run_folder: RunFolder, variant: str, adapter: Path) -> dict[str, Mllm]:
    """The same adapter on the same model, in four ways."""

    def fresh(dtype: str) -> Mllm:
        settings = run_folder.recommend_settings(variant)
        model = run_folder.recipe.model.model_copy(update={"dtype": dtype})
        return Mllm.load(model).shorten(settings.layers, settings.layer_selection)

    own = run_folder.recipe.model.dtype
    ways = {REFERENCE: fresh("float32"), "merged": fresh(own), "unmerged": fresh(own), "beside": fresh(own)}
    for way, mllm in ways.items():
        peft = load_adapter(mllm, adapter)
        if "merged" in way.split():
            mllm.model = peft.merge_and_unload()  # pyright: ignore
        elif way == "beside":
            mllm.model = replace_lora_layers(peft)
    return ways


def lost(plain: Mllm, merged: Mllm, exact: Mllm) -> dict[str, float]:
    """Of each changed matrix: the change's size beside the weights', how far merging misses it, and the share of
    weights that it leaves as they were."""
    before, after, whole = (dict(one.model.named_parameters()) for one in (plain, merged, exact))
    sizes, errors, same = [], [], []
    for name, weight in whole.items():
        change = weight.float() - before[name].float()
        if change.any():
            found = after[name].float() - before[name].float()
            sizes.append(float(change.norm() / before[name].float().norm()))
            errors.append(float((found - change).norm() / change.norm()))
            same.append(float((found == 0)[change != 0].float().mean()))
    return {
        "matrices": len(sizes),
        "size": round(float(np.mean(sizes)), 4),
        "error_mean": round(float(np.mean(errors)), 3),
        "error_worst": round(max(errors), 3),
        "rounded_back": round(float(np.mean(same)), 3),
    }


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--run", type=Path, required=True, help="the folder of a run whose stage 3 is finished")
    options.add_argument("--variant", default="whole", help="whose adapter")
    options.add_argument("--users", type=int, default=100)
    options.add_argument("--seed", type=int, default=0)
    args = options.parse_args()

    run_folder = RunFolder.open(args.run)
    split = run_folder.recipe.evaluate.splits[0]
    adapter = run_folder.folder / adapter_part(split, args.variant) / "adapter"
    if not (adapter / WEIGHTS).is_file():
        options.error(f"{adapter} holds no adapter: run stage 3 first")
    if run_folder.recipe.runtime.threads:
        torch.set_num_threads(run_folder.recipe.runtime.threads)
    ways = models(run_folder, args.variant, adapter)
    prompts: dict[str, Prompts] = {way: run_folder.prompts(args.variant, mllm) for way, mllm in ways.items()}
    settings = run_folder.recommend_settings(args.variant)
    plain = Mllm.load(run_folder.recipe.model).shorten(settings.layers, settings.layer_selection)
    test = run_folder.split(split).test
    rows = np.sort(np.random.default_rng(args.seed).permutation(len(test))[: args.users])
    test = test.pick(rows)
    asked = published_candidates(test, run_folder.dataset.interactions, args.seed)
    context = run_folder.retrieval(split, args.variant).gather(test, asked.items, settings)
    scores: dict[str, list[np.ndarray]] = {way: [] for way in ways}
    times: dict[str, list[float]] = {way: [] for way in ways}
    for number, one in enumerate(context):
        for way, mine in prompts.items():
            pack, started = mine.render(one), time.perf_counter()
            scores[way] += score_packs(mine, [pack])
            times[way].append(1000 * (time.perf_counter() - started))
        print(f"ranked {number + 1} of {len(context)}", file=sys.stderr)
    logits = {
        way: np.log(p := np.clip(np.array(found), 1e-9, 1 - 1e-9)) - np.log1p(-p) for way, found in scores.items()
    }
    ranks = {way: np.argsort(np.argsort(-found, axis=1), axis=1) for way, found in logits.items()}
    places = {way: np.take_along_axis(found, asked.place[:, None], axis=1)[:, 0] for way, found in ranks.items()}
    told = {}
    for way, found in logits.items():
        place = places[way]
        told[way] = {
            "ms": round(statistics.median(times[way]), 1),
            "HR@5": round(float((place < 5).mean()), 4),
        }
        for other in ("unmerged",) if way == REFERENCE else (REFERENCE, "unmerged"):
            gap = np.abs(found - logits[other])
            told[way][f"against {other}"] = {
                "log_odds_mean": round(float(gap.mean()), 5),
                "log_odds_largest": round(float(gap.max()), 4),
                "ranks_moved": round(float((ranks[way] != ranks[other]).mean()), 4),
                "targets_moved": round(float((place != places[other]).mean()), 4),
            }
    result = {
        "benchmark": "merge",
        "change": lost(plain, ways["merged"], ways[REFERENCE]),
        "ways": told,
        "users": len(context),
        "variant": args.variant,
        "data": run_folder.dataset.name,
        "model": plain.fingerprint,
        "rank": settings.rank,
        "layers": len(plain.decoder.layers),  # pyright: ignore
        "threads": torch.get_num_threads(),
        "seed": args.seed,
        "versions": versions(),
    }
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
