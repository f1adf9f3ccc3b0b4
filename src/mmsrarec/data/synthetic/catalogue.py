"""Draws the built-in synthetic catalogue: products, and shoppers who choose by the rule in answers.json.

Pictures, descriptions and the order of interactions are three separate sources of information, so a test can check
whether a recommender uses each of them. The rule is in `mmsrarec.data.synthetic.ground_truth`.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import Dataset, IntArray, Item, make_interactions
from mmsrarec.data.folder import IMAGES, load, write_tables, writing_data
from mmsrarec.data.synthetic.drawing import COLOURS, KINDS, MOTIFS, contrasting, draw_product
from mmsrarec.data.synthetic.ground_truth import ANSWERS, SERIES_BONUS, STRONG_TASTE, WEAK_TASTE
from mmsrarec.errors import DataError

MATERIALS = ("oak", "steel", "wool", "glass", "clay", "linen")
_WORDS = """
Otter Comet Forest Falcon Harbor Valley Badger Canyon Harvest Ember Lotus Pepper Raven Summit Meadow Tiger Breeze Shadow
Thunder Lemon Panda Voyage Orchid Pirate Winter Saddle Mango Beacon Dragon Puzzle Desert Robin Anchor Jungle Castle
Violin Ginger Rocket Island Parrot Clover Temple Wizard Circus Parade Legend Eagle Planet Garden Monkey Bridge Poet
Turtle Cactus Piano Sailor Doctor Rabbit Hunter Market
"""
SERIES = tuple(_WORDS.split())
ITEMS_PER_SERIES = 5
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
_NEW = 0.2  # share of the items that are new: a ranker that knows only ids cannot rank them
_PICTURELESS = 0.08  # share of the items
_RETURN = 0.8  # share of the shoppers whose last interaction falls into the time of the new items
_TIES = 0.1  # share of the interactions in the same second as the one before
_POPULARITY = 0.3  # standard deviation of the items' popularity, in units of utility


@dataclass(frozen=True)
class _Truth:
    """The attributes of the items as codes into the tuples of names.

    Attributes:
        kind: (n_items,) codes.
        colour: (n_items,) codes.
        motif: (n_items,) codes, -1 for an item without a picture.
        material: (n_items,) codes.
        series: (n_items,) codes.
        new: (n_items,) bool, whether an item is on sale only at the end.
        follow: (n_series,) codes of the series that comes after each series.
    """

    kind: IntArray
    colour: IntArray
    motif: IntArray
    material: IntArray
    series: IntArray
    new: NDArray[np.bool_]
    follow: IntArray


def draw_catalogue(folder: Path, seed: int = 0, items: int = 300, shoppers: int = 800) -> Dataset:
    """Write the data folder of a synthetic catalogue, with answers.json; it takes a few seconds.

    Args:
        folder: The data folder to write.
        seed: The seed; the same seed gives the same bytes.
        items: The number of items, 30 to 300, in series of five.
        shoppers: The number of users; each consumes 8 to 16 items within a year.

    Returns:
        The data set as it is loaded from the folder.

    Raises:
        DataError: The numbers are out of range, or the folder holds something else.
    """
    if not 30 <= items <= ITEMS_PER_SERIES * len(SERIES) or shoppers < 1:
        raise DataError(
            f"a synthetic catalogue has 30 to {ITEMS_PER_SERIES * len(SERIES)} items and at least one shopper"
        )
    for_items, for_pictures, for_shoppers = np.random.default_rng(seed).spawn(3)
    truth = _truth(for_items, items)
    catalogue = _catalogue(for_items, truth)
    user, item, time, preferences = _shop(for_shoppers, truth, shoppers)
    user_ids = tuple(preferences)
    interactions = make_interactions(user, item, time, shoppers, items)
    with writing_data(Path(folder), "sample", "seconds", seed=seed, items=items, shoppers=shoppers) as new:
        write_tables(Dataset(Path(folder).name, catalogue, user_ids, interactions), new)
        _draw(for_pictures, truth, catalogue, new / IMAGES)
        answers = json.dumps(_answers(truth, catalogue) | {"shoppers": preferences}, indent=1)
        (new / ANSWERS).write_text(answers + "\n", encoding="utf-8")
    return load(Path(folder))


def _truth(rng: np.random.Generator, n: int) -> _Truth:
    """Draw the attributes of n items."""
    n_series = -(-n // ITEMS_PER_SERIES)
    # Each series has five different kinds, so that no title occurs twice.
    kind = np.concatenate([rng.permutation(len(KINDS))[:ITEMS_PER_SERIES] for _ in range(n_series)])[:n]
    order = rng.permutation(n)  # the place in the table says nothing about the series
    motif, material = (rng.permutation(np.arange(n) % count) for count in (len(MOTIFS), len(MATERIALS)))
    motif[rng.choice(n, round(_PICTURELESS * n), replace=False)] = -1
    new = np.zeros(n, dtype=bool)
    new[rng.choice(n, round(_NEW * n), replace=False)] = True
    circle = rng.permutation(n_series)
    follow = np.empty(n_series, dtype=np.int64)
    follow[circle] = np.roll(circle, -1)
    colour = rng.integers(len(COLOURS), size=n)
    return _Truth(kind[order], colour, motif, material, order // ITEMS_PER_SERIES, new, follow)


def _catalogue(rng: np.random.Generator, truth: _Truth) -> tuple[Item, ...]:
    """Write the titles and descriptions of the items."""
    items: list[Item] = []
    for code in range(len(truth.kind)):
        number = f"{code + 1:03d}"
        kind, material = KINDS[int(truth.kind[code])], MATERIALS[int(truth.material[code])]
        sentence = str(rng.choice(_SENTENCES)).format(k=kind, m=material)
        before, after = (str(filler) for filler in rng.choice(_FILLERS, 2, replace=False))
        text = " ".join([sentence, after] if rng.random() < 0.5 else [before, sentence, after])
        image = f"{number}.png" if truth.motif[code] >= 0 else None
        title = f"{SERIES[int(truth.series[code])]} {kind}"
        items.append(Item(number, title, text, (_CATEGORIES.get(kind, "Home"),), image))
    return tuple(items)


def _draw(rng: np.random.Generator, truth: _Truth, catalogue: tuple[Item, ...], folder: Path) -> None:
    """Draw the pictures of the items into a folder."""
    for code, item in enumerate(catalogue):
        if item.image is not None:
            colour = tuple(COLOURS)[int(truth.colour[code])]
            ink = str(rng.choice(contrasting(colour)))
            picture = draw_product(rng, KINDS[int(truth.kind[code])], colour, MOTIFS[int(truth.motif[code])], ink)
            picture.save(folder / item.image)


def _shop(
    rng: np.random.Generator, truth: _Truth, shoppers: int
) -> tuple[IntArray, IntArray, IntArray, dict[str, dict[str, str]]]:
    """The users, items and times of all interactions in file order, and the preferences of each user by id."""
    popularity = _POPULARITY * rng.normal(size=len(truth.kind))
    rows: list[tuple[int, int, int]] = []
    preferences: dict[str, dict[str, str]] = {}
    for shopper in range(shoppers):
        motif, material = int(rng.integers(len(MOTIFS))), int(rng.integers(len(MATERIALS)))
        leans = shopper % 2 == 0  # half of the users, with any seed
        preferences[f"u{shopper + 1:04d}"] = {
            "motif": MOTIFS[motif],
            "material": MATERIALS[material],
            "leans": "motif" if leans else "material",
        }
        taste = popularity + (STRONG_TASTE if leans else WEAK_TASTE) * (truth.motif == motif)
        taste += (WEAK_TASTE if leans else STRONG_TASTE) * (truth.material == material)
        history: list[int] = []
        for time in _times(rng):
            utility = taste + rng.gumbel(size=len(taste))
            if history:
                utility += SERIES_BONUS * (truth.series == truth.follow[truth.series[history[-1]]])
            utility[history] = -np.inf
            if time < _START + _NEW_FROM * _YEAR:
                utility[truth.new] = -np.inf
            history.append(int(utility.argmax()))
            rows.append((shopper, history[-1], int(time)))
    user, item, time = np.array(rows, dtype=np.int64).T
    return user, item, time, preferences


def _times(rng: np.random.Generator) -> IntArray:
    """The times of one shopper's 8 to 16 interactions, in seconds and in order.

    They lie in a stretch of weeks before the new items are on sale; only the last one of a returning shopper is later.
    Most stretches end late in the year, so that most queries have earlier interactions of other users.
    """
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
    """The content of answers.json, without the users' preferences."""
    items = {
        item.item_id: {
            "motif": None if truth.motif[code] < 0 else MOTIFS[int(truth.motif[code])],
            "material": MATERIALS[int(truth.material[code])],
            "series": SERIES[int(truth.series[code])],
            "kind": KINDS[int(truth.kind[code])],
            "colour": tuple(COLOURS)[int(truth.colour[code])],
            "new": bool(truth.new[code]),
        }
        for code, item in enumerate(catalogue)
    }
    return {"items": items, "follow": {SERIES[a]: SERIES[int(b)] for a, b in enumerate(truth.follow)}}
