"""Words of a text in any script: Unicode decides what a letter is, and scripts without spaces are cut into words.

A mark belongs to its letter, so Hindi, Thai and Arabic words stay whole. Chinese, Japanese and Thai are cut by BudouX,
whose models are a few kilobytes. Lao, Khmer and Burmese have no such model: neighbouring letters stand for words there.
"""

import unicodedata
from collections.abc import Callable
from functools import cache, lru_cache
from itertools import pairwise

import regex

LONGEST_CLAUSE = 200
"""Characters without a space that are cut with care; whatever is longer is no language, and stays as it is."""

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
"""Letters of scripts that leave no space between words, as the inside of a regular expression's class."""

# letters by category that nobody sees (fillers, variation selectors) are no letters: they could carry anything
_LETTER = r"[[\p{L}\p{M}\p{N}]--\p{Default_Ignorable_Code_Point}]"
_FIRST = r"[[\p{L}\p{N}]--\p{Default_Ignorable_Code_Point}]"
# scripts where a joiner without width parts or joins letters within a word, as Persian writes its plurals
_JOINING = (
    r"[\p{Arabic}\p{Syriac}\p{Mongolian}\p{Devanagari}\p{Bengali}\p{Gurmukhi}\p{Gujarati}\p{Oriya}\p{Tamil}\p{Telugu}"
    r"\p{Kannada}\p{Malayalam}\p{Sinhala}\p{Khmer}\p{Myanmar}]"
)
_JOINT = rf"['\-]|(?<=l)\u00b7(?=l)|(?<={_JOINING})[\u200c\u200d](?={_JOINING})"
WORD = regex.compile(
    rf"(?V1)(?<!{_LETTER})\p{{L}}&\p{{L}}(?!{_LETTER})"  # R&B
    rf"|{_FIRST}{_LETTER}*(?:(?:{_JOINT}){_LETTER}+)*(?:\+{{1,2}}(?![{_LETTER}+])|\#(?!{_LETTER}))?"  # C++, C#, 18+
)
"""One word of a normal text."""

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
# what hangs on a Japanese word, the longest first: particles, the copula, polite endings
_PARTICLES = regex.compile(
    r"(?:において|における|について|によって|による|により|という|として|でしょう|ました|ません|まで|から|より|ので|など"
    r"|です|ます|では|には|とは|への|との|での|にも|でも|だけ|は|が|を|に|の|と|で|も|へ|や|な|だ)$"
)
# what hangs on a Korean noun and begins hardly any ending of one
_KOREAN = regex.compile(r"(?<=\p{Hangul}{2})(?:에서|으로|에게|까지|부터|을|를|은|는|와|과|(?<!주)의)$")
_ELISION = regex.compile(
    r"^(?:[ldjmtscn]|qu|jusqu|lorsqu|puisqu|quoiqu|un|dell|all|nell|sull|dall|coll|quest|quell|gl|degl|dagl|agl|negl"
    r"|sugl)'(?=.)"
)
ELIDING = frozenset({"fr", "it", "ca"})
"""Languages that write a small word and the next one as one, as in "l'amour"."""


def normal(text: str) -> str:
    """A text in the form that words are compared in: NFKC, lower case, straight apostrophes, no soft hyphens."""
    if text.isascii():
        return text.lower()
    text = unicodedata.normalize("NFKC", text).lower().replace("i\u0307", "i")  # of a Turkish capital
    text = text.replace("\u2019", "'").replace("\u02bc", "'")
    text = unicodedata.normalize("NFKC", text).replace("\u00ad", "")
    text = _HYPHEN.sub("-", text)
    return text.replace("\u0e4d\u0e32", "\u0e33").replace("\u0ecd\u0eb2", "\u0eb3")  # one vowel, which NFKC parts


@lru_cache(maxsize=16384)
def script_of(letter: str) -> str:
    """The script of a letter by its Unicode name, "" where it is none of those told apart here."""
    return next((name for name, pattern in _SCRIPT.items() if pattern.match(letter)), "")


@lru_cache(maxsize=65536)
def script_of_word(word: str) -> str:
    """The script of a word's first letter."""
    return next((script for letter in word if (script := script_of(letter))), "")


def unspaced(text: str) -> bool:
    """Whether a text is all of letters from scripts without spaces."""
    return bool(_CLAUSE.fullmatch(text)) and bool(_UNSPACED.search(text))


def words(text: str, language: str = "") -> list[str]:
    """The words of a text in order, in normal form.

    language: where it is known. It decides between Japanese and Chinese, and parts "l'amour" in French.
    """
    text = normal(text)
    japanese = language == "ja" or bool(_KANA.search(text))
    found: list[str] = []
    for token in WORD.findall(text):
        if token.isascii():
            found.append(_ELISION.sub("", token) if language in ELIDING else token)
        elif _UNSPACED.search(token):
            for run in _RUN.findall(token):
                found += _cut(run, japanese) if _UNSPACED.match(run) else _plain(run)
        else:
            found.append(bare_korean(_ELISION.sub("", token) if language in ELIDING else token))
    return found


def _plain(run: str) -> list[str]:
    """What stands between letters without spaces: a word of another script, or the signs of one, which are none."""
    return [word] if (word := run.strip("'-")) and any(map(str.isalnum, word)) else []


def bare_korean(word: str) -> str:
    """A Korean noun without the particle at its end; other words as they are."""
    return _KOREAN.sub("", word)


@lru_cache(maxsize=65536)
def _cut(run: str, japanese: bool) -> tuple[str, ...]:
    """The words of a run of one script without spaces."""
    if len(run) > LONGEST_CLAUSE:
        return (run,)
    script = script_of_word(run)
    if script == "Thai":
        return tuple(piece for piece in _whole(_parser("thai")(run)) if piece != "ๆ") or (run,)
    if script in ("Lao", "Khmer", "Myanmar"):
        clusters = _CLUSTER.findall(run)
        return tuple(map("".join, pairwise(clusters))) if len(clusters) > 2 else (run,)
    if japanese:
        bare = (word for piece in _parser("japanese")(run) if (word := _bare(piece)))
        return tuple(word for piece in bare for word in (_pairs(piece) if _HAN.fullmatch(piece) else (piece,))) or (
            run,
        )
    return _chinese(run)


def _whole(pieces: list[str]) -> list[str]:
    """Pieces without a cut between a letter and its mark."""
    joined: list[str] = []
    for piece in pieces:
        if joined and unicodedata.category(piece[0]) == "Mn":
            joined[-1] += piece
        else:
            joined.append(piece)
    return joined


def _bare(piece: str) -> str:
    """A Japanese phrase without the particles at its end; "" where it is nothing else."""
    while (shorter := _PARTICLES.sub("", piece)) != piece:
        if shorter and not _HAN.search(shorter) and len(shorter) == 1:
            break  # a single kana is no word: what looked like a particle belongs to it
        piece = shorter
    return piece


def _chinese(run: str) -> tuple[str, ...]:
    """The words of Chinese text, most of which are of two characters: one that is left over is half a word.

    It joins an odd piece before it, or else the pair after it.
    """
    if len(run) <= 2:
        return (run,)
    joined: list[str] = []
    for piece in _parser(_written(run))(run):
        before = joined[-1] if joined and joined[-1] not in _functional() else ""
        alone = len(piece) == 1 and piece not in _functional()
        if (alone and len(before) % 2) or (len(before) == 1 and len(piece) == 2):
            joined[-1] += piece
        else:
            joined.append(piece)
    return tuple(word for piece in joined for word in _pairs(piece))


def _pairs(piece: str) -> list[str]:
    """Characters two by two, the last three together where there are an odd number: what compounds are made of."""
    ends = [*range(2, len(piece) - 1, 2), len(piece)]
    return [piece[start:end] for start, end in pairwise([0, *ends])]


@cache
def _functional() -> frozenset[str]:
    """Chinese characters that are words of grammar by themselves."""
    from mmsrarec.summarize.language.lexicon import fillers

    return frozenset(word for word in fillers("zh") if len(word) == 1)


def _written(run: str) -> str:
    """Which model knows more of the characters: that of simplified or that of traditional Chinese."""
    simple, traditional = (
        sum(c in _characters(name) for c in run) for name in ("simplified_chinese", "traditional_chinese")
    )
    return "traditional_chinese" if traditional > simple else "simplified_chinese"


@cache
def _budoux(name: str):
    import budoux  # loads four models, so it waits for a text that needs them

    return getattr(budoux, f"load_default_{name}_parser")()


@cache
def _parser(name: str) -> Callable[[str], list[str]]:
    return _budoux(name).parse


@cache
def _characters(name: str) -> frozenset[str]:
    """The characters that a model has learned something about."""
    return frozenset(c for group in _budoux(name).model.values() for feature in group for c in feature)
