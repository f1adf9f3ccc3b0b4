"""What pictures tell of new items: content-sasrec with the picture in an item's content against without.

    python benchmarks/pictures/new_items.py DATA --only-pictured --states STATES --eye-dims 16 --eye-weight 0.5
    python benchmarks/pictures/new_items.py DATA --only-pictured --states STATES --models ridge

A fifth of the items, by a hash of their id, is new: nothing is trained on an interaction with one. Nor is anything
trained on the late quarter of a user's interactions; there, each new item that has a picture is a query. Figures:

- HR@5 and AUC among 1 + 20 candidates, drawn from the whole catalogue as everywhere in this project;
- the same among 1 + 20 new items, which is harder, for being new then tells nothing;
- NDCG@10 and HR@10 among all new items.

A user counts once: the figures are means over users of the mean over a user's queries and over seeds, with 95 %
bootstrap intervals over users. A quarter of the users is for validation: when training stops, and the ridge's penalty.
`--validation` prints figures of these users and leaves the test unread.

A row is named by the blocks of its content, joined by " & "; each block is whitened by itself. Blocks are states of the
language model that reads the title, the text, the picture or stage 1's keywords of the picture (`item_contents.SHOWN`),
"eye", which is the pooled state of the vision encoder, and, as a control, "eye of another item".
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from item_contents import SHOWN, SeenPictures, content_of, language_states, no_keywords, see
from new_item_split import AmongNew, Mask, NewItemSplit, new_candidates, only_pictured, split_new_items
from stage_one import load_model, tell
from taste_ceiling import STRENGTHS, TasteRidge
from torch import Tensor

from mmsrarec.core.artefacts import versions
from mmsrarec.data.dataset import Dataset, FloatArray
from mmsrarec.data.folder import load
from mmsrarec.evaluate.protocols import Candidates, evaluate_full, evaluate_published, published_candidates
from mmsrarec.evaluate.significance import holm, intervals, paired
from mmsrarec.models.vision.image_classifier import classifier_of
from mmsrarec.rankers.base import Ranker
from mmsrarec.rankers.sequence_model import SequenceRanker
from mmsrarec.recommend.settings import RecommendSettings
from mmsrarec.retrieve.settings import RetrieveSettings
from mmsrarec.retrieve.training import train_encoder
from mmsrarec.runs.recipe import parse_override
from mmsrarec.summarize.keywords import Keywords
from mmsrarec.summarize.settings import SummarizeSettings
from mmsrarec.summarize.summarizer import summarize

ROWS = {
    "title": None,
    "title+picture": "title",
    "title & eye": "title",
    "title & eye of another item": "title",
    "title+picture keywords": "title",
    "text": None,
    "text+picture": "text",
    "text & eye": "text",
    "picture": None,
    "eye": "picture",
}
"""Each row, and the row that it is compared with."""
POOR, OWN = "poor text", "picture of its own"
"""Slices of the queries: the target's text is among the shortest third; no other item shows the target's picture."""
MODELS = ("ridge", "content-sasrec")
"""What ranks by the content: a ridge regression for each user (`taste_ceiling`), or the sequence model."""
Values = dict[str, FloatArray]


@dataclass(frozen=True, eq=False)
class Queried:
    """What every row ranks.

    Attributes:
        split: The split.
        queries: The queries that have candidates of both kinds.
        drawn: Candidates by the kind of their negatives.
        slices: Masks of the queries by name.
    """

    split: NewItemSplit
    queries: AmongNew
    drawn: Mapping[str, Candidates]
    slices: Mapping[str, Mask]


def slices_of(dataset: Dataset, targets: np.ndarray) -> dict[str, Mask]:
    """Masks of queries by what is known of their targets."""
    lengths = np.array([len(item.text.split()) for item in dataset.items])
    pictured = np.array([item.image is not None for item in dataset.items])
    shown = [item.image for item in dataset.items if item.image is not None]
    own = np.array([shown.count(item.image) == 1 if item.image else False for item in dataset.items])
    poor = lengths <= np.quantile(lengths[pictured], 1 / 3, method="lower")
    return {"all": np.ones(len(targets), dtype=bool), POOR: poor[targets], OWN: own[targets]}


def make_queried(dataset: Dataset, split: NewItemSplit, validation: bool, seed: int, n: int = 20) -> Queried:
    """Draw the candidates of all queries of the test, or of validation."""
    queries = split.valid if validation else split.test
    log = dataset.interactions
    enough = new_candidates(queries, log, split.new, seed, n).rows
    queries = queries.pick(enough)
    drawn = {
        "catalogue": published_candidates(queries.among_all, log, seed, n),
        "new": new_candidates(queries, log, split.new, seed, n),
    }
    return Queried(split, queries, drawn, slices_of(dataset, queries.target))


def picked(asked: Queried, rows: np.ndarray) -> Queried:
    """Some of the queries, with their candidates."""
    return Queried(
        asked.split,
        asked.queries.pick(rows),
        {kind: drawn.pick(rows) for kind, drawn in asked.drawn.items()},
        {name: mask[rows] for name, mask in asked.slices.items()},
    )


def measured(ranker: Ranker, asked: Queried) -> Values:
    """Metric to (m,) values of the queries."""
    values: Values = {}
    for kind, candidates in asked.drawn.items():
        found = evaluate_published(ranker, asked.queries.among_all, candidates)
        values |= {f"HR@5, 1 + 20 {kind}": found["HR@5"], f"AUC, 1 + 20 {kind}": found["AUC"]}
    n_items = len(asked.split.new)
    found = evaluate_full(ranker, asked.queries, n_items, ("NDCG@10", "HR@10"))
    return values | {f"{name}, all new": one for name, one in found.items()}


def by_user(values: FloatArray, users: np.ndarray) -> FloatArray:
    """The mean of each user's values, users in the order of their codes."""
    _, place, counts = np.unique(users, return_inverse=True, return_counts=True)
    return np.bincount(place, weights=values) / counts


def in_slices(values: Values, asked: Queried) -> dict[str, Values]:
    """Slice to metric to (users of the slice,) values."""
    return {
        name: {metric: by_user(one[mask], asked.queries.user[mask]) for metric, one in values.items()}
        for name, mask in asked.slices.items()
        if mask.any()
    }


def rounded(value: object) -> dict[str, float]:
    return {name: round(number, 5) for name, number in asdict(value).items()}


def table(rows: Mapping[str, Values], asked: Queried, seed: int) -> dict[str, object]:
    """Figures of each row by slice, and its paired differences to the row that it is compared with."""
    sliced = {name: in_slices(values, asked) for name, values in rows.items()}
    figures = {
        name: {
            part: {key: rounded(one) for key, one in intervals(values, seed).items()} for part, values in own.items()
        }
        for name, own in sliced.items()
    }
    differences: dict[str, dict[str, dict[str, dict[str, float]]]] = {}
    for name, base in ROWS.items():
        if name in sliced and base in sliced:
            differences[f"{name} - {base}"] = {
                part: {key: rounded(paired(one, sliced[base][part][key], seed)) for key, one in values.items()}
                for part, values in sliced[name].items()
            }
    for part in asked.slices:
        for key in next(iter(rows.values())):
            cells = [pair[part][key] for pair in differences.values() if part in pair]
            for cell, p in zip(cells, holm([cell["p"] for cell in cells]), strict=True):
                cell["p_holm"] = round(p, 5)
    return {"figures": figures, "differences": differences}


def picture_keywords(args: argparse.Namespace, dataset: Dataset, seen: SeenPictures) -> Keywords:
    """Stage 1's keywords of the pictures."""
    mllm = load_model("embedded", args.device, args.projector)
    settings = SummarizeSettings(texts=False)
    classifier, codes = classifier_of(mllm), sorted(seen.states)
    said = classifier.word_probabilities(torch.stack([seen.states[code] for code in codes])) if classifier else []
    words = dict(zip(codes, said, strict=True)) if classifier else {}
    store = args.states / "keywords.sqlite"
    return summarize(dataset, mllm, settings, store, seen.features, progress=tell, image_words=words)


def read_states(
    args: argparse.Namespace, dataset: Dataset, rows: Sequence[str]
) -> tuple[dict[str, Tensor], SeenPictures]:
    """The states that rows are made from, computed where they are not kept yet."""
    mllm = load_model("embedded", args.device, args.projector)
    seen = see(mllm, dataset, SummarizeSettings().visual_tokens, args.states / "grids.safetensors")
    names = [name for name in SHOWN if any(name in row.split(" & ") for row in rows)] or ["title"]
    asks = any(SHOWN[name].image_keywords for name in names)
    keywords = picture_keywords(args, dataset, seen) if asks else no_keywords(len(dataset.items))
    mllm = mllm.shorten(args.layers)
    settings = RecommendSettings(description_tokens=args.description_tokens, item_keywords=4)
    states: dict[str, Tensor] = {}
    for name in names:
        states[name] = language_states(mllm, dataset, seen, keywords, name, settings, args.states / "items.safetensors")
        print(f"states: {name}", file=sys.stderr)
    return states, seen


def fitted(
    args: argparse.Namespace, model: str, split: NewItemSplit, content: Tensor, seed: int, asked: Queried
) -> Ranker:
    """A row's ranker, chosen on validation users."""
    if model == "ridge":
        valid = make_queried(args.dataset, split, True, seed) if not args.validation else asked
        tries = [TasteRidge(content.numpy(), split.train, ~split.new, strength) for strength in STRENGTHS]
        return max(tries, key=lambda ranker: measured(ranker, valid)["NDCG@10, all new"].mean())
    own = {"encoder": "content-sasrec", "content_size": content.shape[1], **dict(map(parse_override, args.set))}

    def heard(number: int, loss: float, ndcg: float) -> None:
        print(f"pass {number}: loss {loss:.4f}, validation NDCG@10 {ndcg:.4f}", file=sys.stderr)

    settings = RetrieveSettings.model_validate(own)
    encoder = train_encoder(split.train, split.valid, settings, seed, heard, args.device, content)
    return SequenceRanker.of(encoder, split.train)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("data", type=Path, help="a data folder")
    options.add_argument("--only-pictured", action="store_true", help="leave out items without a picture, then 5-core")
    options.add_argument("--states", type=Path, required=True, help="a folder that keeps states of items")
    options.add_argument("--rows", nargs="+", default=list(ROWS), metavar="ROW")
    options.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    options.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of the recipe's [retrieve]")
    options.add_argument("--dims", type=int, default=64, help="principal components of each block")
    options.add_argument("--eye-dims", type=int, help="those of the vision encoder beside another block")
    options.add_argument("--eye-weight", type=float, default=1.0, help="their standard deviation there")
    options.add_argument("--projector", type=Path, help="other weights of the embedded model's projector")
    options.add_argument("--layers", type=int, default=8, help="layers of the language model that read an item")
    options.add_argument("--description-tokens", type=int, default=48)
    options.add_argument("--seeds", type=int, nargs="+", default=[0], help="of weights and batches")
    options.add_argument("--draw", type=int, default=0, help="seed of candidates and intervals")
    options.add_argument("--validation", action="store_true", help="leave the test unread: for choosing settings")
    options.add_argument("--device", default="cpu")
    options.add_argument("--out", type=Path, help="a file for the result, written after each row")
    args = options.parse_args()

    args.states.mkdir(parents=True, exist_ok=True)
    dataset = load(args.data)
    args.dataset = dataset = only_pictured(dataset) if args.only_pictured else dataset
    split = split_new_items(dataset)
    asked = make_queried(dataset, split, args.validation, args.draw)
    states, seen = read_states(args, dataset, args.rows)
    pictured = list(seen.states)
    facts = {
        "benchmark": "new items",
        "data": args.data.name,
        "only_pictured": args.only_pictured,
        "projector": args.projector.name if args.projector else None,
        "items": len(dataset.items),
        "new_items": int(split.new.sum()),
        "new_items_with_a_picture": int(split.new[pictured].sum()),
        "training_interactions": len(split.train),
        "asked": "validation" if args.validation else "test",
        "queries": len(asked.queries),
        "users": len(np.unique(asked.queries.user)),
        "slices": {name: int(mask.sum()) for name, mask in asked.slices.items()},
        "candidates": {kind: drawn.digest[:16] for kind, drawn in asked.drawn.items()},
        "seeds": args.seeds,
        "settings": args.set,
        "dims": args.dims,
        "eye_dims": args.eye_dims,
        "eye_weight": args.eye_weight,
        "layers": args.layers,
        "description_tokens": args.description_tokens,
        "threads": torch.get_num_threads(),
        "versions": versions(),
    }
    tables: dict[str, object] = {}
    for model in args.models:
        rows: dict[str, Values] = {}
        for row in args.rows:
            content = content_of(row, states, seen.states, args.dims, args.eye_dims, args.eye_weight)
            seeds = args.seeds[:1] if model == "ridge" else args.seeds  # a ridge draws nothing
            found = [measured(fitted(args, model, split, content, seed, asked), asked) for seed in seeds]
            rows[row] = {key: np.mean([values[key] for values in found], axis=0) for key in found[0]}
            told = ", ".join(f"{key} {by_user(one, asked.queries.user).mean():.4f}" for key, one in rows[row].items())
            print(f"{model}, {row}: {told}", file=sys.stderr)
            tables[model] = table(rows, asked, args.draw)
            if args.out:
                args.out.write_text(json.dumps(facts | {"models": tables}, indent=1))
    result = facts | {"models": tables}
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
