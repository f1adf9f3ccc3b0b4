"""Keywords: how a model's answer becomes a few clean words, what stands in for a useless answer, and the result."""

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from itertools import chain, groupby
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
import regex

from mmsrarec.core.artefacts import atomic_write
from mmsrarec.data.dataset import Dataset, Item
from mmsrarec.errors import MmsrarecError
from mmsrarec.summarize.language.detection import catalogue_languages
from mmsrarec.summarize.language.lexicon import ENGLISH, Lexicon, is_word
from mmsrarec.summarize.language.segmentation import MAX_CLAUSE_LENGTH, WORD, normal, script_of_word, unspaced

Source = Literal["model", "fallback", "none"]
MIN_KEYWORD_LENGTH, MAX_KEYWORD_LENGTH, MAX_KEYWORD_WORDS = 2, 30, 3  # characters, characters, words
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
_SEPARATOR = regex.compile(
    r"[,\u3001\u060c\u055d\u1363\n\r]"  # NFKC has made full-width ones plain
    r"|(?<!&\#?\w{2,10})[;\u061b]"  # which ends "&lt;" too
    r"|(?<!<)\|(?!>)"  # which stands in "<|im_end|>" too
    r"|(?<=\s)[\u00b7\u30fb\u2022](?=\s)"
)
_CATEGORIES = regex.compile(r"[/|>]|(?<!(?<!\w)\w)&|&(?!\w(?!\w))")  # but not at the "&" of R&B
_AROUND = (
    " \t\r\n.:;!?*'\"\u201c\u201d\u201e\u00ab\u00bb\u00bf\u00a1\u3002\u300a\u300b\u300c\u300d\u300e\u300f\u3010\u3011"
)
_AROUND += "\u061f\u06d4\u0964"  # Arabic, Urdu and Hindi end a sentence with these
_DOT = regex.compile(r"(?<=\w)(?:\u30fb|(?<!l)\u00b7|\u00b7(?!l))(?=\w)")  # between the words of a foreign name
_PILED = regex.compile(r"\p{M}{4}")  # no script needs four marks on one letter
_TELLING = 3
"""Letters of the shortest word of an alphabet that stands for an item."""
_SHORT_WORDS = ("Han", "Hangul", "Hiragana", "Katakana", "Thai", "Lao", "Khmer", "Myanmar", "Arabic", "Hebrew")
_SHORT_WORDS += ("Devanagari", "Bengali", "Gurmukhi", "Gujarati", "Oriya", "Tamil", "Telugu", "Kannada", "Malayalam")
_SHORT_WORDS += ("Sinhala", "Ethiopic")
"""Scripts whose short words mean as much as long ones do elsewhere."""


@lru_cache(maxsize=65536)
def clean(raw: str) -> str | None:
    """One keyword made plain: lower case, no article, no quotes around it. None where it is no keyword at all.

    Letters of any script that can be seen, digits, hyphens and apostrophes, and what names such as C++, C# and R&B
    need: 1 to 3 words, 2 to 30 characters, or one where a script has words of one. So neither links nor markup nor
    control characters get through.
    """
    if len(raw) > MAX_CLAUSE_LENGTH:
        return None
    text = _DOT.sub(" ", normal(raw)).strip(_AROUND)
    parts = [part for word in text.split() if (part := word.strip("'-"))]
    while len(parts) > 1 and parts[0] in ("a", "an", "the"):
        parts = parts[1:]
    keyword = " ".join(parts)
    if not all(map(WORD.fullmatch, parts)) or _PILED.search(keyword) or len(parts) > MAX_KEYWORD_WORDS:
        return None
    if len(keyword) > MAX_KEYWORD_LENGTH or (len(keyword) < MIN_KEYWORD_LENGTH and not is_word(keyword)):
        return None
    return keyword if any(c.isalpha() for c in keyword) or keyword.endswith("+") else None


def split(text: str) -> list[str]:
    """The parts of a list, in normal form: commas and their like of all scripts part them."""
    return _SEPARATOR.split(normal(text))


def split_keywords(text: str, lexicon: Lexicon = ENGLISH) -> list[str | None]:
    """The parts of a list, each cleaned; None for a part that is no keyword.

    They are parted as by `split`; a slash between two keywords parts them too. A clause of a script without
    spaces, which holds more words than a keyword may, is cut into its words.
    """
    found: list[str | None] = []
    for part in split(text):
        clause = part.strip(_AROUND)
        if len(clause) <= MAX_CLAUSE_LENGTH and unspaced(clause):
            pieces = lexicon.words(clause)
            telling = [clean(piece) for piece in pieces if not lexicon.is_filler(piece)]
            if len(pieces) > MAX_KEYWORD_WORDS and telling:
                found += telling
                continue
        keyword = clean(part)
        pieces = [clean(piece) for piece in part.split("/")] if keyword is None and "/" in part else []
        found += pieces if pieces and all(pieces) else [keyword]
    return found


def same(keyword: str, lexicon: Lexicon = ENGLISH) -> str:
    """What two keywords have in common that are one keyword but for the forms of their words."""
    return lexicon.same(keyword)


def distinct(keywords: Iterable[str | None], limit: int | None = None, lexicon: Lexicon = ENGLISH) -> tuple[str, ...]:
    """The first `limit` different keywords, in order."""
    kept: dict[str, str] = {}
    for keyword in keywords:
        if keyword is not None:
            kept.setdefault(same(keyword, lexicon), keyword)
            if len(kept) == limit:
                break
    return tuple(kept.values())[:limit]


def parse(answer: str, limit: int | None = None, lexicon: Lexicon = ENGLISH) -> tuple[str, ...]:
    """The keywords of an answer: its first line, split as a list, cleaned, without repeats, at most `limit`."""
    line = answer.strip().splitlines()[0] if answer.strip() else ""
    return distinct(split_keywords(line, lexicon), limit, lexicon)


def stop_after(limit: int, lexicon: Lexicon = ENGLISH) -> Callable[[str], bool]:
    """When an answer has said enough: a line is over, a keyword came again, or there are `limit`."""

    def stop(text: str) -> bool:
        text = normal(text.lstrip())
        if "\n" in text:
            return True
        ends = [match.start() for match in _SEPARATOR.finditer(text)]
        if not ends:
            return False
        finished = [keyword for keyword in split_keywords(text[: ends[-1]], lexicon) if keyword]
        return len(finished) >= limit or len(distinct(finished, lexicon=lexicon)) < len(finished)

    return stop


def grounded(keyword: str, text: str, lexicon: Lexicon = ENGLISH) -> bool:
    """Whether a keyword shares a word with a text, in whatever form; filler words do not count."""
    return lexicon.grounded(keyword, text)


def content_words(text: str, lexicon: Lexicon = ENGLISH) -> list[str]:
    """The words of a text that may stand for an item, in order: no filler, and none too short to mean anything."""
    found = [word for word in lexicon.words(text) if _long_enough(word) and not lexicon.is_filler(word)]
    return sorted(found, key=lambda word: len(word) == 1)  # what is cut to one character may be half a word


def _long_enough(word: str) -> bool:
    if len(word) >= _TELLING or word[-1] in "+#":
        return True
    return is_word(word) and script_of_word(word) in _SHORT_WORDS


def fallback(item: Item, limit: int, lexicon: Lexicon = ENGLISH) -> tuple[str, ...]:
    """Keywords without a model: the categories, then the first words of title and text that carry meaning.

    Words that most items of the catalogue hold are none.
    """
    categories = (
        part for name in item.categories for one in _CATEGORIES.split(name) for part in split_keywords(one, lexicon)
    )
    found = chain(categories, map(clean, content_words(f"{item.title}\n{item.text}", lexicon)))
    return distinct((one for one in found if one and not lexicon.is_common(one)), limit, lexicon)


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
    look, see `summarize.flag`; languages: what each item is written in, English unless it is said.
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
        """All keywords of an item without repeats, those of the picture last."""
        return distinct((*self.text[code], *self.image[code]), lexicon=self.lexicon_of(code))

    def lexicon_of(self, code: int) -> Lexicon:
        """What words mean in the language of an item."""
        return Lexicon((self.languages[code],))

    @cached_property
    def lexicon(self) -> Lexicon:
        """What words mean in the languages of the catalogue."""
        return Lexicon(catalogue_languages(self.languages))

    def save(self, path: str | Path, dataset: Dataset, model: str = "") -> None:
        """Write as Parquet; the file is whole or absent. model: fingerprint of the one that answered."""
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
            pl.col("image", "text", "flags").fill_null([]),
            pl.col("image_source", "text_source").fill_null("none"),
            pl.col("language").fill_null(ENGLISH.languages[0]),
        )
        pairs = (table.select(f"image_{part}", f"text_{part}").iter_rows() for part in ("source", "answer"))
        source, answers = map(tuple, pairs)
        image, text, flags = (tuple(map(tuple, table[name].to_list())) for name in ("image", "text", "flags"))
        return cls(image, text, source, answers, flags, tuple(table["language"].to_list()))


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
