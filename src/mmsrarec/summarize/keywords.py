"""Keywords: the result of stage 1, a row per item, and its file."""

import io
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from mmsrarec.core.artefacts import atomic_write
from mmsrarec.data.dataset import Dataset
from mmsrarec.errors import NotFittedError
from mmsrarec.summarize.keyword_parsing import distinct
from mmsrarec.summarize.language.detection import catalogue_languages
from mmsrarec.summarize.language.lexicon import ENGLISH, Lexicon

Source = Literal["model", "fallback", "none"]
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
    "language": pl.String,
}


def items_of(path: str | Path) -> list[str]:
    """Read the ids of the items whose keywords a file holds.

    Raises:
        NotFittedError: If the file cannot be read.
    """
    try:
        return pl.read_parquet(path, columns=["item_id"])["item_id"].to_list()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise NotFittedError(f"cannot read the keywords in {path}: {error}; summarize again") from None


@dataclass(frozen=True)
class Keywords:
    """The keywords of a catalogue, stage 1's result: n rows, one an item code.

    Attributes:
        image: The keywords of each item's picture; () where there are none.
        text: The keywords of each item's text; () where there are none.
        source: The sources of (image, text) keywords: the model, the fallback, or none.
        answers: The model's answers about (image, text); None where it was not asked.
        flags: The doubts about each item's keywords, as from `summarizer.flag`.
        languages: The ISO 639 code of each item's language; English unless given.
    """

    image: tuple[tuple[str, ...], ...]
    text: tuple[tuple[str, ...], ...]
    source: tuple[tuple[Source, Source], ...]
    answers: tuple[tuple[str | None, str | None], ...]
    flags: tuple[tuple[str, ...], ...] = ()
    languages: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.flags:
            object.__setattr__(self, "flags", ((),) * len(self.text))
        if not self.languages:
            object.__setattr__(self, "languages", ENGLISH.languages * len(self.text))

    def __len__(self) -> int:
        return len(self.text)

    def united(self, code: int) -> tuple[str, ...]:
        """All keywords of an item without repeats, those of its picture last."""
        return distinct((*self.text[code], *self.image[code]), lexicon=self.lexicon_of(code))

    def lexicon_of(self, code: int) -> Lexicon:
        """The meaning of words in the language of an item."""
        return Lexicon((self.languages[code],))

    @cached_property
    def lexicon(self) -> Lexicon:
        """The meaning of words in the languages of the catalogue."""
        return Lexicon(catalogue_languages(self.languages))

    def save(self, path: str | Path, dataset: Dataset, model: str = "") -> None:
        """Write a Parquet file, which is whole or absent.

        Args:
            path: The file.
            dataset: The catalogue.
            model: Fingerprint of the model that answered.
        """
        columns = (self.image, self.text, self.source, self.answers, self.flags, self.languages)
        rows = [
            (item.item_id, list(image), list(text), *source, *answers, list(flags), model, language)
            for item, image, text, source, answers, flags, language in zip(dataset.items, *columns, strict=True)
        ]
        table = pl.DataFrame(rows, schema=COLUMNS, orient="row")
        buffer = io.BytesIO()
        table.write_parquet(buffer)
        atomic_write(path, buffer.getvalue())

    @classmethod
    def load(cls, path: str | Path, dataset: Dataset) -> "Keywords":
        """Read what `save` wrote, by the ids of the items; an item that is not in the file has no keywords.

        Args:
            path: The file.
            dataset: The catalogue, which may have other items than the file.

        Raises:
            NotFittedError: If the file cannot be read, or is not of this version.
        """
        try:
            table = pl.read_parquet(path)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise NotFittedError(f"cannot read the keywords in {path}: {error}; summarize again") from None
        if table.schema != pl.Schema(COLUMNS):
            raise NotFittedError(f"{path} does not hold keywords of this version: summarize again")
        ids = pl.DataFrame({"item_id": [item.item_id for item in dataset.items]}, schema={"item_id": pl.String})
        table = ids.join(table, on="item_id", how="left", maintain_order="left").with_columns(
            pl.col("image", "text", "flags").fill_null([]),
            pl.col("image_source", "text_source").fill_null("none"),
            pl.col("language").fill_null(ENGLISH.languages[0]),
        )
        source: tuple[Any, ...] = tuple(table.select("image_source", "text_source").iter_rows())
        answers: tuple[Any, ...] = tuple(table.select("image_answer", "text_answer").iter_rows())
        image, text, flags = (_rows(table[name]) for name in ("image", "text", "flags"))
        return cls(image, text, source, answers, flags, tuple(table["language"].to_list()))


def _rows(column: pl.Series) -> tuple[tuple[str, ...], ...]:
    """The rows of a column of lists."""
    lists: list[list[str]] = column.to_list()
    return tuple(tuple(row) for row in lists)


def exchanged(keywords: Keywords, rng: np.random.Generator) -> Keywords:
    """Give every item the keywords of another random item, for an ablation: as many words without information.

    Items with equal numbers of picture and of text keywords exchange in a ring. An item whose numbers no other item has
    joins the ring of the next size.

    Args:
        keywords: Stage 1's result.
        rng: The random state.
    """

    def size(code: int) -> tuple[int, int]:
        """The numbers of picture and of text keywords."""
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
