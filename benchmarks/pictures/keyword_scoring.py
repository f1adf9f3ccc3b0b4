"""What a keyword is worth for a labelled photograph, and the figures of all photographs.

A keyword is one of these, the first that holds:

- named: an accepted word is the keyword, or stands in it in whole words ("acoustic guitar" names a guitar);
- near: the same with a near word, a kind of what is shown or one close to it ("bird" for an owl);
- true: each of its words is a colour, material, part or scene that the labels call true of the picture;
- empty: each of its words is such a word or says nothing ("photo", "object", "small");
- wrong: anything else.

Words are compared in their common form ("cherries" is "cherry"), with or without blanks ("sea horse", "seahorse").
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from mmsrarec.summarize.keyword_parsing import same

LABELS = Path(__file__).with_name("labels.csv")
PARTS = ("known", "near")
"""known: what is shown is one of the 1,000 ImageNet classes; near: it is none of them."""
EMPTY = frozenset(
    """
    photo photograph photography picture image closeup close up view detail object thing item product artifact artefact
    entity stuff design color colour shape style pattern large small big little tall long short wide narrow old new
    single pair modern simple natural real realistic beautiful nice cute common various different other colorful
    colourful bright dark light plain
    """.split()  # noqa: SIM905
)
"""Words that name nothing that could be seen or not."""
RESAMPLES = 2000
Worth = Literal["named", "near", "true", "empty", "wrong"]


def split(text: str) -> list[str]:
    return text.lower().replace("-", " ").replace("'", " ").split()


def forms(text: str) -> list[str]:
    """The common forms of a text's words."""
    return [same(word) for word in split(text)]


def spans(text: str) -> set[str]:
    """All runs of words of a text, in their common forms, without blanks."""
    words = forms(text)
    return {"".join(words[start:end]) for start in range(len(words)) for end in range(start + 1, len(words) + 1)}


@dataclass(frozen=True)
class Photograph:
    """A labelled picture: its file within its package, what it shows, and the words for it."""

    package: str
    version: str
    file: str
    sha256: str
    part: str
    accepted: tuple[str, ...]
    near: tuple[str, ...]
    true: tuple[str, ...]

    @property
    def is_development(self) -> bool:
        """Whether thresholds were chosen on it: one in five, by the hash of its bytes."""
        return int(self.sha256[:2], 16) % 5 == 0

    @cached_property
    def _names(self) -> dict[str, set[str]]:
        lists = {"named": self.accepted, "near": self.near}
        return {worth: {"".join(forms(word)) for word in words} for worth, words in lists.items()}

    @cached_property
    def _true_words(self) -> set[str]:
        return {form for word in self.true for form in forms(word)}

    def worth(self, keyword: str) -> Worth:
        """What a keyword is worth for this picture."""
        found = spans(keyword)
        if found & self._names["named"]:
            return "named"
        if found & self._names["near"]:
            return "near"
        unknown = [word for word in split(keyword) if same(word) not in self._true_words]
        if not unknown:
            return "true"
        return "empty" if set(unknown) <= EMPTY else "wrong"

    def credit(self, keywords: Sequence[str]) -> float:
        """1 where a keyword names what is shown, 0.5 where one comes near, else 0."""
        worth = {self.worth(keyword) for keyword in keywords}
        return 1.0 if "named" in worth else 0.5 if "near" in worth else 0.0


def read_labels(file: Path = LABELS) -> list[Photograph]:
    with file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    words = {"accepted", "near", "true"}
    lists = [
        {name: tuple(text.split("|")) if text else () for name, text in row.items() if name in words} for row in rows
    ]
    return [Photograph(**row | own) for row, own in zip(rows, lists, strict=True)]


def ratio(above: Sequence[float], below: Sequence[float], seed: int = 0) -> dict[str, float] | None:
    """sum(above) / sum(below) with its 95 % bootstrap interval over the pictures; None where nothing is below."""
    top, bottom = np.asarray(above, dtype=float), np.asarray(below, dtype=float)
    if bottom.sum() == 0:
        return None
    rows = np.random.default_rng(seed).integers(len(top), size=(RESAMPLES, len(top)))
    sums = bottom[rows].sum(1)
    low, high = np.percentile(top[rows].sum(1)[sums > 0] / sums[sums > 0], [2.5, 97.5])
    return {"value": float(top.sum() / bottom.sum()), "low": float(low), "high": float(high)}


def score(
    photographs: Sequence[Photograph],
    keywords: Mapping[str, Sequence[str]],
    classes: Mapping[str, Sequence[Sequence[str]]] | None = None,
    flagged: Mapping[str, Sequence[str]] | None = None,
    seed: int = 0,
) -> dict[str, dict[str, float] | None]:
    """The figures of some photographs.

    Args:
        photographs: n photographs.
        keywords: The keywords of each file; a file without an entry has none.
        classes: The names of each of the classifier's three likeliest classes of each file, the likeliest first.
        flagged: The keywords of each file that the grounding check doubts.
        seed: Seed of the resamples.

    Returns:
        Name to value, low and high.
    """
    said = [list(keywords.get(photograph.file, ())) for photograph in photographs]
    worths = [[p.worth(keyword) for keyword in own] for p, own in zip(photographs, said, strict=True)]
    credit = [p.credit(own) for p, own in zip(photographs, said, strict=True)]
    named = [float(value == 1) for value in credit]
    n_keywords, one = [len(own) for own in said], [1.0] * len(photographs)
    figures = {
        "named": ratio(named, one, seed),
        "named, near counting half": ratio(credit, one, seed),
        "wrong among keywords": ratio([own.count("wrong") for own in worths], n_keywords, seed),
        "true among keywords": ratio([own.count("true") for own in worths], n_keywords, seed),
        "keywords a picture": ratio(n_keywords, one, seed),
    }
    if flagged is not None:
        kept = [
            [worth for keyword, worth in zip(own, worth_of, strict=True) if keyword not in flagged.get(p.file, ())]
            for p, own, worth_of in zip(photographs, said, worths, strict=True)
        ]
        figures["wrong among keywords without a doubt"] = ratio(
            [own.count("wrong") for own in kept], [len(own) for own in kept], seed
        )
    if classes is not None:
        first = [p.credit(list(classes[p.file][0])) for p in photographs]
        third = [p.credit([name for names in classes[p.file][:3] for name in names]) for p in photographs]
        in_three = [float(value == 1) for value in third]
        figures |= {
            "named where the classifier's first 3 name it": ratio(
                np.multiply(named, in_three).tolist(), in_three, seed
            ),
            "classifier's first": ratio([float(value == 1) for value in first], one, seed),
            "classifier's first 3": ratio(in_three, one, seed),
            "classifier's first, near counting half": ratio(first, one, seed),
            "classifier's first 3, near counting half": ratio(third, one, seed),
        }
    return figures
