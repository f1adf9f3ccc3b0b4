"""What the ranker costs: training packed and not, scoring by candidates, and its share of the processor's rate.

    OMP_NUM_THREADS=1 python benchmarks/cost.py --layers 30

Prompts are those of `packing.py`. Seconds are the processor's own, medians over repeats, the compared in turns. The
last line of the output is one JSON object. Floating-point operations are counted of real tokens only, padding is a
loss: twice the layers' weights a token, and four a channel for each pair of tokens of which one attends to the other.
"""

import argparse
import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from packing import ask, make_prompts

from mmsrarec.core.artefacts import versions
from mmsrarec.data.splits import leave_one_out
from mmsrarec.data.synthetic.catalogue import draw_catalogue
from mmsrarec.models.backbone.adapter import Trainer, add_adapter
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.backbone.settings import ModelSettings
from mmsrarec.models.packing.packed_prompt import PackedPrompt
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.ranking.scorer import score_packs, yes_minus_no
from mmsrarec.recommend.training.ranking_loss import choose_loss
from mmsrarec.runs.recipe import load_recipe

SQUARE = 2048
"""Side of the matrices by whose product the processor's rate is measured."""


def cpu(do: Callable[[], object]) -> float:
    """Seconds of the processor."""
    started = time.process_time()
    do()
    return time.process_time() - started


def medians(ways: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Each way's median seconds, measured in turns; the first call, which pays for memory, does not count."""
    times = {name: [] for name in ways}
    for repeat in range(repeats + 1):
        for name, way in ways.items():
            took = cpu(way)
            if repeat:
                times[name].append(took)
    return {name: statistics.median(values) for name, values in times.items()}


def operations(pack: PackedPrompt, mllm: Mllm) -> float:
    """Floating-point operations of a forward pass over a pack, without the embedding and the two answers. The last
    feed-forward part reads the ends of candidates and of the shared part only."""
    decoder = mllm.decoder
    weights, last = (
        sum(w.numel() for w in part.parameters() if w.ndim == 2) for part in (decoder.layers, decoder.layers[-1].mlp)
    )  # pyright: ignore
    config = decoder.config
    channels = config.num_attention_heads * getattr(config, "head_dim", mllm.hidden_size // config.num_attention_heads)  # pyright: ignore
    shared, own = len(pack.shared.ids), np.array([len(candidate.ids) for candidate in pack.candidates])
    pairs = shared * (shared + 1) / 2 + (own * shared + own * (own + 1) / 2).sum()
    unread = len(pack) - len(pack.candidates) - 1
    return 2.0 * (weights * len(pack) - last * unread) + 4.0 * channels * pairs * len(decoder.layers)  # pyright: ignore


def train(prompts: Prompts, trainer: Trainer, packs: list[PackedPrompt], n: int) -> None:
    """A step on packs whose positive stands first: `packs` hold n candidates together."""
    logits = yes_minus_no(prompts, packs).view(-1, n)
    trainer.step(choose_loss(logits, torch.zeros(len(logits), dtype=torch.long), "both"))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--model", default="embedded", help='"embedded", or any image-text-to-text model')
    options.add_argument("--recipe", default="sample", help="whose prompt settings are used")
    options.add_argument("--history", type=int, help="items of history in a prompt, drawn ones before a user's own")
    options.add_argument("--layers", type=int, help="layers that rank; all unless given")
    options.add_argument("--first-layer", type=int, default=8, help="training: LoRA sits on this layer and above")
    options.add_argument("--candidates", type=int, nargs="+", default=[10, 25, 50, 100, 150, 200])
    options.add_argument("--repeats", type=int, default=5)
    options.add_argument("--dtype", choices=("auto", "float32", "bfloat16"), default="auto")
    args = options.parse_args()

    settings = load_recipe(args.recipe, ["data=none"]).recommend
    settings = settings.model_copy(update={"history": args.history or settings.history})
    most = max(args.candidates)
    with tempfile.TemporaryDirectory() as folder:
        dataset = draw_catalogue(Path(folder) / "catalogue", seed=0)
        context = ask(
            dataset, leave_one_out(dataset.interactions), max(most, 21) - 1, args.repeats, settings, bool(args.history)
        )
        mllm = Mllm.load(ModelSettings(name=args.model, dtype=args.dtype)).shorten(args.layers)
        prompts = make_prompts(mllm, dataset, context, settings)
        whole = [prompts.render(one) for one in context]

    packs = [PackedPrompt(pack.shared, pack.candidates[:21], pack.state) for pack in whole]
    by_count = {n: PackedPrompt(whole[0].shared, whole[0].candidates[:n], whole[0].state) for n in args.candidates}
    scored = medians({str(n): lambda p=pack: score_packs(prompts, [p]) for n, pack in by_count.items()}, args.repeats)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    seconds = np.array([scored[str(n)] for n in by_count])
    slope, start = np.polyfit(list(by_count), seconds, 1)
    unexplained = seconds - (start + slope * np.array(list(by_count)))
    print("scoring by candidates: done", file=sys.stderr)

    matrix = torch.randn(SQUARE, SQUARE).to(mllm.dtype)
    ways = {"matrix": lambda: matrix @ matrix.T, "packed": lambda: score_packs(prompts, packs[:4])}
    ways |= {"one_by_one": lambda: [score_packs(prompts, [single]) for single in packs[0].unpacked()]}
    ways |= {"one_packed": lambda: score_packs(prompts, packs[:1])}
    took = medians(ways, args.repeats)
    rate = 2 * SQUARE**3 / took["matrix"]
    share = sum(operations(pack, mllm) for pack in packs[:4]) / took["packed"] / rate
    print("scoring: done", file=sys.stderr)

    peft = add_adapter(mllm, settings.rank, min(args.first_layer, len(mllm.decoder.layers) - 1), 0)  # pyright: ignore
    trainer = Trainer(peft, 1e-5, 100)
    steps = {"packed": packs[:1], "one_by_one": packs[0].unpacked()}
    trained = medians({n: lambda p=p: train(prompts, trainer, p, 21) for n, p in steps.items()}, min(args.repeats, 3))

    result = {
        "benchmark": "cost",
        "training_s_per_pack": {name: round(value, 3) for name, value in trained.items()},
        "training_ratio": round(trained["one_by_one"] / trained["packed"], 2),
        "scoring_s_per_user": {name: round(took[name], 3) for name in ("one_packed", "one_by_one")},
        "ratio": round(took["one_by_one"] / took["one_packed"], 2),
        "ratio_of_tokens": round(sum(map(len, packs[0].unpacked())) / len(packs[0]), 2),
        "seconds_by_candidates": {name: round(value, 3) for name, value in scored.items()},
        "affine": {
            "start_s": round(float(start), 4),
            "s_per_candidate": round(float(slope), 5),
            "r2": round(1 - float((unexplained**2).sum() / ((seconds - seconds.mean()) ** 2).sum()), 4),
        },
        "scoring_peak_mb": round(peak),
        "matrix_gflops": round(rate / 1e9, 1),
        "share_of_matrix_rate": round(share, 3),
        "tokens": {"shared": len(packs[0].shared.ids), "packed": len(packs[0])},
        "history": settings.history,
        "layers": len(mllm.decoder.layers),  # pyright: ignore
        "repeats": args.repeats,
        "model": mllm.fingerprint,
        "threads": torch.get_num_threads(),
        "recipe": args.recipe,
        "versions": versions(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
