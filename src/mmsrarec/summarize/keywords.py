"""Keywords: how a model's answer becomes a few clean words, what stands in for a useless answer, and the result."""

import io
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from itertools import groupby
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from mmsrarec.artefacts import atomic_write
from mmsrarec.data.dataset import Dataset, Item
from mmsrarec.errors import MmsrarecError

Source = Literal["model", "fallback", "none"]
SHORTEST, LONGEST, MOST_WORDS = 2, 30, 3  # characters, characters, words
STEM = 4  # letters: words that share them count as the same word
_FILLERS = """
    a about after all also an and any are as at be been but by can every for from get had has have he her here him
    his how if in into is it its just like made makes more most no not of off on one only or our out over own she so
    some such than that the their them then there these they this to two up upon us was we well were what when where
    which while who will with without you your
"""
STOP_WORDS = frozenset(_FILLERS.split())
COLUMNS = {
    "item_id": pl.String,
    "image": pl.List(pl.String),
    "text": pl.List(pl.String),
    "image_source": pl.String,
    "text_source": pl.String,
    "image_answer": pl.String,
    "text_answer": pl.String,
    "flags": pl.List(pl.String),
    "model": pl.String,
}
# letters and marks by category, yet nobody sees them: fillers, joiners, variation selectors, which can carry any bytes
_UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
_PILED = "MMMM"  # no script needs four marks on one letter


def clean(raw: str) -> str | None:
    """One keyword made plain: lower case, no article, no quotes around it. None where it is no keyword at all.

    Letters of any script that can be seen, digits, hyphens and apostrophes, 1 to 3 words, 2 to 30 characters: so
    neither links nor markup nor control characters get through.
    """
    text = unicodedata.normalize("NFKC", raw).lower().replace("’", "'")
    words = text.strip(" \t\r\n.:;!?*'\"“”").split()
    while len(words) > 1 and words[0] in ("a", "an", "the"):
        words = words[1:]
    keyword = " ".join(words)
    kinds = "".join("L" if c in " -'" else unicodedata.category(c)[0] for c in keyword)
    legal = not kinds.strip("LMN") and not kinds.startswith("M") and _PILED not in kinds
    if not legal or _UNSEEN.search(keyword) or len(words) > MOST_WORDS or not SHORTEST <= len(keyword) <= LONGEST:
        return None
    return keyword if any(c.isalpha() for c in keyword) else None


def same(keyword: str) -> str:
    """What two keywords have in common that are one keyword but for a plural."""
    return " ".join(_singular(word) for word in keyword.split())


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("xes", "ses", "zes", "ches", "shes")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def distinct(keywords: Iterable[str | None], limit: int | None = None) -> tuple[str, ...]:
    """The first `limit` different keywords, in order."""
    kept: dict[str, str] = {}
    for keyword in keywords:
        if keyword is not None:
            kept.setdefault(same(keyword), keyword)
    return tuple(kept.values())[:limit]


def parse(answer: str, limit: int | None = None) -> tuple[str, ...]:
    """The keywords of an answer: its first line, split at commas, cleaned, without repeats, at most `limit`."""
    line = answer.strip().splitlines()[0] if answer.strip() else ""
    return distinct(map(clean, line.split(",")), limit)


def stop_after(limit: int) -> Callable[[str], bool]:
    """When an answer has said enough: a line is over, a keyword came again, or there are `limit`."""

    def stop(text: str) -> bool:
        text = text.lstrip()
        if "\n" in text:
            return True
        finished = [keyword for keyword in map(clean, text.split(",")[:-1]) if keyword]
        return len(finished) >= limit or len(distinct(finished)) < len(finished)

    return stop


def words(text: str) -> list[str]:
    """The words of a text in order, lower case."""
    return re.findall(r"[^\W_]+(?:['-][^\W_]+)*", unicodedata.normalize("NFKC", text).lower().replace("’", "'"))


def grounded(keyword: str, text: str) -> bool:
    """Whether a keyword shares a word with a text, up to the word's ending; filler words do not count."""
    have, want = (
        {_singular(word)[:STEM] for word in re.findall(r"[^\W_]+", part) if word not in STOP_WORDS}
        for part in (text.lower(), keyword)
    )
    # scripts that leave no space between words
    return bool(have & want) or (not keyword.isascii() and keyword in text.lower())


def fallback(item: Item, limit: int) -> tuple[str, ...]:
    """Keywords without a model: the categories, then the first words of title and text that carry meaning."""
    categories = (clean(part) for name in item.categories for part in re.split(r"[,&/|>]", name))
    content = (word for word in words(f"{item.title} {item.text}") if len(word) > 2 and word not in STOP_WORDS)
    return distinct((*categories, *map(clean, content)), limit)


def items_of(path: str | Path) -> list[str]:
    """The ids of the items whose keywords a file holds. Raises MmsrarecError where there is no such file."""
    try:
        return pl.read_parquet(path, columns=["item_id"])["item_id"].to_list()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise MmsrarecError(f"cannot read the keywords in {path}: {error}; summarize again") from None


@dataclass(frozen=True)
class Keywords:
    """Stage 1's result, a row per item code.

    image, text: the keywords of each modality, () where there are none; source: where those of (image, text) came
    from; answers: what the model said of (image, text), None where it was not asked; flags: what deserves a second
    look, see `summarize.flag`.
    """

    image: tuple[tuple[str, ...], ...]
    text: tuple[tuple[str, ...], ...]
    source: tuple[tuple[Source, Source], ...]
    answers: tuple[tuple[str | None, str | None], ...]
    flags: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        if not self.flags:
            object.__setattr__(self, "flags", ((),) * len(self.text))

    def __len__(self) -> int:
        return len(self.text)

    def united(self, code: int) -> tuple[str, ...]:
        """All keywords of an item without repeats, those of the picture last."""
        return distinct((*self.text[code], *self.image[code]))

    def save(self, path: str | Path, dataset: Dataset, model: str = "") -> None:
        """Write as Parquet; the file is whole or absent. model: fingerprint of the one that answered."""
        columns = (self.image, self.text, self.source, self.answers, self.flags)
        rows = [
            (item.item_id, list(image), list(text), *source, *answers, list(flags), model)
            for item, image, text, source, answers, flags in zip(dataset.items, *columns, strict=True)
        ]
        table = pl.DataFrame(rows, schema=COLUMNS, orient="row")
        buffer = io.BytesIO()
        table.write_parquet(buffer)
        atomic_write(path, buffer.getvalue())

    @classmethod
    def load(cls, path: str | Path, dataset: Dataset) -> "Keywords":
        """Read what `save` wrote, by the ids of the items: one that the file does not know has no keywords.

        Raises MmsrarecError where the file is none of this version.
        """
        try:
            table = pl.read_parquet(path)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise MmsrarecError(f"cannot read the keywords in {path}: {error}; summarize again") from None
        if table.schema != pl.Schema(COLUMNS):
            raise MmsrarecError(f"{path} does not hold keywords of this version: summarize again")
        ids = pl.DataFrame({"item_id": [item.item_id for item in dataset.items]}, schema={"item_id": pl.String})
        table = ids.join(table, on="item_id", how="left", maintain_order="left").with_columns(
            pl.col("image", "text", "flags").fill_null([]), pl.col("image_source", "text_source").fill_null("none")
        )
        pairs = (table.select(f"image_{part}", f"text_{part}").iter_rows() for part in ("source", "answer"))
        source, answers = map(tuple, pairs)
        image, text, flags = (tuple(map(tuple, table[name].to_list())) for name in ("image", "text", "flags"))
        return cls(image, text, source, answers, flags)


def exchanged(keywords: Keywords, rng: np.random.Generator) -> Keywords:
    """Every item with the keywords of another item drawn at random: as many words, which say nothing of it.

    Items of equally many keywords, those of the picture and those of the text counted apart, exchange in a ring. One
    without its like gives to and takes from the item next in size.
    """

    def size(code: int) -> tuple[int, int]:
        return len(keywords.image[code]), len(keywords.text[code])

    rings = [list(ring) for _, ring in groupby(sorted(rng.permutation(len(keywords)).tolist(), key=size), size)]
    merged: list[list[int]] = []
    for ring in rings:
        if merged and min(len(ring), len(merged[-1])) == 1:
            merged[-1] += ring
        else:
            merged.append(ring)
    giver = dict(pair for ring in merged for pair in zip(ring, ring[1:] + ring[:1], strict=True))
    order = [giver[code] for code in range(len(keywords))]
    rows = {part.name: tuple(getattr(keywords, part.name)[code] for code in order) for part in fields(keywords)}
    return Keywords(**rows)
