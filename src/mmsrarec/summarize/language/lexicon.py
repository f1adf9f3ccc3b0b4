"""What is a form of what, and what is filler, in the languages of a catalogue.

Snowball's stemmers say which words are forms of one word, stopwords-iso which words are filler, and the catalogue
itself which words are in most of its items and so tell none of them from another. A stem is no word and is not shown.
"""

import threading
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache

import regex

from mmsrarec.summarize.language.segmentation import bare_korean, normal, script_of_word, unspaced, words

SHORTEST_STEM = 3
"""Letters: a word that would keep fewer is compared as it stands."""
STEMMERS = {
    "ar": "arabic", "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "el": "greek", "en": "english",
    "eo": "esperanto", "es": "spanish", "et": "estonian", "eu": "basque", "fa": "persian", "fi": "finnish",
    "fr": "french", "ga": "irish", "hi": "hindi", "hu": "hungarian", "hy": "armenian", "id": "indonesian",
    "it": "italian", "lt": "lithuanian", "ne": "nepali", "nl": "dutch", "no": "norwegian", "pl": "polish",
    "pt": "portuguese", "ro": "romanian", "ru": "russian", "sr": "serbian", "st": "sesotho", "sv": "swedish",
    "ta": "tamil", "tr": "turkish", "yi": "yiddish",
}  # fmt: skip
"""Language, by its ISO 639 code -> Snowball's name of its stemmer."""
SCRIPT_LANGUAGE = {
    "Latin": "en", "Cyrillic": "ru", "Greek": "el", "Arabic": "ar", "Hebrew": "he", "Devanagari": "hi", "Han": "zh",
    "Hiragana": "ja", "Katakana": "ja", "Hangul": "ko", "Thai": "th", "Lao": "lo", "Khmer": "km", "Myanmar": "my",
    "Bengali": "bn", "Gurmukhi": "pa", "Gujarati": "gu", "Oriya": "or", "Tamil": "ta", "Telugu": "te",
    "Kannada": "kn", "Malayalam": "ml", "Sinhala": "si", "Armenian": "hy", "Georgian": "ka", "Ethiopic": "am",
    "Tibetan": "bo", "Mongolian": "mn", "Syriac": "syr", "Thaana": "dv",
}  # fmt: skip
"""Script -> the language of its words where nothing else is known."""
_OTHERS = {"Cyrillic": ("bg", "uk", "sr"), "Arabic": ("fa", "ur", "ku"), "Hebrew": ("yi",), "Devanagari": ("mr", "ne")}
SCRIPTS = {language: script for script, language in SCRIPT_LANGUAGE.items()} | {
    language: script for script, more in _OTHERS.items() for language in more
}
"""Language -> its script; the others are written in Latin letters."""
UNDETERMINED = "und"
"""The language of an item without a letter, as ISO 639 writes it."""
_ENGLISH = """
    a about after all also an and any are as at be been but by can every for from get had has have he her here him
    his how if in into is it its just like made makes more most no not of off on one only or our out over own she so
    some such than that the their them then there these they this to two up upon us was we well were what when where
    which while who will with without you your
"""
"""The kept list for English counts "mug", "ring", "novel" and "computer" as filler, so this short one stands for it."""
_TELLING = {
    "ru": """белый вечер вода война глаз город деньги дом дорога друг душа жена женщина земля книга комната любить
    мать машина мир москва ночь отец работа ребенок россия русский свет сила советский старый улица утро"""
}
"""Words of a kept list that tell what a thing or a story is about: they stand there for being frequent."""
_ADDED = {"ja": "の に は が を と で も へ や な こと もの ため よう"}
_MARKED = regex.compile(r"[\p{M}\u0640\u200c\u200d]")  # vowel signs, stretched lines, joiners
_ARTICLE = regex.compile(r"^[וש]?ה(?=\p{Hebrew}{3})")
_PARTS = regex.compile(r"['\-]")
_lock = threading.Lock()


@cache
def known_languages() -> frozenset[str]:
    """Codes of the languages that something is known about here: a stemmer, a list of filler words, or a script."""
    import stopwordsiso

    return frozenset(STEMMERS) | frozenset(SCRIPTS) | frozenset(stopwordsiso.langs())


@cache
def fillers(language: str) -> frozenset[str]:
    """The words of a language that mean nothing by themselves."""
    if language == "en":
        return frozenset(_ENGLISH.split())
    import stopwordsiso

    listed = stopwordsiso.stopwords(language) if stopwordsiso.has_lang(language) else ()
    added = _ADDED.get(language, "").split()
    return frozenset({normal(word).strip() for word in (*listed, *added)} - set(_TELLING.get(language, "").split()))


@lru_cache(maxsize=262144)
def stem(word: str, language: str) -> str:
    """What the forms of a word have in common; the word itself in languages without a stemmer."""
    script = SCRIPTS.get(language, "Latin")
    if script in ("Arabic", "Hebrew"):  # their vowel signs may be left out at will
        bare = _MARKED.sub("", word)
        word = _ARTICLE.sub("", bare) if script == "Hebrew" else bare
    if language not in STEMMERS:
        return bare_korean(word) if language == "ko" else word
    with _lock:  # a stemmer keeps the word it works on
        found = _stemmer(STEMMERS[language]).stemWord(word)
    return found if len(found) >= SHORTEST_STEM else word


@cache
def _stemmer(algorithm: str):
    import snowballstemmer

    return snowballstemmer.stemmer(algorithm)


@dataclass(frozen=True)
class Lexicon:
    """Words of an item or a whole catalogue.

    Attributes:
        languages: ISO 639 codes, the likeliest first. A word of another script is read in its script's usual language.
        common: Stems of the words that most items hold.
    """

    languages: tuple[str, ...] = ("en",)
    common: frozenset[str] = frozenset()

    def words(self, text: str) -> list[str]:
        """The words of a text in order, in normal form."""
        return words(text, _told(self.languages))

    def stems(self, word: str) -> frozenset[str]:
        """What the forms of a word have in common, in each of the languages that its script writes."""
        return _stems(word, self.languages)

    def same(self, keyword: str) -> str:
        """What keywords have in common that are forms of one another, in the first language that has their script."""
        return " ".join(stem(word, _languages(word, self.languages)[0]) for word in normal(keyword).split())

    def forms(self, text: str) -> set[str]:
        """What the words of a text are forms of."""
        return set(map(self.same, self.words(text)))

    def is_filler(self, word: str) -> bool:
        """Whether a word is filler in one of the languages that its script writes."""
        return _fills(word, self.languages)

    def is_common(self, keyword: str) -> bool:
        """Whether a keyword has no other words than such as most items hold, and filler."""
        told = [word for word in self.words(keyword) if not self.is_filler(word)] if self.common else []
        return bool(told) and all(self.stems(word) & self.common for word in told)

    def contains(self, keyword: str, word: str) -> bool:
        """Whether a keyword is a word, or holds it whole: "space operas" and "old space opera" say "space opera".

        In scripts without spaces holding its letters is enough.
        """
        word, keyword = normal(word), normal(keyword)
        if unspaced(word) and word in keyword:
            return True
        wanted, have = word.split(), keyword.split()
        return any(
            all(self.stems(one) & self.stems(other) for one, other in zip(wanted, have[start:], strict=False))
            for start in range(len(have) - len(wanted) + 1)
        )

    def grounded(self, keyword: str, text: str) -> bool:
        """Whether a keyword shares a word with a text, in whatever form; filler words do not count."""
        if _stems_in(text, self.languages) & _stems_in(keyword, self.languages):
            return True
        keyword = normal(keyword)
        if self.is_filler(keyword):
            return False
        return keyword in self.words(text) or (unspaced(keyword) and keyword in normal(text))


ENGLISH = Lexicon()


def unaccented(word: str, language: str) -> str:
    """A Greek word without its accents, as the kept list has most of them; others as they are."""
    if language != "el":
        return word
    return "".join(c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))


def is_word(text: str) -> bool:
    """Whether it is more than a single letter, or one of a script that has words of one."""
    return len(text) > 1 or script_of_word(text) in ("Han", "Hangul")


def _told(languages: tuple[str, ...]) -> str:
    """What `segment.words` is told: of several languages none, for a text is in one of them."""
    return languages[0] if len(languages) == 1 else ""


@lru_cache(maxsize=65536)
def _languages(word: str, languages: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the languages that are written in the script of a word, or else the script's usual one."""
    script = script_of_word(word)
    usual = SCRIPT_LANGUAGE.get(script, "en")
    if usual in ("zh", "ja"):  # they share a script
        return tuple(one for one in languages if one in ("zh", "ja")) or (usual,)
    return tuple(one for one in languages if one != UNDETERMINED and SCRIPTS.get(one, "Latin") == script) or (usual,)


@lru_cache(maxsize=262144)
def _fills(word: str, languages: tuple[str, ...]) -> bool:
    spoken = _languages(word, languages)
    return any(word in fillers(one) or unaccented(word, one) in fillers(one) for one in spoken)


@lru_cache(maxsize=262144)
def _stems(word: str, languages: tuple[str, ...]) -> frozenset[str]:
    return frozenset(stem(word, language) for language in _languages(word, languages))


@lru_cache(maxsize=4096)
def _stems_in(text: str, languages: tuple[str, ...]) -> frozenset[str]:
    """The stems of a text's words and of the parts of those with a hyphen, but for filler."""
    lexicon = Lexicon(languages)
    whole = words(text, _told(languages))
    parts = {part for word in whole for part in (word, *_PARTS.split(word)) if is_word(part)}
    return frozenset(one for part in parts if not lexicon.is_filler(part) for one in lexicon.stems(part))
