"""Time the language model's part in one served answer: 20 candidates ranked for one user, by layers of the model.

    OMP_NUM_THREADS=1 python benchmarks/scale/ranked_answer.py --layers 6 8 --users 40

The embedded model, shortened to so many layers and untuned, reads prompts of a synthetic catalogue. A prompt shows the
same parts whatever the size of a catalogue, so a million items cost no more here than 300; `one_query.py` times the
search for candidates. Every user is asked once, after one that warms up, so that the tokens of an item are mostly made
anew, as in a large catalogue. Times are medians over users, in milliseconds of the processor: other work on the machine
does not lengthen them as much as those of the wall, which stand beside. The last line of the output is one JSON object.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from packing import ask, make_prompts

from mmsrarec.core.artefacts import versions
from mmsrarec.data.folder import load
from mmsrarec.data.splits import leave_one_out
from mmsrarec.data.synthetic.catalogue import draw_catalogue
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.backbone.settings import ModelSettings
from mmsrarec.models.packing.forward import PreparedBatch, batch_of, read_prepared
from mmsrarec.recommend.prompt.prompt_context import PromptContext
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.ranking.scorer import prepare_candidates, score_packs
from mmsrarec.runs.recipe import load_recipe

STEPS = ("render", "lay out", "forward", "all of score_packs")


def timed(work: Callable[[], Any], into: list[tuple[float, float]]) -> Any:
    """What a piece of work returns; its milliseconds of the wall and of the processor are kept."""
    wall, processor = time.perf_counter(), time.process_time()
    result = work()
    into.append((1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - processor)))
    return result


def measure(prompts: Prompts, contexts: Sequence[PromptContext]) -> dict[str, Any]:
    """Medians over the users but the first one."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in STEPS}
    tokens: list[int] = []
    for context in contexts:
        pack = timed(lambda context=context: prompts.render(context), times["render"])
        tokens.append(len(pack))

        def lay_out(pack: Any = pack) -> PreparedBatch:
            return prepare_candidates(prompts, batch_of(prompts.mllm, [pack]))

        with torch.inference_mode():
            prepared = timed(lay_out, times["lay out"])
            timed(lambda prepared=prepared: read_prepared(prompts.mllm, prepared), times["forward"])
        timed(lambda pack=pack: score_packs(prompts, [pack]), times["all of score_packs"])
    medians = {
        name: {
            kind: round(statistics.median(pair[place] for pair in pairs[1:]), 2)
            for place, kind in enumerate(("wall_ms", "processor_ms"))
        }
        for name, pairs in times.items()
    }
    answer = [
        render[1] + scored[1] for render, scored in zip(times["render"], times["all of score_packs"], strict=True)
    ]
    return {"tokens": statistics.median(tokens[1:]), **medians, "answer_ms": round(statistics.median(answer[1:]), 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, nargs="+", default=[6, 8])
    parser.add_argument("--users", type=int, default=40)
    parser.add_argument("--items", type=int, default=300)
    parser.add_argument("--candidates", type=int, default=20)
    parser.add_argument("--recipe", default="sample", help="whose prompts and number format are used")
    parser.add_argument("--set", nargs="*", default=[], help="settings of the recipe, as KEY=VALUE")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    recipe = load_recipe(arguments.recipe, ["data=none", *arguments.set])
    with tempfile.TemporaryDirectory() as folder:
        draw_catalogue(Path(folder) / "data", 0, arguments.items, arguments.users + 30)
        dataset = load(Path(folder) / "data")
        split = leave_one_out(dataset.interactions)
        contexts = ask(dataset, split, arguments.candidates - 1, arguments.users + 1, recipe.recommend)
        result: dict[str, Any] = {}
        for layers in arguments.layers:
            mllm = Mllm.load(ModelSettings(name=recipe.model.name, dtype=recipe.model.dtype)).shorten(layers)
            result[f"{layers} layers"] = measure(make_prompts(mllm, dataset, contexts, recipe.recommend), contexts)
            result["dtype"] = str(mllm.dtype)
            print(f"{layers} layers: {result[f'{layers} layers']}", file=sys.stderr)
    facts = {"candidates": arguments.candidates, "threads": arguments.threads, "versions": versions()}
    print(json.dumps({**facts, **result}))


if __name__ == "__main__":
    main()
