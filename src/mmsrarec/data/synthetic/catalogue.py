"""The built-in catalogue: drawn products, and shoppers who choose by rules that answers.json tells.

What a picture shows, what a description says and what people take next are three separate sources, so a test can ask
of each whether a recommender used it. The rules are in `mmsrarec.data.synthetic.ground_truth`.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import Dataset, IntArray, Item, make_interactions
from mmsrarec.data.folder import IMAGES, load, write_tables, writing_data
from mmsrarec.data.synthetic.drawing import COLOURS, KINDS, MOTIFS, contrasting, draw_product
from mmsrarec.data.synthetic.ground_truth import ANSWERS, FOLLOW, LEANING, OTHER
from mmsrarec.errors import DataError

MATERIALS = ("oak", "steel", "wool", "glass", "clay", "linen")
_WORDS = """
Otter Comet Forest Falcon Harbor Valley Badger Canyon Harvest Ember Lotus Pepper Raven Summit Meadow Tiger Breeze Shadow
Thunder Lemon Panda Voyage Orchid Pirate Winter Saddle Mango Beacon Dragon Puzzle Desert Robin Anchor Jungle Castle
Violin Ginger Rocket Island Parrot Clover Temple Wizard Circus Parade Legend Eagle Planet Garden Monkey Bridge Poet
Turtle Cactus Piano Sailor Doctor Rabbit Hunter Market
"""
SERIES = tuple(_WORDS.split())
IN_A_SERIES = 5
_CATEGORIES = {"mug": "Kitchen", "plate": "Kitchen", "bottle": "Kitchen", "bag": "Wear", "shirt": "Wear"}

# {m} is the material, {k} the kind. No sentence may name a motif, a colour or a series.
_SENTENCES = (
    "A well made {k} in {m}, from a small workshop by the river.",
    "Made of {m} and finished by hand.",
    "Our buyers say how good the {m} feels after a long day.",
    "A {k} of {m}, simple lines and no fuss.",
    "The {m} comes from one supplier and is checked twice.",
    "For every day use; we chose {m} because it lasts.",
    "This {k} is all {m}, inside and out.",
    "Honest {m}, honest work.",
)
_FILLERS = (
    "Sent within two days.",
    "Easy to clean with a damp cloth.",
    "Comes with a card for your message.",
    "Designed by a team of four.",
    "A gift that people keep.",
    "Repairs are free for five years.",
    "Light enough to carry with one hand.",
    "Packed without plastic.",
)

_START, _YEAR, _DAY = 1_704_067_200, 365 * 86_400, 86_400  # the first second of 2024, UTC
_NEW_FROM = 0.92  # the part of the year after which new items are on sale
_NEW = 0.2  # of the items: a shop that renews its shelves, where whoever knows ids alone is lost
_PICTURELESS = 0.08
_RETURN = 0.8  # of the shoppers: their last interaction falls into the time of the new items
_TIES = 0.1
_POPULARITY = 0.3


@dataclass(frozen=True)
class _Truth:
    """(n_items,) each; codes into the tuples of names. motif is -1 where there is no picture."""

    kind: IntArray
    colour: IntArray
    motif: IntArray
    material: IntArray
    series: IntArray
    new: NDArray[np.bool_]
    follow: IntArray


def draw_catalogue(folder: Path, seed: int = 0, items: int = 300, shoppers: int = 800) -> Dataset:
    """Write a drawn data folder with answers.json and return it as loaded. The same seed gives the same bytes.

    items: 30 to 300, in series of five; shoppers: each takes 8 to 16 items within a year. Takes a few seconds.
    """
    if not 30 <= items <= IN_A_SERIES * len(SERIES) or shoppers < 1:
        raise DataError(f"a drawn catalogue has 30 to {IN_A_SERIES * len(SERIES)} items and at least one shopper")
    for_items, for_pictures, for_shoppers = np.random.default_rng(seed).spawn(3)
    truth = _truth(for_items, items)
    catalogue = _catalogue(for_items, truth)
    user, item, time, told = _shop(for_shoppers, truth, shoppers)
    user_ids = tuple(told)
    interactions = make_interactions(user, item, time, shoppers, items)
    with writing_data(Path(folder), "sample", "seconds", seed=seed, items=items, shoppers=shoppers) as new:
        write_tables(Dataset(Path(folder).name, catalogue, user_ids, interactions), new)
        _draw(for_pictures, truth, catalogue, new / IMAGES)
        answers = json.dumps(_answers(truth, catalogue) | {"shoppers": told}, indent=1)
        (new / ANSWERS).write_text(answers + "\n", encoding="utf-8")
    return load(Path(folder))


def _truth(rng: np.random.Generator, n: int) -> _Truth:
    n_series = -(-n // IN_A_SERIES)
    # Each series has five different kinds, so that no title comes twice.
    kind = np.concatenate([rng.permutation(len(KINDS))[:IN_A_SERIES] for _ in range(n_series)])[:n]
    order = rng.permutation(n)  # the place in the table says nothing about the series
    motif, material = (rng.permutation(np.arange(n) % count) for count in (len(MOTIFS), len(MATERIALS)))
    motif[rng.choice(n, round(_PICTURELESS * n), replace=False)] = -1
    new = np.zeros(n, dtype=bool)
    new[rng.choice(n, round(_NEW * n), replace=False)] = True
    circle = rng.permutation(n_series)
    follow = np.empty(n_series, dtype=np.int64)
    follow[circle] = np.roll(circle, -1)
    colour = rng.integers(len(COLOURS), size=n)
    return _Truth(kind[order], colour, motif, material, order // IN_A_SERIES, new, follow)


def _catalogue(rng: np.random.Generator, truth: _Truth) -> tuple[Item, ...]:
    items = []
    for code in range(len(truth.kind)):
        number = f"{code + 1:03d}"
        kind, material = KINDS[truth.kind[code]], MATERIALS[truth.material[code]]
        sentence = str(rng.choice(_SENTENCES)).format(k=kind, m=material)
        before, after = (str(filler) for filler in rng.choice(_FILLERS, 2, replace=False))
        text = " ".join([sentence, after] if rng.random() < 0.5 else [before, sentence, after])
        image = f"{number}.png" if truth.motif[code] >= 0 else None
        title = f"{SERIES[truth.series[code]]} {kind}"
        items.append(Item(number, title, text, (_CATEGORIES.get(kind, "Home"),), image))
    return tuple(items)


def _draw(rng: np.random.Generator, truth: _Truth, catalogue: tuple[Item, ...], folder: Path) -> None:
    for code, item in enumerate(catalogue):
        if item.image is not None:
            colour = tuple(COLOURS)[truth.colour[code]]
            ink = str(rng.choice(contrasting(colour)))
            picture = draw_product(rng, KINDS[truth.kind[code]], colour, MOTIFS[truth.motif[code]], ink)
            picture.save(folder / item.image)


def _shop(
    rng: np.random.Generator, truth: _Truth, shoppers: int
) -> tuple[IntArray, IntArray, IntArray, dict[str, dict[str, str]]]:
    """(user, item, time) of all interactions in file order, and what each shopper likes."""
    popularity = _POPULARITY * rng.normal(size=len(truth.kind))
    rows: list[tuple[int, int, int]] = []
    told: dict[str, dict[str, str]] = {}
    for shopper in range(shoppers):
        motif, material = int(rng.integers(len(MOTIFS))), int(rng.integers(len(MATERIALS)))
        leans = shopper % 2 == 0  # half of them, whatever the seed
        told[f"u{shopper + 1:04d}"] = {
            "motif": MOTIFS[motif],
            "material": MATERIALS[material],
            "leans": "motif" if leans else "material",
        }
        taste = popularity + (LEANING if leans else OTHER) * (truth.motif == motif)
        taste += (OTHER if leans else LEANING) * (truth.material == material)
        had: list[int] = []
        for time in _times(rng):
            utility = taste + rng.gumbel(size=len(taste))
            if had:
                utility += FOLLOW * (truth.series == truth.follow[truth.series[had[-1]]])
            utility[had] = -np.inf
            if time < _START + _NEW_FROM * _YEAR:
                utility[truth.new] = -np.inf
            had.append(int(utility.argmax()))
            rows.append((shopper, had[-1], int(time)))
    user, item, time = np.array(rows, dtype=np.int64).T
    return user, item, time, told


def _times(rng: np.random.Generator) -> IntArray:
    """8 to 16 seconds in order. All but a returning shopper's last lie before the new items, in a stretch of weeks;
    the stretches end late in the year more often than early, so that most queries have others' past to look at."""
    n = int(rng.integers(8, 17))
    end = (_NEW_FROM * _YEAR - 1) * rng.beta(4, 1)
    start = max(0.0, end - rng.uniform(20, 120) * _DAY)
    times = _START + np.sort(rng.uniform(start, end, n)).astype(np.int64)
    if rng.random() < _RETURN:
        times[-1] = _START + int(rng.uniform(_NEW_FROM, 1) * _YEAR) + 1
        n -= 1
    for i in range(1, n):
        if rng.random() < _TIES:
            times[i] = times[i - 1]
    return times


def _answers(truth: _Truth, catalogue: tuple[Item, ...]) -> dict[str, object]:
    items = {
        item.item_id: {
            "motif": None if truth.motif[code] < 0 else MOTIFS[truth.motif[code]],
            "material": MATERIALS[truth.material[code]],
            "series": SERIES[truth.series[code]],
            "kind": KINDS[truth.kind[code]],
            "colour": tuple(COLOURS)[truth.colour[code]],
            "new": bool(truth.new[code]),
        }
        for code, item in enumerate(catalogue)
    }
    return {"items": items, "follow": {SERIES[a]: SERIES[b] for a, b in enumerate(truth.follow)}}
