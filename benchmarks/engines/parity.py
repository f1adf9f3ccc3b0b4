"""Compare the keywords of the local engine with those of `transformers serve`, same model, both greedy.

    python benchmarks/engines/parity.py --items 30

The embedded model reads a synthetic catalogue twice: in this process, and behind a real server. Both load the same
folder and compute in float32. Nothing is answered by the vision encoder's classifier, which no server has. A picture is
9 tokens in both: this process usually averages 49 tokens to 9, which no server does, so here pictures are shrunk to 96
pixels, whose tokens are 9. The last line of the output is one JSON object.
"""

import argparse
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import torch
from served_model import embedded_model, served

from mmsrarec.core.artefacts import versions
from mmsrarec.data.dataset import Dataset
from mmsrarec.data.folder import load
from mmsrarec.data.synthetic.catalogue import draw_catalogue
from mmsrarec.engines.openai_engine import OpenAIEngine
from mmsrarec.engines.settings import EngineSettings
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.backbone.settings import ModelSettings
from mmsrarec.models.vision.image_features import encode_catalogue_images
from mmsrarec.summarize.keywords import Keywords
from mmsrarec.summarize.settings import SummarizeSettings
from mmsrarec.summarize.summarizer import summarize

PIXELS = 96
"""The side of a picture that the vision encoder turns into 9 tokens."""
LOCAL = SummarizeSettings(visual_tokens=9, eye_words=False)
"""What a server can do too: no classifier."""
REMOTE = LOCAL.model_copy(update={"model": "embedded"})


def catalogue(folder: Path, items: int) -> Dataset:
    """The first items of a synthetic catalogue."""
    draw_catalogue(folder, 0, max(items, 30), 1)
    dataset = load(folder)
    return replace(dataset, items=dataset.items[:items])


def differences(dataset: Dataset, local: Keywords, remote: Keywords) -> list[dict[str, Any]]:
    """Items whose keywords differ."""
    pairs = {"text": (local.text, remote.text), "picture": (local.image, remote.image)}
    return [
        {"item": item.item_id, "about": about, "local": ours[code], "served": theirs[code]}
        for code, item in enumerate(dataset.items)
        for about, (ours, theirs) in pairs.items()
        if ours[code] != theirs[code]
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=30)
    parser.add_argument("--requests", type=int, default=4, help="requests under way at once")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        dataset = catalogue(folder / "data", arguments.items)
        model = embedded_model(folder / "model", PIXELS)
        mllm = Mllm.load(ModelSettings(name=str(model), dtype="float32"))
        features = encode_catalogue_images(mllm, dataset, LOCAL.visual_tokens).features
        began = time.monotonic()
        local = summarize(dataset, mllm, LOCAL, folder / "local.sqlite", features)
        local_seconds = time.monotonic() - began
        with served(model) as url:
            engine = OpenAIEngine(
                EngineSettings(
                    engine="openai",
                    engine_url=url,
                    engine_model=str(model),
                    engine_requests=arguments.requests,
                    engine_seconds=600,
                ),
                "embedded",
            )
            began = time.monotonic()
            remote = summarize(dataset, mllm, REMOTE, folder / "remote.sqlite", engine=engine)
            remote_seconds = time.monotonic() - began
            print(engine.sentence())
            again = summarize(dataset, mllm, REMOTE, folder / "remote.sqlite", engine=engine)
            answers = engine.tally.answers
    different = differences(dataset, local, remote)
    for difference in different:
        print(difference)
    result = {
        "items": len(dataset.items),
        "texts": sum(answer is not None for _, answer in local.answers),
        "pictures": sum(answer is not None for answer, _ in local.answers),
        "picture_keywords": sum(map(len, local.image)),
        "text_keywords": sum(map(len, local.text)),
        "different": len(different),
        "answers": answers,
        "same_again": again == remote,
        "local_seconds": round(local_seconds, 1),
        "served_seconds": round(remote_seconds, 1),
        "threads": torch.get_num_threads(),
        "versions": versions(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
