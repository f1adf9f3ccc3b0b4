"""Train the embedded model's projector, so that pictures mean something to the language model.

The eye and the language model stay frozen; only the projector learns, from pictures whose keywords are known: products
drawn by `mmsrarec.data.synthetic.drawing`, and the emoji of a colour emoji font with the words of their Unicode names.

    python scripts/train_projector.py --font NotoColorEmoji.ttf --steps 600
"""

import argparse
import sys
import time
import unicodedata
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from safetensors.torch import save_file
from torch import Tensor

from mmsrarec.data.synthetic.drawing import draw_training_pictures
from mmsrarec.models.backbone.embedded import PROJECTOR, embedded_folder
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.backbone.settings import ModelSettings
from mmsrarec.models.backbone.warm_up import grids, projector_of, warm_up
from mmsrarec.models.vision.pooling import pool_grid
from mmsrarec.summarize.prompts import image_prompt

RANGES = ((0x1F300, 0x1F650), (0x1F680, 0x1F700), (0x1F900, 0x1FA00), (0x1FA70, 0x1FAF9), (0x2600, 0x27C0))
SKIPPED = ("SYMBOL", "SIGN", "BUTTON", "CLOCK FACE", "MODIFIER", "REGIONAL", "SQUARED", "DINGBAT", "ARROW")
STOP_WORDS = {"with", "of", "and", "the", "for", "in", "black", "white", "heavy", "face"}


def emoji_pictures(font_file: str, rng: np.random.Generator, variants: int) -> list[tuple[Image.Image, str]]:
    """Every emoji with a Unicode name, `variants` times, on grounds, at sizes and tilts of chance."""
    font = ImageFont.truetype(font_file, 109)
    blank = font.getmask("\U0010ffff").getbbox()
    found = []
    for code in (c for low, high in RANGES for c in range(low, high)):
        name = unicodedata.name(chr(code), "")
        words = [w for w in name.lower().replace("-", " ").split() if w not in STOP_WORDS]
        box = font.getmask(chr(code)).getbbox()
        if not words or len(words) > 3 or any(s in name for s in SKIPPED) or box is None or box == blank:
            continue
        for _ in range(variants):
            layer = Image.new("RGBA", (136, 136))
            ImageDraw.Draw(layer).text((0, 0), chr(code), font=font, embedded_color=True)
            if np.asarray(layer)[..., 3].mean() < 20:
                break
            size = int(rng.integers(120, 215))
            layer = layer.resize((size, size)).rotate(float(rng.uniform(-12, 12)), expand=True)
            picture = Image.new("RGB", (224, 224), tuple(int(v) for v in rng.integers(150, 256, 3)))
            spare = 224 - min(layer.size[0], 224)
            picture.paste(layer, tuple(int(v) for v in rng.integers(0, spare + 1, 2)), layer)
            found.append((picture, ", ".join(words)))
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--font", required=True, help="a colour emoji font file")
    options.add_argument("--drawn", type=int, default=4000)
    options.add_argument("--steps", type=int, default=600)
    options.add_argument("--batch", type=int, default=32)
    options.add_argument("--lr", type=float, default=1e-3)
    options.add_argument("--out", type=Path, default=PROJECTOR)
    args = options.parse_args()

    rng, start = np.random.default_rng(0), time.time()
    drawn = [(p, f"{motif}, {kind}, {colour}") for p, motif, colour, kind in draw_training_pictures(rng, args.drawn)]
    emoji = emoji_pictures(args.font, rng, variants=3)
    pairs = drawn + emoji
    print(f"{len(drawn)} drawn, {len(emoji)} emoji pictures, {time.time() - start:.0f} s", file=sys.stderr)

    mllm = Mllm.load(ModelSettings())
    seen = grids(mllm, [picture for picture, _ in pairs])
    print(f"seen, {time.time() - start:.0f} s; embedded folder {embedded_folder().name}", file=sys.stderr)
    held = sorted({*range(0, len(drawn), 20), *range(len(drawn), len(pairs), 60)})
    train = [row for row in range(len(pairs)) if row not in set(held)]

    def say(done: int, total: int, label: str) -> None:
        if done % 20 == 0:
            print(f"{label}: {done}/{total}, {time.time() - start:.0f} s", file=sys.stderr, flush=True)

    words = [pairs[row][1] for row in train]
    losses = warm_up(mllm, seen[train], words, partial(image_prompt, mllm), args.steps, 0, args.batch, args.lr, say)
    print(f"loss {losses[0]:.2f} to {np.mean(losses[-20:]):.2f}", file=sys.stderr)
    weights = projector_of(mllm).state_dict()
    save_file({name: w.to(torch.bfloat16).contiguous() for name, w in weights.items()}, args.out)
    report(mllm, seen, pairs, held, len(drawn))


def report(mllm: Mllm, seen: Tensor, pairs: list[tuple[Image.Image, str]], held: list[int], drawn: int) -> None:
    """Share of held-out pictures whose words are named."""
    projector = projector_of(mllm)
    for tokens in (9, 1):
        prompt = image_prompt(mllm, tokens)
        named: dict[str, list[bool]] = {"motif": [], "kind": [], "colour": [], "emoji": []}
        for start in range(0, len(held), 64):
            rows = held[start : start + 64]
            with torch.inference_mode():
                features = torch.stack([pool_grid(p, 9) for p in projector(seen[rows].to(mllm.dtype))])
                features = features if tokens == 9 else features.mean(1, keepdim=True)
            answers = mllm.generate([prompt] * len(rows), list(features), 14)
            for row, answer in zip(rows, answers, strict=True):
                words, said = pairs[row][1].split(", "), {w.strip() for w in answer.split(",")}
                if row < drawn:
                    for key, word in zip(("motif", "kind", "colour"), words, strict=True):
                        named[key].append(word in said)
                else:
                    named["emoji"].append(any(word in said for word in words))
        print(tokens, {k: round(float(np.mean(v)), 3) for k, v in named.items()}, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
