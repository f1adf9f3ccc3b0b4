"""Language detection: the language of an item, by its script and the filler words it holds.

Short titles hold few filler words. So an item is taken to be in the language that most of the catalogue's items of its
script indicate, unless its own words clearly indicate another.
"""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mmsrarec.data.dataset import Item
from mmsrarec.summarize.language.lexicon import LANGUAGE_SCRIPT, SCRIPT_LANGUAGE, UNDETERMINED, Lexicon, fillers
from mmsrarec.summarize.language.segmentation import script_of, script_of_word, words

AUTO, WORDS = "auto", "words.json"
MIN_FILLER_WORDS = 3
"""Different filler words of another language than the catalogue's that an item must hold to be in that language."""
MIN_WEIGHT_RATIO = 2.0
"""How many times the weight of the catalogue's language an item's words must give to the other language."""
MIN_ITEMS_FOR_COMMON = 20
"""Items of a language from which on its common words are looked for."""
COMMON_WORD_SHARE = 0.5
"""A word is common if more than this share of a language's items hold it."""
MIN_LANGUAGE_SHARE = 0.02
"""Share of the items that a language must have to be a language of the catalogue, in which user input is read."""
JAPANESE = "Kana"
"""The name of the three Japanese scripts together."""
_UNRELIABLE = frozenset({"la", "br", "eo"})
"""Languages of hardly any catalogue, whose filler words are those of related languages."""


@dataclass(frozen=True)
class CatalogueWords:
    """The facts about words that need a whole catalogue.

    They stay fixed when items join later, so that new items change no other item.

    Attributes:
        usual: The language of most texts in each script.
        common: By language, the stems of words that most of its texts hold, which do not tell items apart.
    """

    usual: Mapping[str, str]
    common: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, items: Sequence[Item], language: str = AUTO) -> "CatalogueWords":
        """Collect the facts.

        Args:
            items: The whole catalogue.
            language: The language of all items, or "auto", which detects it from their words.
        """
        texts = [full_text(item) for item in items]
        usual = usual_languages(texts) if language == AUTO else {}
        return cls(usual, common_words(texts, languages_in(texts, language, usual)))

    def save(self, folder: Path) -> None:
        """Write words.json."""
        common = {language: sorted(stems) for language, stems in self.common.items()}
        text = json.dumps({"usual": dict(self.usual), "common": common}, ensure_ascii=False, indent=1)
        (folder / WORDS).write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "CatalogueWords | None":
        """Read what `save` wrote; None where the folder has none."""
        try:
            record = json.loads((folder / WORDS).read_text(encoding="utf-8"))
            return cls(record["usual"], {name: frozenset(stems) for name, stems in record["common"].items()})
        except (OSError, ValueError, KeyError, AttributeError):
            return None


def lexicons(
    items: Sequence[Item], language: str = AUTO, catalogue_words: CatalogueWords | None = None
) -> tuple[Lexicon, ...]:
    """Build the lexicon of each item: its language, and the common words of that language.

    Args:
        items: n items; the whole catalogue, unless `catalogue_words` are given.
        language: The language of all items, or "auto", which detects it from their words.
        catalogue_words: The facts about the whole catalogue; collected from `items` unless given.

    Returns:
        n lexicons.
    """
    facts, texts = catalogue_words or CatalogueWords.of(items, language), [full_text(item) for item in items]
    languages = languages_in(texts, language, facts.usual)
    lexicon_of = {code: Lexicon((code,), facts.common.get(code, frozenset())) for code in set(languages)}
    return tuple(lexicon_of[code] for code in languages)


def languages_in(texts: Sequence[str], language: str, usual: Mapping[str, str]) -> list[str]:
    """The language of each text: the given one, or with "auto" the one that its words indicate."""
    if language == AUTO:
        return languages_of(texts, usual)
    return [language if _has_letters(text) else UNDETERMINED for text in texts]


def merge_lexicons(parts: Iterable[Lexicon]) -> Lexicon:
    """Merge the lexicons of items into one of the whole catalogue, whose most frequent language comes first."""
    counts = Counter(parts)
    languages = catalogue_languages(lexicon.languages[0] for lexicon in counts.elements())
    common: frozenset[str] = frozenset()
    return Lexicon(languages, common.union(*(lexicon.common for lexicon in counts)))


def catalogue_languages(item_languages: Iterable[str]) -> tuple[str, ...]:
    """The languages of a catalogue, the most frequent first; English where no item has letters.

    Args:
        item_languages: The language of each item.
    """
    counts = Counter(language for language in item_languages if language != UNDETERMINED)
    min_count = MIN_LANGUAGE_SHARE * counts.total()
    frequent = (language for language in counts if counts[language] >= min_count)
    return tuple(sorted(frequent, key=lambda language: (-counts[language], language))) or ("en",)


def full_text(item: Item) -> str:
    """The title, text and categories of an item, a line each, so that no word reaches over two of them."""
    return "\n".join((item.title, item.text, *item.categories))


def scripts_of(text: str) -> Counter[str]:
    """Count a text's letters of each script."""
    letter_counts = Counter(text)
    script_counts: Counter[str] = Counter()
    for letter, count in letter_counts.items():
        if letter.isalpha() and (script := script_of(letter)):
            script_counts[script] += count
    return script_counts


def languages_of(texts: Sequence[str], usual: Mapping[str, str] | None = None) -> list[str]:
    """Detect the language of each text.

    Args:
        texts: n texts; the whole catalogue, unless `usual` is given.
        usual: The language of most texts in each script; from `usual_languages` unless given.

    Returns:
        n ISO 639 codes; "und" for texts without letters.
    """
    usual = usual_languages(texts) if usual is None else usual
    scripts = [script_of_text(text) for text in texts]
    hits = (_hits(text, script) for text, script in zip(texts, scripts, strict=True))
    defaults = (usual.get(script) or SCRIPT_LANGUAGE.get(script, UNDETERMINED) for script in scripts)
    return [_language(text_hits, default) for text_hits, default in zip(hits, defaults, strict=True)]


def usual_languages(texts: Sequence[str]) -> dict[str, str]:
    """The language of most texts in each script.

    A language shows in many different filler words, and a category or a phrase that every item repeats says little: the
    English "care" of "Skin Care" is a filler word of Romanian. So a line counts once however many texts hold it, a word
    that n lines hold counts sqrt(n), and a language of fewer than MIN_FILLER_WORDS different words
    is not considered. Without any, it is the usual language of the script: English for Latin letters.
    """
    scripts = [script_of_text(text) for text in texts]
    lines: dict[str, set[str]] = {}
    for text, script in zip(texts, scripts, strict=True):
        lines.setdefault(script, set()).update(text.split("\n"))
    usual = {script: _usual_language(script, script_lines) for script, script_lines in lines.items()}
    usual |= {JAPANESE: "ja"}
    if scripts.count(JAPANESE) > scripts.count("Han"):  # then texts in Chinese characters alone are Japanese titles
        usual["Han"] = "ja"
    return usual


def _usual_language(script: str, lines: Iterable[str]) -> str:
    """The language that different lines of a script indicate together."""
    index = _index().get(script)
    if not index:
        return SCRIPT_LANGUAGE.get(script, UNDETERMINED)
    counts = Counter(word for line in lines for word in set(words(line)) if word in index)
    weights: defaultdict[str, float] = defaultdict(float)
    variety: Counter[str] = Counter()
    for word, count in counts.items():
        for language in index[word]:
            weights[language] += math.sqrt(count) / len(index[word])
            variety[language] += 1
    sure = {language: weight for language, weight in weights.items() if variety[language] >= MIN_FILLER_WORDS}
    return _best(sure) or SCRIPT_LANGUAGE.get(script, UNDETERMINED)


def common_words(texts: Sequence[str], languages: Sequence[str]) -> dict[str, frozenset[str]]:
    """Collect the stems of the words that most texts of a language hold, filler words apart.

    Args:
        texts: n texts.
        languages: n languages, one a text.

    Returns:
        The stems by language.
    """
    counts: dict[str, Counter[str]] = {}
    sizes = Counter(languages)
    for text, language in zip(texts, languages, strict=True):
        if sizes[language] >= MIN_ITEMS_FOR_COMMON:
            lexicon = Lexicon((language,))
            content_words = {word for word in words(text, language) if not lexicon.is_filler(word)}
            stems = {stem for word in content_words for stem in lexicon.stems(word)}
            counts.setdefault(language, Counter()).update(stems)
    return {
        language: frozenset(stem for stem, count in stem_counts.items() if count > COMMON_WORD_SHARE * sizes[language])
        for language, stem_counts in counts.items()
    }


def _has_letters(text: str) -> bool:
    """Whether a text has a letter of any script."""
    return any(map(str.isalpha, text))


def script_of_text(text: str) -> str:
    """The script of most letters of a text, "" without letters. The three Japanese scripts count as one."""
    counts = scripts_of(text)
    kana = counts["Hiragana"] + counts["Katakana"]
    if kana and kana + counts["Han"] >= max(counts.values()):
        return JAPANESE
    return max(+counts, key=lambda script: (counts[script], script), default="")


def _hits(text: str, script: str) -> list[tuple[str, ...]]:
    """The languages of each different filler word of a text; none where the script has one language alone."""
    index = _index().get(script)
    return [index[word] for word in set(words(text)) if word in index] if index else []


def _weights(hits: Iterable[tuple[str, ...]]) -> dict[str, float]:
    """The weight of each language: a filler word of n languages counts 1/n for each of them."""
    weights: dict[str, float] = {}
    for languages in hits:
        for language in languages:
            weights[language] = weights.get(language, 0.0) + 1 / len(languages)
    return weights


def _best(weights: Mapping[str, float]) -> str:
    """The language of the highest weight, "" without any; among equals, English."""
    return max(weights, key=lambda language: (round(weights[language], 6), language == "en", language), default="")


def _language(hits: Sequence[tuple[str, ...]], usual: str) -> str:
    """The language of a text, given that of the catalogue's texts in the same script."""
    weights = _weights(hits)
    own = _best(weights)
    outweighs = weights.get(own, 0.0) > MIN_WEIGHT_RATIO * weights.get(usual, 0.0)
    return own if outweighs and sum(own in languages for languages in hits) >= MIN_FILLER_WORDS else usual


@cache
def _index() -> dict[str, dict[str, tuple[str, ...]]]:
    """By script and filler word, the languages of the word, for scripts of several languages."""
    import stopwordsiso

    languages_of_script: dict[str, list[str]] = {}
    for language in sorted(stopwordsiso.langs() - _UNRELIABLE):
        languages_of_script.setdefault(LANGUAGE_SCRIPT.get(language, "Latin"), []).append(language)
    index: dict[str, dict[str, tuple[str, ...]]] = {}
    for script, languages in languages_of_script.items():
        if len(languages) > 1 and script != "Han":
            languages_of_word = index.setdefault(script, {})
            for language in languages:
                for word in fillers(language):
                    if len(word) > 1 and script_of_word(word) == script:
                        languages_of_word[word] = (*languages_of_word.get(word, ()), language)
    return index
