"""Keyword parsing: how a model's answer becomes a few clean keywords, and what stands in for a useless answer."""

from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import chain

import regex

from mmsrarec.data.dataset import Item
from mmsrarec.summarize.language.lexicon import ENGLISH, Lexicon, is_word
from mmsrarec.summarize.language.segmentation import MAX_CLAUSE_LENGTH, WORD, normal, script_of_word, unspaced

MIN_KEYWORD_LENGTH = 2
"""Characters of a keyword, at least, in scripts without one-letter words."""
MAX_KEYWORD_LENGTH = 30
"""Characters of a keyword, at most."""
MAX_KEYWORD_WORDS = 3
"""Words of a keyword, at most."""
_SEPARATOR = regex.compile(
    r"[,\u3001\u060c\u055d\u1363\n\r]"  # NFKC has made full-width ones plain
    r"|(?<!&\#?\w{2,10})[;\u061b]"  # which ends "&lt;" too
    r"|(?<!<)\|(?!>)"  # which stands in "<|im_end|>" too
    r"|(?<=\s)[\u00b7\u30fb\u2022](?=\s)"
)
_CATEGORIES = regex.compile(r"[/|>]|(?<!(?<!\w)\w)&|&(?!\w(?!\w))")  # but not at the "&" of R&B
_PUNCTUATION = (
    " \t\r\n.:;!?*'\"\u201c\u201d\u201e\u00ab\u00bb\u00bf\u00a1\u3002\u300a\u300b\u300c\u300d\u300e\u300f\u3010\u3011"
    "\u061f\u06d4\u0964"  # Arabic, Urdu and Hindi end a sentence with these
)
"""Characters that are cut off at the ends of a keyword."""
_DOT = regex.compile(r"(?<=\w)(?:\u30fb|(?<!l)\u00b7|\u00b7(?!l))(?=\w)")  # between the words of a foreign name
_PILED = regex.compile(r"\p{M}{4}")  # no script needs four marks on one letter
_MIN_WORD_LETTERS = 3
"""Letters of a word that may stand for an item, at least, in most alphabets."""
_SHORT_WORD_SCRIPTS = (
    "Han", "Hangul", "Hiragana", "Katakana", "Thai", "Lao", "Khmer", "Myanmar", "Arabic", "Hebrew", "Devanagari",
    "Bengali", "Gurmukhi", "Gujarati", "Oriya", "Tamil", "Telugu", "Kannada", "Malayalam", "Sinhala", "Ethiopic",
)  # fmt: skip
"""Scripts whose short words mean as much as long ones do elsewhere."""


@lru_cache(maxsize=65536)
def clean(raw: str) -> str | None:
    """Normalize one keyword: lower case, no article, no quotes around it. None where it is no keyword at all.

    A keyword has 1 to 3 words and 2 to 30 characters, or one character in scripts with one-letter words. It consists of
    visible letters of any script, digits, hyphens and apostrophes, and the signs of names such as C++, C# and R&B. So
    neither links nor markup nor control characters get through.
    """
    if len(raw) > MAX_CLAUSE_LENGTH:
        return None
    text = _DOT.sub(" ", normal(raw)).strip(_PUNCTUATION)
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
    """Split a list at the commas and similar signs of all scripts; the parts are in normal form."""
    return _SEPARATOR.split(normal(text))


def split_keywords(text: str, lexicon: Lexicon = ENGLISH) -> list[str | None]:
    """Split a list into keywords.

    The list is split as by `split`, and at a slash between two keywords. A clause of a script without spaces that has
    more words than a keyword may have is cut into its words.

    Args:
        text: The list.
        lexicon: The meaning of words in its language.

    Returns:
        The normalized parts; None for a part that is no keyword.
    """
    keywords: list[str | None] = []
    for part in split(text):
        clause = part.strip(_PUNCTUATION)
        if len(clause) <= MAX_CLAUSE_LENGTH and unspaced(clause):
            pieces = lexicon.words(clause)
            clause_words = [clean(piece) for piece in pieces if not lexicon.is_filler(piece)]
            if len(pieces) > MAX_KEYWORD_WORDS and clause_words:
                keywords += clause_words
                continue
        keyword = clean(part)
        pieces = [clean(piece) for piece in part.split("/")] if keyword is None and "/" in part else []
        keywords += pieces if pieces and all(pieces) else [keyword]
    return keywords


def same(keyword: str, lexicon: Lexicon = ENGLISH) -> str:
    """The common form of keywords that differ in the forms of their words only."""
    return lexicon.same(keyword)


def distinct(keywords: Iterable[str | None], limit: int | None = None, lexicon: Lexicon = ENGLISH) -> tuple[str, ...]:
    """The first `limit` keywords, in order, without None and without repeats in other word forms."""
    by_form: dict[str, str] = {}
    for keyword in keywords:
        if keyword is not None:
            by_form.setdefault(same(keyword, lexicon), keyword)
            if len(by_form) == limit:
                break
    return tuple(by_form.values())[:limit]


def parse(answer: str, limit: int | None = None, lexicon: Lexicon = ENGLISH) -> tuple[str, ...]:
    """Read the keywords of an answer.

    Args:
        answer: The model's answer; only its first line counts.
        limit: Keywords, at most; None: all.
        lexicon: The meaning of words in its language.

    Returns:
        Normalized keywords without repeats.
    """
    line = answer.strip().splitlines()[0] if answer.strip() else ""
    return distinct(split_keywords(line, lexicon), limit, lexicon)


def stop_after(limit: int, lexicon: Lexicon = ENGLISH) -> Callable[[str], bool]:
    """Build the test of a complete answer: the end of a line, a repeated keyword, or `limit` keywords."""

    def stop(text: str) -> bool:
        """Whether the answer so far is complete."""
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
    """Whether a keyword shares a word with a text, in any form; filler words do not count."""
    return lexicon.grounded(keyword, text)


def content_words(text: str, lexicon: Lexicon = ENGLISH) -> list[str]:
    """The words of a text that may stand for an item: no filler words, and none too short to mean anything."""
    long_enough = [word for word in lexicon.words(text) if _long_enough(word) and not lexicon.is_filler(word)]
    return sorted(long_enough, key=lambda word: len(word) == 1)  # a single character may be half a word


def _long_enough(word: str) -> bool:
    """Whether a word of its length may mean something in its script."""
    if len(word) >= _MIN_WORD_LETTERS or word[-1] in "+#":
        return True
    return is_word(word) and script_of_word(word) in _SHORT_WORD_SCRIPTS


def fallback(item: Item, limit: int, lexicon: Lexicon = ENGLISH) -> tuple[str, ...]:
    """Take an item's keywords from its own words: the categories, then the content words of title and text.

    Words that most items of the catalogue hold are left out.

    Args:
        item: The item.
        limit: Keywords, at most.
        lexicon: The meaning of words in its language.
    """
    names = (name for category in item.categories for name in _CATEGORIES.split(category))
    categories = (keyword for name in names for keyword in split_keywords(name, lexicon))
    candidates = chain(categories, map(clean, content_words(f"{item.title}\n{item.text}", lexicon)))
    return distinct((word for word in candidates if word and not lexicon.is_common(word)), limit, lexicon)
