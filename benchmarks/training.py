"""Time training steps of stage 3 in packs per second: the libraries' layers against those of `models.quick_layers`.

    python benchmarks/training.py --packs 8 --candidates 8 --steps 10

Packs are drawn token ids: only their sizes matter. Both ways train the same packs in turns, in one process, and the
medians are printed. FLOPs count 4 a weight and token, as LoRA needs: the products forward and those for the inputs'
gradients. `--device cuda` times a GPU, whose name is printed.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import numpy as np
import torch

from mmsrarec.models.backbone.adapter import Trainer, add_adapter
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.backbone.quick_layers import quickened
from mmsrarec.models.backbone.settings import ModelSettings
from mmsrarec.models.packing.forward import batch_of_rows, read
from mmsrarec.models.packing.pack_table import PackTable
from mmsrarec.models.packing.packed_prompt import PackedPrompt, TokenSpan
from mmsrarec.recommend.training.ranking_loss import choose_loss


def main() -> None:
    """Time the steps and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packs", type=int, default=8, help="packs of a step")
    parser.add_argument("--candidates", type=int, default=8, help="candidates of a pack")
    parser.add_argument("--shared", type=int, default=250, help="tokens of the shared part")
    parser.add_argument("--own", type=int, default=31, help="tokens of a candidate")
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    trainings = {name: training(arguments, name == "quick") for name in ("plain", "quick")}
    rng = np.random.default_rng(0)
    seconds: dict[str, list[float]] = {name: [] for name in trainings}
    collating: list[float] = []
    for number in range(arguments.steps + 2):
        table = drawn_packs(arguments, rng)
        for name, (mllm, trainer, layers) in trainings.items():
            start = time.perf_counter()
            batch = batch_of_rows(mllm, table, np.arange(len(table)))
            laid_out = time.perf_counter()
            place = torch.zeros(len(table), dtype=torch.long, device=mllm.device)
            with layers():
                logits = read(mllm, batch, {}, batch.answers).float().mean(-1).view(len(table), -1)
                trainer.step(choose_loss(logits, place, "both"))
            if arguments.device != "cpu":
                torch.cuda.synchronize()
            if number >= 2:  # the first steps set things up
                seconds[name].append(time.perf_counter() - start)
                collating.append(laid_out - start)
    mllm = trainings["quick"][0]
    tokens = arguments.packs * (arguments.shared + arguments.candidates * arguments.own)
    weights = sum(weight.numel() for name, weight in mllm.decoder.layers.named_parameters() if "lora_" not in name)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    facts = {
        "device": torch.cuda.get_device_name() if arguments.device != "cpu" else "cpu",
        "threads": torch.get_num_threads(),
        "dtype": str(mllm.dtype),
        "tokens_a_step": tokens,
        "packs_per_second": {name: round(arguments.packs / value, 3) for name, value in medians.items()},
        "quick_against_plain": round(medians["plain"] / medians["quick"], 3),
        "tflops": {name: round(4e-12 * weights * tokens / value, 3) for name, value in medians.items()},
        "host_ms_per_pack": round(1e3 * statistics.median(collating) / arguments.packs, 3),
    }
    print(json.dumps(facts, indent=1))


def training(
    arguments: argparse.Namespace, quick: bool
) -> tuple[Mllm, Trainer, Callable[[], AbstractContextManager[None]]]:
    """A model in training."""
    mllm = Mllm.load(ModelSettings(), arguments.device).shorten(arguments.layers)
    peft = add_adapter(mllm, rank=8, first_layer=0, seed=0)
    return mllm, Trainer(peft, 1e-4, 1000), partial(quickened, peft) if quick else nullcontext


def drawn_packs(arguments: argparse.Namespace, rng: np.random.Generator) -> PackTable:
    """Packs of drawn token ids."""

    def span(size: int) -> TokenSpan:
        return TokenSpan(rng.integers(100, 40_000, size).tolist())

    counts = range(arguments.packs), range(arguments.candidates)
    return PackTable.of(
        [PackedPrompt(span(arguments.shared), [span(arguments.own) for _ in counts[1]]) for _ in counts[0]]
    )


if __name__ == "__main__":
    main()
