"""What a model sees on the pictures of a catalogue that are held out: film posters, game covers.

    python benchmarks/pictures/catalogue_pictures.py DATA/ml-latest-small-mm
    python benchmarks/pictures/catalogue_pictures.py DATA/amazon-games-2018 --level 1 \\
        --skip "Kids & Family" "Kids; Family" --least 6

A picture is held out by the hash of its bytes (`mmsrarec.data.images.is_held_out`); a projector that ships is trained
on the others only. Three figures:

- image information: how much likelier an answer is under its own picture than under others, in nats, and as the
  image reward of tuning; of the model's own answer, and of the item's true labels (four at most);
- the AUC of each label by log P(label | picture, question of stage 1), mean over the labels; also by the label's share
  among all labels. Beside it the ceiling: logistic regression on the vision encoder's pooled features, trained on the
  pictures that are not held out;
- a hash of all weights but the projector's: models that agree in it say the same about every text.

Intervals are 95 % bootstrap intervals over pictures.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from keyword_scoring import ratio
from labelled_pictures import LabelledPicture, measurable, read_pictures
from picture_measures import among_labels, auc, image_information, label_scores, logistic_scores, mean_auc
from stage_one import ask_about_pictures, frozen_digest, load_model

from mmsrarec.core.artefacts import versions
from mmsrarec.data.images import open_picture
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.backbone.warm_up import grids
from mmsrarec.runs.recipe import load_recipe
from mmsrarec.summarize.tuning.frozen_models import FrozenImageModel
from mmsrarec.summarize.tuning.tuning_tasks import PolicySummarizer

LABELS_OF_AN_ANSWER = 4


def pooled(mllm: Mllm, pictures: Sequence[LabelledPicture]) -> np.ndarray:
    """(n, channels) mean over the positions of the vision encoder's output."""
    outputs = []
    for start in range(0, len(pictures), 64):
        opened = [open_picture(p.path, p.path.parent) for p in pictures[start : start + 64]]
        outputs.append(grids(mllm, opened).float().mean(1).cpu().numpy())
        print(f"features: {start + len(opened)} of {len(pictures)}", file=sys.stderr)
    return np.concatenate(outputs)


def matrix(pictures: Sequence[LabelledPicture], labels: Sequence[str]) -> np.ndarray:
    """(pictures, labels) whether a picture has a label."""
    return np.array([[label in picture.labels for label in labels] for picture in pictures])


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path, help="a data folder")
    options.add_argument("--field", default="categories", help="the field of items.jsonl with the labels")
    options.add_argument("--level", type=int, help="the place in the field, if it is a path")
    options.add_argument("--skip", nargs="+", default=[], metavar="LABEL", help="labels that are left out")
    options.add_argument("--least", type=int, default=10, help="held-out pictures that have a label, at least")
    options.add_argument("--limit", type=int, default=500, help="held-out pictures that the model is asked about")
    options.add_argument("--others", type=int, default=15, help="other pictures that an answer is compared with")
    options.add_argument("--model", default="embedded", help='"embedded", or any image-text-to-text model')
    options.add_argument("--projector", type=Path, help="other weights of the embedded model's projector")
    options.add_argument("--recipe", default="sample", help="whose summarize settings are used")
    options.add_argument("--set", action="append", default=[], metavar="A.B=C", help="override a key of the recipe")
    options.add_argument("--device", default="cpu")
    options.add_argument("--no-ceiling", action="store_true", help="leave out the logistic regression")
    options.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    args = options.parse_args()

    pictures = read_pictures(args.folder, args.field, args.level)
    held = sorted((p for p in pictures if p.held_out), key=lambda picture: picture.sha256)[: args.limit]
    labels = [label for label in measurable(held, args.least) if label not in args.skip]
    if not labels:
        raise SystemExit(
            f"no label of {args.field} is on {args.least} of {len(held)} held-out pictures and off as many"
        )
    settings = load_recipe(args.recipe, ["data=none", *args.set]).summarize
    mllm = load_model(args.model, args.device, args.projector)

    answered = ask_about_pictures(mllm, [picture.path for picture in held], settings)
    policy = PolicySummarizer(mllm, answered.dataset, answered.features, settings)
    model, one = FrozenImageModel(policy), [1.0] * len(held)
    figures: dict[str, dict[str, float] | None] = {}
    texts = {
        "own answer": [", ".join(own) for own in answered.keywords],
        "true labels": [", ".join(p.labels[:LABELS_OF_AN_ANSWER]).lower() for p in held],
    }
    for name, answers in texts.items():
        nats, rewards = image_information(model, dict(enumerate(answers)), policy.limits, args.others)
        figures[f"image information of the {name}, nats"] = ratio(nats.tolist(), one)
        figures[f"image reward of the {name}"] = ratio(rewards.tolist(), one)
    has_label = matrix(held, labels)
    scores = label_scores(model, range(len(held)), labels)
    columns = {"AUC": scores, "AUC among labels": among_labels(scores)}
    if not args.no_ceiling:
        known = [picture for picture in pictures if not picture.held_out]
        eye = mllm if args.model == "embedded" else load_model("embedded", args.device)
        columns["AUC of logistic regression"] = logistic_scores(
            pooled(eye, known), matrix(known, labels), pooled(eye, held)
        )
    figures |= {name: mean_auc(values, has_label) for name, values in columns.items()}
    figures["keywords a picture"] = ratio([len(own) for own in answered.keywords], one)
    by_label = {
        label: {"pictures": int(has_label[:, i].sum())}
        | {name: auc(values[:, i], has_label[:, i]) for name, values in columns.items()}
        for i, label in enumerate(labels)
    }
    if args.json:
        result = {
            "benchmark": "catalogue pictures",
            "data": args.folder.name,
            "model": mllm.fingerprint,
            "frozen_weights": frozen_digest(mllm),
            "held_out": len(held),
            "compared_with": args.others,
            "others": sum(not picture.held_out for picture in pictures),
            "figures": figures,
            "labels": by_label,
            "settings": settings.model_dump(mode="json"),
            "threads": torch.get_num_threads(),
            "versions": versions(),
        }
        print(json.dumps(result))
        return
    print(f"{mllm.fingerprint}; {len(held)} held-out pictures of {args.folder.name}")
    print(f"weights besides the projector: {frozen_digest(mllm)}")
    for name, value in figures.items():
        print(
            f"{name:48}"
            + ("-" if value is None else f"{value['value']:8.3f} [{value['low']:.3f}, {value['high']:.3f}]")
        )
    print(f"\n{'label':28}{'pictures':>9}" + "".join(f"{name:>28}" for name in columns))
    for label, row in by_label.items():
        print(f"{label[:27]:28}{row['pictures']:9}" + "".join(f"{row[name]:28.3f}" for name in columns))


if __name__ == "__main__":
    main()
