"""The words of the 1,000 ImageNet classes, and which of them are said of a picture. Free of torch.

`class_words.tsv` holds a class a line: its name, then its kinds by WordNet 3.0 from narrow to broad ("espresso, cup,
drink"); `scripts/class_words.py` makes it. Classes that say how a picture is made, such as comic books and book covers,
have none. A kind is as likely as all its classes together, so that a dog of an unknown
breed is still a dog.
"""

import hashlib
from functools import cache
from pathlib import Path

CLASS_WORDS = Path(__file__).with_name("class_words.tsv")
RECORDED = 0.1
"""The least probability of a word that is recorded."""
NAME_PROBABILITY, KIND_PROBABILITY = 0.3, 0.5
"""The least probability of the name of a class, and of a kind of several classes, that is said. Both were chosen on
photographs that the published figures leave out (`benchmarks/pictures`, development photographs)."""
MAX_WORDS = 3
LOOK_AGAIN = 0.2
"""The probability of any word at first sight from which a picture is looked at again (`second_look`)."""
NEARER, FARTHER = 0.875, 1.3
"""The sides of the two other views, the middle and the whole on a larger ground, as shares of the picture's."""

WordProbabilities = dict[str, float]
"""Word -> probability in [0, 1], the likeliest first."""


@cache
def read_class_words() -> tuple[tuple[str, ...], ...]:
    """The words of each class, in the order of the classes."""
    lines = CLASS_WORDS.read_text(encoding="utf-8").splitlines()
    return tuple(tuple(line.split("\t")) if line else () for line in lines)


@cache
def class_counts() -> dict[str, int]:
    """Word -> the number of classes that have it."""
    counts: dict[str, int] = {}
    for words in read_class_words():
        for word in words:
            counts[word] = counts.get(word, 0) + 1
    return counts


def likely_words(probabilities: WordProbabilities) -> WordProbabilities:
    """Choose the words to say of a picture: names of classes first, then kinds from narrow to broad.

    A word that stands in a longer one is left out: "polar bear" says "bear".

    Args:
        probabilities: The recorded words of a picture.

    Returns:
        At most `MAX_WORDS` words with their probabilities, in the order in which they are said; none where nothing is
        likely enough.
    """
    sizes = class_counts()
    known = [word for word in probabilities if word in sizes]
    names = [word for word in known if sizes[word] == 1 and probabilities[word] >= NAME_PROBABILITY]
    kinds = [word for word in known if sizes[word] > 1 and probabilities[word] >= KIND_PROBABILITY]
    chosen: list[str] = []
    for word in [*names, *sorted(kinds, key=lambda kind: sizes[kind])]:
        if not any(f" {word} " in f" {longer} " for longer in chosen):
            chosen.append(word)
    return {word: probabilities[word] for word in chosen[:MAX_WORDS]}


def class_words_hash() -> str:
    """A hash of the words, thresholds and views, for the keys of what is made from them."""
    numbers = (NAME_PROBABILITY, KIND_PROBABILITY, MAX_WORDS, LOOK_AGAIN, NEARER, FARTHER)
    return hashlib.sha256(CLASS_WORDS.read_bytes() + repr(numbers).encode()).hexdigest()[:12]
