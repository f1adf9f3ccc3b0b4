"""Time stage 1 on drawn products: batches against one question at a time, and growth with the catalogue.

    python benchmarks/summarize.py --items 60 --sizes 500 1000 2000 4000

Three ways ask the same questions, in turns within each repeat, so that a busy machine slows all: `summarize` as it is,
with its store and its checks of picture keywords; a loop of `Mllm.generate`, which stops an answer that has said
enough; and a loop of transformers' own `generate`, which does not. Pictures are seen beforehand for all. Growth: a
fresh process and a fresh store for each size. The last line of the output is one JSON object.
"""

import argparse
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from mmsrarec.core.artefacts import versions
from mmsrarec.data.dataset import Dataset, Item
from mmsrarec.data.folder import load
from mmsrarec.data.synthetic.catalogue import draw_catalogue
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.backbone.settings import ModelSettings
from mmsrarec.models.vision import image_features
from mmsrarec.models.vision.image_features import Features, encode_catalogue_images
from mmsrarec.runs.recipe import load_recipe
from mmsrarec.summarize.keyword_parsing import stop_after
from mmsrarec.summarize.prompts import image_prompt, text_prompt
from mmsrarec.summarize.settings import SummarizeSettings
from mmsrarec.summarize.summarizer import summarize

DRAWN = 300
"""As many products as can be drawn; larger catalogues repeat them with other words and other bytes."""


def enlarge(dataset: Dataset, features: Features, size: int) -> tuple[Dataset, Features]:
    """The first `size` items. After DRAWN of them each is a copy of an earlier one, whose text and picture file differ
    from it by a number; what the model sees of the picture is the same."""
    assert dataset.folder is not None
    items: list[Item] = []
    seen: Features = {}
    for code in range(size):
        base, copy = code % len(dataset.items), code // len(dataset.items)
        item = dataset.items[base]
        if copy:
            image = item.image and f"{copy}-{item.image}"
            if image:
                file = dataset.folder / "images" / image
                shutil.copy(dataset.folder / "images" / str(item.image), file)
                with file.open("ab") as end:
                    end.write(b"%d" % copy)
            item = replace(item, item_id=f"{copy}-{item.item_id}", text=f"Number {copy}. {item.text}", image=image)
        items.append(item)
        if base in features:
            seen[code] = features[base]
    return replace(dataset, items=tuple(items)), seen


def questions(
    mllm: Mllm, dataset: Dataset, features: Features, settings: SummarizeSettings
) -> list[tuple[list[int], torch.Tensor | None, int, Callable[[str], bool]]]:
    """(prompt, picture, tokens of the answer at most, when it has said enough) of all that `summarize` asks."""
    texts = [text_prompt(mllm, item, settings.text_budget) for item in dataset.items]
    about_text = (settings.max_new_tokens_text, stop_after(settings.max_keywords_text))
    about_image = (settings.max_new_tokens_image, stop_after(settings.max_keywords_image))
    return [(prompt, None, *about_text) for prompt in texts] + [
        (image_prompt(mllm, len(seen)), seen, *about_image) for seen in features.values()
    ]


def compare(
    mllm: Mllm, dataset: Dataset, features: Features, settings: SummarizeSettings, batch: int, repeats: int
) -> dict[str, float]:
    """Median seconds of each way."""
    asked = questions(mllm, dataset, features, settings)

    def batched(asked=asked) -> None:
        with tempfile.TemporaryDirectory() as folder:
            summarize(dataset, mllm, settings, Path(folder) / "store", features, batch)

    def one_by_one(asked=asked) -> None:
        for prompt, seen, tokens, stop in asked:
            mllm.generate([prompt], [seen], tokens, stop)

    def transformers(asked=asked) -> None:
        for prompt, seen, tokens, _ in asked:
            ids = torch.tensor([prompt], device=mllm.device)
            inputs = {"inputs_embeds": mllm.embed(ids, seen)} if seen is not None else {"input_ids": ids}
            with torch.inference_mode():
                answer = mllm.model.generate(  # pyright: ignore
                    **inputs,
                    attention_mask=torch.ones_like(ids),
                    max_new_tokens=tokens,
                    do_sample=False,
                    pad_token_id=mllm.turn_end,
                )
            mllm.tokenizer.decode(answer[0, 0 if seen is not None else len(prompt) :], skip_special_tokens=True)

    ways = {"batched": batched, "one_by_one": one_by_one, "transformers": transformers}
    names, times = list(ways), {name: [] for name in ways}
    for way in (one_by_one, transformers):
        way([asked[0], asked[-1]])  # first calls pay for memory
    for repeat in range(repeats):
        for turn in range(len(names)):
            name = names[(repeat + turn) % len(names)]
            started = time.perf_counter()
            ways[name]()
            times[name].append(time.perf_counter() - started)
        print(f"repeat {repeat + 1} of {repeats}", file=sys.stderr)
    return {name: statistics.median(values) for name, values in times.items()}


def peak() -> float:
    """The most memory this process has held so far, MiB."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux counts the parent's memory into a child's ru_maxrss
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if "VmHWM" in line) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def grown(args: argparse.Namespace, settings: SummarizeSettings) -> dict[str, float]:
    """What a catalogue of one size costs, measured in this process."""
    dataset, features = load(args.folder / "catalogue"), image_features.load(args.folder / "features")
    dataset, features = enlarge(dataset, features, args.one)
    mllm = model_of(args)
    before = peak()
    with tempfile.TemporaryDirectory() as folder:
        started, busy = time.perf_counter(), time.process_time()
        summarize(dataset, mllm, settings, Path(folder) / "store", features, args.batch)
        seconds, busy = time.perf_counter() - started, time.process_time() - busy
    return {
        "items": args.one,
        "seconds": round(seconds, 2),
        "processor_seconds": round(busy, 2),
        "mb": round(peak()),
        "mb_before": round(before),
    }


def growth(args: argparse.Namespace) -> list[dict[str, float]]:
    """A row for each size, each out of a process of its own."""
    rows = []
    for size in args.sizes:
        mine = ["--one", str(size), "--folder", str(args.folder), "--model", args.model, "--recipe", args.recipe]
        mine += [part for override in args.set for part in ("--set", override)]
        mine += ["--batch", str(args.batch), "--dtype", args.dtype, "--device", args.device]
        done = subprocess.run([sys.executable, __file__, *mine], stdout=subprocess.PIPE, text=True, check=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(
            f"{size} items: {rows[-1]['seconds']} s ({rows[-1]['processor_seconds']} of a processor)", file=sys.stderr
        )
    return rows


def slope(rows: list[dict[str, float]], measure: str = "seconds") -> float | None:
    """d log `measure` / d log items: 1 where twice the items cost twice as much."""
    if len(rows) < 2:
        return None
    items, seconds = (np.log([row[name] for row in rows]) for name in ("items", measure))
    return round(float(np.polyfit(items, seconds, 1)[0]), 3)


def model_of(args: argparse.Namespace) -> Mllm:
    return Mllm.load(ModelSettings.model_validate({"name": args.model, "dtype": args.dtype}), args.device)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--model", default="embedded", help='"embedded", or any image-text-to-text model')
    options.add_argument("--recipe", default="sample", help="whose summarize settings are used")
    options.add_argument("--set", action="append", default=[], metavar="A.B=C", help="override a key of the recipe")
    options.add_argument("--items", type=int, default=60, help=f"items that all ways are compared on, 1 to {DRAWN}")
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--sizes", type=int, nargs="*", default=[500, 1000, 2000, 4000])
    options.add_argument("--batch", type=int, default=32, help="questions asked together")
    options.add_argument("--dtype", choices=("auto", "float32", "bfloat16"), default="auto")
    options.add_argument("--device", default="cpu")
    options.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = options.parse_args()
    settings = load_recipe(args.recipe, ["data=none", *args.set]).summarize
    if args.one:
        print(json.dumps(grown(args, settings)))
        return 0

    with tempfile.TemporaryDirectory() as folder:
        args.folder = Path(folder)
        dataset = draw_catalogue(args.folder / "catalogue", seed=0, items=DRAWN)
        mllm = model_of(args)
        features = encode_catalogue_images(mllm, dataset, settings.visual_tokens).features
        image_features.save(features, args.folder / "features")
        few, their_features = enlarge(dataset, features, min(args.items, DRAWN))
        seconds = compare(mllm, few, their_features, settings, args.batch, args.repeats)
        model, dtype = mllm.fingerprint, str(mllm.dtype).removeprefix("torch.")
        del mllm  # each child has a model of its own
        rows = growth(args)

    result = {
        "benchmark": "summarize",
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "items_per_second": {name: round(len(few.items) / value, 3) for name, value in seconds.items()},
        "ratio": round(seconds["one_by_one"] / seconds["batched"], 2),
        "ratio_to_transformers": round(seconds["transformers"] / seconds["batched"], 2),
        "growth": rows,
        "slope": slope(rows),
        "slope_of_processor_time": slope(rows, "processor_seconds"),
        "peak_mb": max((row["mb"] for row in rows), default=None),
        "items": len(few.items),
        "pictures": len(their_features),
        "repeats": args.repeats,
        "batch": args.batch,
        "model": model,
        "dtype": dtype,
        "device": args.device,
        "threads": torch.get_num_threads(),
        "recipe": args.recipe,
        "settings": settings.model_dump(mode="json"),
        "versions": versions(),
    }
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
