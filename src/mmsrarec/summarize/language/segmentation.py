"""Segmentation: the words of a text in any script, by Unicode's definition of a letter.

A mark belongs to its letter, so Hindi, Thai and Arabic words stay whole. Chinese, Japanese and Thai, which have no
spaces, are cut by BudouX, whose models are a few kilobytes. Lao, Khmer and Burmese have no such model: pairs of
neighbouring letters are their words here.
"""

import unicodedata
from collections.abc import Callable
from functools import cache, lru_cache
from itertools import pairwise
from typing import Protocol

import regex

MAX_CLAUSE_LENGTH = 200
"""Characters of a clause without spaces that is cut into words; a longer one is no language and stays as it is."""

_SCRIPTS = [
    "Latin",
    "Han",
    "Hiragana",
    "Katakana",
    "Hangul",
    "Thai",
    "Lao",
    "Khmer",
    "Myanmar",
    "Cyrillic",
    "Greek",
    "Arabic",
    "Hebrew",
    "Devanagari",
    "Bengali",
    "Gurmukhi",
    "Gujarati",
    "Oriya",
    "Tamil",
    "Telugu",
    "Kannada",
    "Malayalam",
    "Sinhala",
    "Armenian",
    "Georgian",
    "Ethiopic",
    "Tibetan",
    "Mongolian",
    "Syriac",
    "Thaana",
]
_SCRIPT = {name: regex.compile(rf"\p{{Script={name}}}") for name in _SCRIPTS}
UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\u3005\u3006\u30fc"
"""Letters of scripts without spaces between words, as the inside of a character class."""

# invisible letters (fillers, variation selectors) do not count as letters: they could hide a text
_LETTER = r"[[\p{L}\p{M}\p{N}]--\p{Default_Ignorable_Code_Point}]"
_FIRST = r"[[\p{L}\p{N}]--\p{Default_Ignorable_Code_Point}]"
# scripts in which a zero-width joiner or non-joiner stands within a word, as in Persian plurals
_JOINING = (
    r"[\p{Arabic}\p{Syriac}\p{Mongolian}\p{Devanagari}\p{Bengali}\p{Gurmukhi}\p{Gujarati}\p{Oriya}\p{Tamil}\p{Telugu}"
    r"\p{Kannada}\p{Malayalam}\p{Sinhala}\p{Khmer}\p{Myanmar}]"
)
_JOINT = rf"['\-]|(?<=l)\u00b7(?=l)|(?<={_JOINING})[\u200c\u200d](?={_JOINING})"
WORD = regex.compile(
    rf"(?V1)(?<!{_LETTER})\p{{L}}&\p{{L}}(?!{_LETTER})"  # R&B
    rf"|{_FIRST}{_LETTER}*(?:(?:{_JOINT}){_LETTER}+)*(?:\+{{1,2}}(?![{_LETTER}+])|\#(?!{_LETTER}))?"  # C++, C#, 18+
)
"""A pattern of one word of a text in normal form."""

_UNSPACED = regex.compile(rf"[{UNSPACED}]")
_RUN = regex.compile(
    r"(?V1)(?:[\p{Han}\p{Hiragana}\p{Katakana}\u3005\u3006\u30fc]\p{M}*)+|(?:\p{Thai}\p{M}*)+"
    r"|(?:[\p{Lao}\p{Khmer}\p{Myanmar}\u200c\u200d]\p{M}*)+"
    rf"|[^{UNSPACED}]+(?:\p{{M}}+[^{UNSPACED}]*)*"  # a mark stays with its letter, whatever its own script is
)
_CLAUSE = regex.compile(rf"[{UNSPACED}\p{{M}}]+")
_HYPHEN = regex.compile(r"(?<=\w)[\u2010\u2011\u2013](?=\w)")
_KANA = regex.compile(r"[\p{Hiragana}\p{Katakana}]")
_HAN = regex.compile(r"\p{Han}+")
_CLUSTER = regex.compile(r"\X")
# suffixes of Japanese words, the longest first: particles, the copula, polite endings
_PARTICLES = regex.compile(
    r"(?:において|における|について|によって|による|により|という|として|でしょう|ました|ません|まで|から|より|ので|など"
    r"|です|ます|では|には|とは|への|との|での|にも|でも|だけ|は|が|を|に|の|と|で|も|へ|や|な|だ)$"
)
# particles of Korean nouns that hardly any noun ends with
_KOREAN = regex.compile(r"(?<=\p{Hangul}{2})(?:에서|으로|에게|까지|부터|을|를|은|는|와|과|(?<!주)의)$")
_ELISION = regex.compile(
    r"^(?:[ldjmtscn]|qu|jusqu|lorsqu|puisqu|quoiqu|un|dell|all|nell|sull|dall|coll|quest|quell|gl|degl|dagl|agl|negl"
    r"|sugl)'(?=.)"
)
ELIDING = frozenset({"fr", "it", "ca"})
"""Languages that contract a short word with the next one, as in "l'amour"."""


def normal(text: str) -> str:
    """The normal form of a text, for comparing words: NFKC, lower case, straight apostrophes, no soft hyphens."""
    if text.isascii():
        return text.lower()
    text = unicodedata.normalize("NFKC", text).lower().replace("i\u0307", "i")  # of a Turkish capital
    text = text.replace("\u2019", "'").replace("\u02bc", "'")
    text = unicodedata.normalize("NFKC", text).replace("\u00ad", "")
    text = _HYPHEN.sub("-", text)
    return text.replace("\u0e4d\u0e32", "\u0e33").replace("\u0ecd\u0eb2", "\u0eb3")  # one vowel, which NFKC parts


@lru_cache(maxsize=16384)
def script_of(letter: str) -> str:
    """The script of a letter by its Unicode name, "" for scripts that are not in the list here."""
    return next((name for name, pattern in _SCRIPT.items() if pattern.match(letter)), "")


@lru_cache(maxsize=65536)
def script_of_word(word: str) -> str:
    """The script of a word's first letter."""
    return next((script for letter in word if (script := script_of(letter))), "")


def unspaced(text: str) -> bool:
    """Whether a text consists of letters of scripts without spaces only."""
    return bool(_CLAUSE.fullmatch(text)) and bool(_UNSPACED.search(text))


def words(text: str, language: str = "") -> list[str]:
    """Cut a text into words.

    Args:
        text: The text.
        language: Its ISO 639 code, or "". It decides between Japanese and Chinese, and splits "l'amour" in French.

    Returns:
        The words in order, in normal form.
    """
    text = normal(text)
    japanese = language == "ja" or bool(_KANA.search(text))
    text_words: list[str] = []
    for token in WORD.findall(text):
        if token.isascii():
            text_words.append(_ELISION.sub("", token) if language in ELIDING else token)
        elif _UNSPACED.search(token):
            for run in _RUN.findall(token):
                text_words += _cut(run, japanese) if _UNSPACED.match(run) else _plain(run)
        else:
            text_words.append(bare_korean(_ELISION.sub("", token) if language in ELIDING else token))
    return text_words


def _plain(run: str) -> list[str]:
    """The word of another script in a run between letters of scripts without spaces; none where it is signs only."""
    return [word] if (word := run.strip("'-")) and any(map(str.isalnum, word)) else []


def bare_korean(word: str) -> str:
    """A Korean noun without its particle; other words as they are."""
    return _KOREAN.sub("", word)


@lru_cache(maxsize=65536)
def _cut(run: str, japanese: bool) -> tuple[str, ...]:
    """The words of a run of one script without spaces."""
    if len(run) > MAX_CLAUSE_LENGTH:
        return (run,)
    script = script_of_word(run)
    if script == "Thai":
        return tuple(piece for piece in _join_marks(_parser("thai")(run)) if piece != "ๆ") or (run,)
    if script in ("Lao", "Khmer", "Myanmar"):
        clusters = _CLUSTER.findall(run)
        return tuple(map("".join, pairwise(clusters))) if len(clusters) > 2 else (run,)
    if japanese:
        bare = (word for piece in _parser("japanese")(run) if (word := _bare_japanese(piece)))
        return tuple(word for piece in bare for word in (_pairs(piece) if _HAN.fullmatch(piece) else (piece,))) or (
            run,
        )
    return _chinese(run)


def _join_marks(pieces: list[str]) -> list[str]:
    """Pieces joined where a cut fell between a letter and its mark."""
    joined: list[str] = []
    for piece in pieces:
        if joined and unicodedata.category(piece[0]) == "Mn":
            joined[-1] += piece
        else:
            joined.append(piece)
    return joined


def _bare_japanese(piece: str) -> str:
    """A Japanese phrase without the particles at its end; "" where it consists of particles."""
    while (shorter := _PARTICLES.sub("", piece)) != piece:
        if shorter and not _HAN.search(shorter) and len(shorter) == 1:
            break  # a single kana is no word: what looked like a particle belongs to it
        piece = shorter
    return piece


def _chinese(run: str) -> tuple[str, ...]:
    """The words of a run of Chinese text.

    Most words have two characters, so a single character is half a word: it joins an odd piece before it, or else the
    pair after it.
    """
    if len(run) <= 2:
        return (run,)
    joined: list[str] = []
    for piece in _parser(_chinese_model(run))(run):
        before = joined[-1] if joined and joined[-1] not in _functional() else ""
        is_single = len(piece) == 1 and piece not in _functional()
        if (is_single and len(before) % 2) or (len(before) == 1 and len(piece) == 2):
            joined[-1] += piece
        else:
            joined.append(piece)
    return tuple(word for piece in joined for word in _pairs(piece))


def _pairs(piece: str) -> list[str]:
    """The pairs of characters that make a compound; the last three together where their number is odd."""
    ends = [*range(2, len(piece) - 1, 2), len(piece)]
    return [piece[start:end] for start, end in pairwise([0, *ends])]


@cache
def _functional() -> frozenset[str]:
    """The Chinese characters that are grammatical words by themselves."""
    from mmsrarec.summarize.language.lexicon import fillers

    return frozenset(word for word in fillers("zh") if len(word) == 1)


def _chinese_model(run: str) -> str:
    """The model, of simplified or of traditional Chinese, that has more of the characters."""
    n_simplified, n_traditional = (
        sum(c in _characters(name) for c in run) for name in ("simplified_chinese", "traditional_chinese")
    )
    return "traditional_chinese" if n_traditional > n_simplified else "simplified_chinese"


class _Parser(Protocol):
    """What is used of BudouX's parsers."""

    model: dict[str, dict[str, int]]

    def parse(self, sentence: str) -> list[str]: ...


@cache
def _budoux(name: str) -> _Parser:
    """A parser by BudouX's name of it."""
    import budoux  # loads four models, so it waits for a text that needs them

    return getattr(budoux, f"load_default_{name}_parser")()


@cache
def _parser(name: str) -> Callable[[str], list[str]]:
    """The function of a parser that cuts a text."""
    return _budoux(name).parse


@cache
def _characters(name: str) -> frozenset[str]:
    """The characters in the features of a model."""
    return frozenset(c for group in _budoux(name).model.values() for feature in group for c in feature)
