"""The lexicon: which words are forms of one word, and which are filler, in the languages of a catalogue.

Snowball's stemmers give the forms of a word, stopwords-iso the filler words, and the catalogue itself the words that
most of its items hold, which do not tell items apart. A stem is no word and is never shown.
"""

import importlib
import threading
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Protocol

import regex

from mmsrarec.summarize.language.segmentation import bare_korean, normal, script_of_word, unspaced, words

MIN_STEM_LENGTH = 3
"""Letters of a stem; a word with a shorter one is compared as it stands."""
STEMMERS = {
    "ar": "arabic", "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "el": "greek", "en": "english",
    "eo": "esperanto", "es": "spanish", "et": "estonian", "eu": "basque", "fa": "persian", "fi": "finnish",
    "fr": "french", "ga": "irish", "hi": "hindi", "hu": "hungarian", "hy": "armenian", "id": "indonesian",
    "it": "italian", "lt": "lithuanian", "ne": "nepali", "nl": "dutch", "no": "norwegian", "pl": "polish",
    "pt": "portuguese", "ro": "romanian", "ru": "russian", "sr": "serbian", "st": "sesotho", "sv": "swedish",
    "ta": "tamil", "tr": "turkish", "yi": "yiddish",
}  # fmt: skip
"""The name of Snowball's stemmer, by ISO 639 code."""
SCRIPT_LANGUAGE = {
    "Latin": "en", "Cyrillic": "ru", "Greek": "el", "Arabic": "ar", "Hebrew": "he", "Devanagari": "hi", "Han": "zh",
    "Hiragana": "ja", "Katakana": "ja", "Hangul": "ko", "Thai": "th", "Lao": "lo", "Khmer": "km", "Myanmar": "my",
    "Bengali": "bn", "Gurmukhi": "pa", "Gujarati": "gu", "Oriya": "or", "Tamil": "ta", "Telugu": "te",
    "Kannada": "kn", "Malayalam": "ml", "Sinhala": "si", "Armenian": "hy", "Georgian": "ka", "Ethiopic": "am",
    "Tibetan": "bo", "Mongolian": "mn", "Syriac": "syr", "Thaana": "dv",
}  # fmt: skip
"""The language of a script's words where there is no other evidence."""
_OTHERS = {"Cyrillic": ("bg", "uk", "sr"), "Arabic": ("fa", "ur", "ku"), "Hebrew": ("yi",), "Devanagari": ("mr", "ne")}
LANGUAGE_SCRIPT = {language: script for script, language in SCRIPT_LANGUAGE.items()} | {
    language: script for script, more in _OTHERS.items() for language in more
}
"""The script of each language that is not written in Latin letters, and of English."""
UNDETERMINED = "und"
"""The language of an item without a letter, as ISO 639 writes it."""
_ENGLISH = """
    a about after all also an and any are as at be been but by can every for from get had has have he her here him
    his how if in into is it its just like made makes more most no not of off on one only or our out over own she so
    some such than that the their them then there these they this to two up upon us was we well were what when where
    which while who will with without you your
"""
"""Filler words of English. The list of stopwords-iso has "mug", "ring", "novel" and "computer", so it is not used."""
_CONTENT_WORDS = {
    "ru": """белый вечер вода война глаз город деньги дом дорога друг душа жена женщина земля книга комната любить
    мать машина мир москва ночь отец работа ребенок россия русский свет сила советский старый улица утро"""
}
"""Words in the lists of stopwords-iso that are frequent, but say what an item is about: they are no filler here."""
_ADDED_FILLERS = {"ja": "の に は が を と で も へ や な こと もの ため よう"}
_MARKED = regex.compile(r"[\p{M}\u0640\u200c\u200d]")  # vowel signs, stretched lines, joiners
_ARTICLE = regex.compile(r"^[וש]?ה(?=\p{Hebrew}{3})")
_PARTS = regex.compile(r"['\-]")
_lock = threading.Lock()


@cache
def known_languages() -> frozenset[str]:
    """The codes of all languages with a stemmer, a list of filler words, or a script of their own here."""
    import stopwordsiso

    return frozenset(STEMMERS) | frozenset(LANGUAGE_SCRIPT) | frozenset(stopwordsiso.langs())


@cache
def fillers(language: str) -> frozenset[str]:
    """The filler words of a language, which mean nothing by themselves."""
    if language == "en":
        return frozenset(_ENGLISH.split())
    import stopwordsiso

    stop_words = stopwordsiso.stopwords(language) if stopwordsiso.has_lang(language) else ()
    added = _ADDED_FILLERS.get(language, "").split()
    return frozenset(
        {normal(word).strip() for word in (*stop_words, *added)} - set(_CONTENT_WORDS.get(language, "").split())
    )


@lru_cache(maxsize=262144)
def stem(word: str, language: str) -> str:
    """The common part of a word's forms; the word itself in languages without a stemmer."""
    script = LANGUAGE_SCRIPT.get(language, "Latin")
    if script in ("Arabic", "Hebrew"):  # their vowel signs may be left out at will
        bare = _MARKED.sub("", word)
        word = _ARTICLE.sub("", bare) if script == "Hebrew" else bare
    if language not in STEMMERS:
        return bare_korean(word) if language == "ko" else word
    with _lock:  # a stemmer keeps the word it works on
        shortest_form = _stemmer(STEMMERS[language]).stemWord(word)
    return shortest_form if len(shortest_form) >= MIN_STEM_LENGTH else word


class _Stemmer(Protocol):
    """What is used of Snowball's stemmers."""

    def stemWord(self, word: str) -> str: ...


@cache
def _stemmer(algorithm: str) -> _Stemmer:
    """A stemmer by Snowball's name of it. The package has no types, so this is the only place that touches it."""
    module: Any = importlib.import_module("snowballstemmer")
    return module.stemmer(algorithm)


@dataclass(frozen=True)
class Lexicon:
    """The meaning of words in an item or a whole catalogue.

    Attributes:
        languages: ISO 639 codes, the likeliest first. A word of another script is in that script's usual language.
        common: Stems of the words that most items hold.
    """

    languages: tuple[str, ...] = ("en",)
    common: frozenset[str] = frozenset()

    def words(self, text: str) -> list[str]:
        """The words of a text in order, in normal form."""
        return words(text, _only_language(self.languages))

    def stems(self, word: str) -> frozenset[str]:
        """The stems of a word in each of the languages of its script."""
        return _stems(word, self.languages)

    def same(self, keyword: str) -> str:
        """The common form of keywords that differ in the forms of their words only."""
        return " ".join(stem(word, _languages(word, self.languages)[0]) for word in normal(keyword).split())

    def forms(self, text: str) -> set[str]:
        """The common forms of a text's words, as from `same`."""
        return set(map(self.same, self.words(text)))

    def is_filler(self, word: str) -> bool:
        """Whether a word is filler in one of the languages of its script."""
        return _is_filler(word, self.languages)

    def is_common(self, keyword: str) -> bool:
        """Whether a keyword has only common words, which most items hold, and filler words."""
        content_words = [word for word in self.words(keyword) if not self.is_filler(word)] if self.common else []
        return bool(content_words) and all(self.stems(word) & self.common for word in content_words)

    def contains(self, keyword: str, word: str) -> bool:
        """Whether a keyword contains another in whole words: "old space operas" contains "space opera".

        In scripts without spaces, it is enough to contain its letters.
        """
        word, keyword = normal(word), normal(keyword)
        if unspaced(word) and word in keyword:
            return True
        word_parts, keyword_parts = word.split(), keyword.split()
        return any(
            all(self.stems(a) & self.stems(b) for a, b in zip(word_parts, keyword_parts[start:], strict=False))
            for start in range(len(keyword_parts) - len(word_parts) + 1)
        )

    def grounded(self, keyword: str, text: str) -> bool:
        """Whether a keyword shares a word with a text, in any form; filler words do not count."""
        if _stems_in(text, self.languages) & _stems_in(keyword, self.languages):
            return True
        keyword = normal(keyword)
        if self.is_filler(keyword):
            return False
        return keyword in self.words(text) or (unspaced(keyword) and keyword in normal(text))


ENGLISH = Lexicon()


def unaccented(word: str, language: str) -> str:
    """A Greek word without accents, as stopwords-iso has most of them; other words as they are."""
    if language != "el":
        return word
    return "".join(c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))


def is_word(text: str) -> bool:
    """Whether a text has more than one letter, or one letter of a script with one-letter words."""
    return len(text) > 1 or script_of_word(text) in ("Han", "Hangul")


def _only_language(languages: tuple[str, ...]) -> str:
    """The language if there is one only, else "": a text is in one of several, and it is not known in which."""
    return languages[0] if len(languages) == 1 else ""


@lru_cache(maxsize=65536)
def _languages(word: str, languages: tuple[str, ...]) -> tuple[str, ...]:
    """The languages of a word's script, or the script's usual language where there is none."""
    script = script_of_word(word)
    usual = SCRIPT_LANGUAGE.get(script, "en")
    if usual in ("zh", "ja"):  # they share a script
        return tuple(language for language in languages if language in ("zh", "ja")) or (usual,)
    own = (language for language in languages if language != UNDETERMINED)
    return tuple(language for language in own if LANGUAGE_SCRIPT.get(language, "Latin") == script) or (usual,)


@lru_cache(maxsize=262144)
def _is_filler(word: str, languages: tuple[str, ...]) -> bool:
    """See `Lexicon.is_filler`."""
    own = _languages(word, languages)
    return any(word in fillers(language) or unaccented(word, language) in fillers(language) for language in own)


@lru_cache(maxsize=262144)
def _stems(word: str, languages: tuple[str, ...]) -> frozenset[str]:
    """See `Lexicon.stems`."""
    return frozenset(stem(word, language) for language in _languages(word, languages))


@lru_cache(maxsize=4096)
def _stems_in(text: str, languages: tuple[str, ...]) -> frozenset[str]:
    """The stems of a text's words and of the parts of words with a hyphen, without filler words."""
    lexicon = Lexicon(languages)
    text_words = words(text, _only_language(languages))
    parts = {part for word in text_words for part in (word, *_PARTS.split(word)) if is_word(part)}
    return frozenset(stem for part in parts if not lexicon.is_filler(part) for stem in lexicon.stems(part))
