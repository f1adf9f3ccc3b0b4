"""Train the embedded model's projector, so that pictures mean something to the language model.

The eye and the language model stay frozen; only the projector learns, from pictures whose keywords are known: products
drawn by `mmsrarec.data.draw`, and the emoji of a colour emoji font with the words of their Unicode names.

    python scripts/train_projector.py --font NotoColorEmoji.ttf --steps 600
"""

import argparse
import sys
import time
import unicodedata
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from safetensors.torch import save_file
from torch import Tensor

from mmsrarec.data.draw import draw_training_pictures
from mmsrarec.models.embedded import PROJECTOR, embedded_folder
from mmsrarec.models.mllm import Mllm, pool_grid
from mmsrarec.models.settings import ModelSettings
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


def grids(mllm: Mllm, pictures: list[Image.Image]) -> Tensor:
    """The eye's (n, 49, 1280) output, computed once."""
    tower, out = mllm.model.model.vision_tower, []
    with torch.inference_mode():
        for start in range(0, len(pictures), 64):
            pixels = mllm.image_processor(pictures[start : start + 64], return_tensors="pt").pixel_values
            out.append(tower(pixels.to(mllm.dtype)).last_hidden_state.flatten(2).permute(0, 2, 1))
    return torch.cat(out)


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
    torch.manual_seed(0)
    drawn = [(p, f"{motif}, {kind}, {colour}") for p, motif, colour, kind in draw_training_pictures(rng, args.drawn)]
    emoji = emoji_pictures(args.font, rng, variants=3)
    pairs = drawn + emoji
    print(f"{len(drawn)} drawn, {len(emoji)} emoji pictures, {time.time() - start:.0f} s", file=sys.stderr)

    mllm = Mllm.load(ModelSettings())
    seen = grids(mllm, [picture for picture, _ in pairs])
    print(f"seen, {time.time() - start:.0f} s; embedded folder {embedded_folder().name}", file=sys.stderr)
    end = [mllm.turn_end]
    answers = [mllm.encode(words) + end for _, words in pairs]
    held = {*range(0, len(drawn), 20), *range(len(drawn), len(pairs), 60)}
    train = np.array([i for i in range(len(pairs)) if i not in held])

    projector = mllm.model.model.multi_modal_projector.float().requires_grad_(True)
    optimizer = torch.optim.AdamW(projector.parameters(), lr=args.lr, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, args.lr, total_steps=args.steps, pct_start=0.1)
    head = mllm.model.get_output_embeddings().weight

    def loss_of(rows: list[int], visual_tokens: int) -> Tensor:
        prompt = image_prompt(mllm, visual_tokens)
        width = len(prompt) + max(len(answers[r]) for r in rows)
        ids = torch.zeros((len(rows), width), dtype=torch.long)
        labels = torch.full_like(ids, -100)
        for line, r in enumerate(rows):
            ids[line, : len(prompt)] = torch.tensor(prompt)
            ids[line, len(prompt) : len(prompt) + len(answers[r])] = torch.tensor(answers[r])
            labels[line, len(prompt) : len(prompt) + len(answers[r])] = torch.tensor(answers[r])
        projected = projector(seen[rows].float())
        features = torch.stack([pool_grid(p, 9) for p in projected])
        if visual_tokens == 1:
            features = features.mean(1, keepdim=True)
        hidden = mllm.decoder(inputs_embeds=mllm.embed(ids, features)).last_hidden_state
        hidden, wanted = hidden[:, len(prompt) - 1 : -1], labels[:, len(prompt) :]
        logits = (hidden[wanted != -100] @ head.T).float()
        return torch.nn.functional.cross_entropy(logits, wanted[wanted != -100])

    for step in range(args.steps):
        rows = rng.choice(train, args.batch, replace=False).tolist()
        loss = loss_of(rows, 9 if step % 3 else 1)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(projector.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 20 == 0:
            print(f"step {step} loss {loss.item():.3f} {time.time() - start:.0f} s", file=sys.stderr, flush=True)
        if (step and step % 150 == 0) or step == args.steps - 1:
            save_file({k: v.to(torch.bfloat16).contiguous() for k, v in projector.state_dict().items()}, args.out)
            report(mllm, seen, pairs, sorted(held), len(drawn))


def report(mllm: Mllm, seen: Tensor, pairs: list[tuple[Image.Image, str]], held: list[int], drawn: int) -> None:
    """Share of held-out pictures whose words are named."""
    projector = mllm.model.model.multi_modal_projector
    for tokens in (9, 1):
        prompt = image_prompt(mllm, tokens)
        named: dict[str, list[bool]] = {"motif": [], "kind": [], "colour": [], "emoji": []}
        for start in range(0, len(held), 64):
            rows = held[start : start + 64]
            with torch.inference_mode():
                features = torch.stack([pool_grid(p, 9) for p in projector(seen[rows].float())]).to(mllm.dtype)
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
