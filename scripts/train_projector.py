"""Train the embedded model's projector, so that pictures mean something to the language model.

The vision encoder and the language model stay frozen; only the projector learns. Its teacher is the vision encoder's
own classifier, which names 1,000 things: on photographs, on cuts of catalogue pictures, and on features made up for
each class (`synthetic_features.py`). Beside them stand pictures whose words are known: drawn products, emoji, and
catalogue pictures with the categories of their items (`projector_pictures.py`).

    python scripts/train_projector.py --font NotoColorEmoji.ttf --emoji fluent-emoji-3d/assets \
        --photographs backgrounds --catalogue DATA --steps 900

The font is in Debian's fonts-noto-color-emoji, the emoji in the npm package @lobehub/fluent-emoji-3d (MIT), backgrounds
in Debian's gnome-backgrounds, mate-backgrounds and lomiri-wallpapers. Two hours on two cores are enough.
`teach_categories.py` goes on from here.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from projector_pictures import (
    TrainingPicture,
    catalogue_pictures,
    drawn_products,
    emoji_of_folder,
    emoji_of_font,
    photographs,
)
from safetensors.torch import save_file
from synthetic_features import FeatureSynthesizer
from torch import Tensor

from mmsrarec.models.backbone.embedded import PROJECTOR
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.backbone.settings import ModelSettings
from mmsrarec.models.backbone.warm_up import PictureBatch, grids, projector_of, warm_up
from mmsrarec.models.vision.class_words import likely_words
from mmsrarec.models.vision.image_classifier import ImageClassifier
from mmsrarec.summarize.prompts import image_prompt

SHARES = {"drawn": 0.12, "emoji": 0.2, "catalogue": 0.09, "photograph": 0.09}
"""Shares of a step's pictures; the rest is made up."""
RARE = 4
"""Photographs of a first word with fewer than so many are drawn as if there were so many."""


class TrainingSet:
    """The encoded pictures of the training, and the batches that are drawn from them.

    Attributes:
        grids: (n, v, channels) float16.
        answers: n answers.
        rows: The rows of each source.
    """

    def __init__(self, mllm: Mllm, pictures: Iterator[TrainingPicture], seed: int) -> None:
        self.rng, self.classifier = np.random.default_rng(seed), ImageClassifier.load()
        self.rows: dict[str, list[int]] = {source: [] for source in SHARES}
        answers: list[tuple[str, ...] | None] = []
        parts: list[Tensor] = []
        waiting: list[TrainingPicture] = []
        for picture in chain(pictures, [None]):
            if picture is not None:
                self.rows[picture.source].append(len(answers))
                answers.append(picture.answer)
                waiting.append(picture)
            if waiting and (picture is None or len(waiting) == 64):
                parts.append(grids(mllm, [entry.picture for entry in waiting]).half())
                waiting.clear()
        self.grids = torch.cat(parts)
        states = torch.cat([part.float().mean(1) for part in self.grids.split(512)])
        said = [tuple(likely_words(row)) for row in self.classifier.word_probabilities(states)]
        self.answers = [words if own is None else own for own, words in zip(answers, said, strict=True)]
        self.made_up = FeatureSynthesizer.fit(self.classifier, self.grids)
        first = [(self.answers[row] or ("",))[0] for row in self.rows["photograph"]]
        counts = Counter(first)
        weights = np.array([1 / max(counts[word], RARE) for word in first])
        self.weights = {"photograph": weights / weights.sum()} if len(weights) else {}

    def draw(self, batch: int, step: int) -> PictureBatch:
        """The pictures of a step."""
        picked: list[int] = []
        for source, share in SHARES.items():
            if self.rows[source]:
                n = max(1, round(batch * share))
                picked += self.rng.choice(self.rows[source], n, p=self.weights.get(source)).tolist()
        made_up = self.made_up.draw(batch - len(picked), self.rng)
        answers = [tuple(likely_words(row)) for row in self.classifier.word_probabilities(made_up.mean(1))]
        answers += [self.answers[row] for row in picked]
        return PictureBatch(torch.cat([made_up, self.grids[picked].float()]), [", ".join(words) for words in answers])


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--font", type=Path, required=True, help="a colour emoji font file")
    options.add_argument("--emoji", type=Path, help="a folder of emoji as pictures, named by their code points")
    options.add_argument("--photographs", type=Path, nargs="*", default=[], help="folders of photographs")
    options.add_argument("--catalogue", type=Path, nargs="*", default=[], help="data folders with pictures")
    options.add_argument("--drawn", type=int, default=3000)
    options.add_argument("--steps", type=int, default=900)
    options.add_argument("--batch", type=int, default=48)
    options.add_argument("--lr", type=float, default=2e-3)
    options.add_argument("--out", type=Path, default=PROJECTOR)
    args = options.parse_args()

    rng, start = np.random.default_rng(0), time.time()

    def say(text: str) -> None:
        print(f"{text}, {time.time() - start:.0f} s", file=sys.stderr, flush=True)

    mllm = Mllm.load(ModelSettings())
    sources = [drawn_products(rng, args.drawn), emoji_of_font(args.font, rng)]
    sources += [emoji_of_folder(args.emoji, rng)] if args.emoji else []
    sources += [photographs(folder, rng) for folder in args.photographs]
    sources += [catalogue_pictures(folder, rng) for folder in args.catalogue]
    training = TrainingSet(mllm, chain(*sources), seed=0)
    say(", ".join(f"{len(rows)} {source}" for source, rows in training.rows.items()))

    def progress(done: int, total: int, label: str) -> None:
        if done % 25 == 0:
            say(f"{label}: {done}/{total}")

    losses = warm_up(
        mllm, partial(training.draw, args.batch), partial(image_prompt, mllm), args.steps, args.lr, progress
    )
    say(f"loss {losses[0]:.2f} to {np.mean(losses[-20:]):.2f}")
    weights = projector_of(mllm).state_dict()
    save_file({name: weight.to(torch.bfloat16).contiguous() for name, weight in weights.items()}, args.out)


if __name__ == "__main__":
    main()
