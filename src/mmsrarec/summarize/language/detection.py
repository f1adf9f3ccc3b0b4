"""Which language an item is written in, told by its script and by the filler words it holds.

Short titles hold few words of that kind, so an item is read in the language that most of the catalogue's items of its
script speak for, unless its own words clearly speak for another.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mmsrarec.data.dataset import Item
from mmsrarec.summarize.language.lexicon import SCRIPT_LANGUAGE, SCRIPTS, UNDETERMINED, Lexicon, fillers
from mmsrarec.summarize.language.segmentation import script_of, script_of_word, words

AUTO, WORDS = "auto", "words.json"
MIN_FILLER_WORDS = 3
"""Different filler words of a language other than the catalogue's that an item must hold to be read in it."""
MIN_EVIDENCE_RATIO = 2.0
"""How many times as much they must speak for it as the item's words do for the catalogue's language."""
MIN_ITEMS_FOR_COMMON, COMMON_WORD_SHARE = 20, 0.5
"""A word is common where it stands in more than this share of a language's items; of fewer items nothing is said."""
MIN_LANGUAGE_SHARE = 0.02
"""Languages of fewer items are no languages of the catalogue: what is typed is not read in them."""
JAPANESE = "Kana"
"""Stands for its scripts together."""
_UNRELIABLE = frozenset({"la", "br", "eo"})
"""Hardly a catalogue is written in them, and their filler words are those of their neighbours."""


@dataclass(frozen=True)
class CatalogueWords:
    """What only a whole catalogue tells. It stays as it was when items join later, so that these change no other item.

    Attributes:
        usual: Script -> the language of most texts in it.
        common: Language -> stems of the words that most of its texts hold, which say nothing of one item.
    """

    usual: Mapping[str, str]
    common: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, items: Sequence[Item], language: str = AUTO) -> "CatalogueWords":
        """From the whole catalogue. language: of all items, or "auto", which tells it from their words."""
        texts = [written(item) for item in items]
        usual = usual_languages(texts) if language == AUTO else {}
        return cls(usual, common_words(texts, languages_in(texts, language, usual)))

    def save(self, folder: Path) -> None:
        """Write words.json."""
        common = {language: sorted(stems) for language, stems in self.common.items()}
        text = json.dumps({"usual": dict(self.usual), "common": common}, ensure_ascii=False, indent=1)
        (folder / WORDS).write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "CatalogueWords | None":
        """What `save` wrote; None where the folder has none."""
        try:
            record = json.loads((folder / WORDS).read_text(encoding="utf-8"))
            return cls(record["usual"], {name: frozenset(stems) for name, stems in record["common"].items()})
        except (OSError, ValueError, KeyError, AttributeError):
            return None


def lexicons(items: Sequence[Item], language: str = AUTO, known: CatalogueWords | None = None) -> tuple[Lexicon, ...]:
    """What words mean in each item: its language, and the words that most items of that language hold.

    Args:
        items: The whole catalogue.
        language: The language of all items, or "auto", which tells it from their words.
        known: What the whole catalogue tells; told from `items` unless given.
    """
    known, texts = known or CatalogueWords.of(items, language), [written(item) for item in items]
    spoken = languages_in(texts, language, known.usual)
    found = {one: Lexicon((one,), known.common.get(one, frozenset())) for one in set(spoken)}
    return tuple(found[one] for one in spoken)


def languages_in(texts: Sequence[str], language: str, usual: Mapping[str, str]) -> list[str]:
    """The language of each text: the one that is named, or what its words tell."""
    if language == AUTO:
        return languages_of(texts, usual)
    return [language if _lettered(text) else UNDETERMINED for text in texts]


def united(parts: Iterable[Lexicon]) -> Lexicon:
    """One lexicon for a whole catalogue: its languages, the commonest first."""
    counts = Counter(parts)
    languages = catalogue_languages(one.languages[0] for one in counts.elements())
    return Lexicon(languages, frozenset().union(*(one.common for one in counts)))


def catalogue_languages(spoken: Iterable[str]) -> tuple[str, ...]:
    """The languages of a catalogue, the commonest first; English where nothing is written. spoken: one an item."""
    counts = Counter(one for one in spoken if one != UNDETERMINED)
    least = MIN_LANGUAGE_SHARE * counts.total()
    return tuple(sorted((one for one in counts if counts[one] >= least), key=lambda one: (-counts[one], one))) or (
        "en",
    )


def written(item: Item) -> str:
    """All that is written about an item, a line a part, so that no word reaches over two."""
    return "\n".join((item.title, item.text, *item.categories))


def scripts_of(text: str) -> Counter[str]:
    """How many letters of each script a text has."""
    counts = Counter(text)
    found: Counter[str] = Counter()
    for letter, count in counts.items():
        if letter.isalpha() and (script := script_of(letter)):
            found[script] += count
    return found


def languages_of(texts: Sequence[str], usual: Mapping[str, str] | None = None) -> list[str]:
    """The language of each text of a catalogue. usual: as of `usual_languages`; told from the texts unless given."""
    usual = usual_languages(texts) if usual is None else usual
    scripts = [script_of_text(text) for text in texts]
    hits = (_hits(text, script) for text, script in zip(texts, scripts, strict=True))
    named = (usual.get(script) or SCRIPT_LANGUAGE.get(script, UNDETERMINED) for script in scripts)
    return [_language(found, name) for found, name in zip(hits, named, strict=True)]


def usual_languages(texts: Sequence[str]) -> dict[str, str]:
    """Script -> the language of most texts in it."""
    scripts = [script_of_text(text) for text in texts]
    hits = [_hits(text, script) for text, script in zip(texts, scripts, strict=True)]
    whole: dict[str, Counter[str]] = {}
    for script, found in zip(scripts, hits, strict=True):
        whole.setdefault(script, Counter()).update(_weights(found))
    main = {script: _best(weights) or SCRIPT_LANGUAGE.get(script, UNDETERMINED) for script, weights in whole.items()}
    main |= {JAPANESE: "ja"}
    if scripts.count(JAPANESE) > scripts.count("Han"):  # a title in Chinese characters alone
        main["Han"] = "ja"
    return main


def common_words(texts: Sequence[str], spoken: Sequence[str]) -> dict[str, frozenset[str]]:
    """Language -> stems of the words that most of its texts hold, filler apart."""
    counts: dict[str, Counter[str]] = {}
    sizes = Counter(spoken)
    for text, language in zip(texts, spoken, strict=True):
        if sizes[language] >= MIN_ITEMS_FOR_COMMON:
            lexicon = Lexicon((language,))
            telling = {word for word in words(text, language) if not lexicon.is_filler(word)}
            held = {stem for word in telling for stem in lexicon.stems(word)}
            counts.setdefault(language, Counter()).update(held)
    return {
        language: frozenset(word for word, count in found.items() if count > COMMON_WORD_SHARE * sizes[language])
        for language, found in counts.items()
    }


def _lettered(text: str) -> bool:
    return any(map(str.isalpha, text))


def script_of_text(text: str) -> str:
    """The script that most letters of a text are of, "" without any. Japanese writes with three, and counts as one."""
    counts = scripts_of(text)
    kana = counts["Hiragana"] + counts["Katakana"]
    if kana and kana + counts["Han"] >= max(counts.values()):
        return JAPANESE
    return max(+counts, key=lambda script: (counts[script], script), default="")


def _hits(text: str, script: str) -> list[tuple[str, ...]]:
    """For each different word of a text that is filler somewhere, the languages where it is.

    Nothing where the script writes one language alone.
    """
    index = _index().get(script)
    return [index[word] for word in set(words(text)) if word in index] if index else []


def _weights(hits: Iterable[tuple[str, ...]]) -> Counter[str]:
    """How much words speak for each language: one of n languages counts 1/n for each."""
    found: dict[str, float] = {}
    for languages in hits:
        for language in languages:
            found[language] = found.get(language, 0.0) + 1 / len(languages)
    return Counter(found)  # pyright: ignore[reportArgumentType, reportReturnType]


def _best(weights: Counter[str]) -> str:
    return max(weights, key=lambda one: (round(weights[one], 6), one == "en", one), default="")


def _language(hits: Sequence[tuple[str, ...]], usual: str) -> str:
    """The language of a text. usual: that of the catalogue's texts in the same script."""
    weights = _weights(hits)
    own = _best(weights)
    clearly = weights[own] > MIN_EVIDENCE_RATIO * weights[usual] and sum(own in one for one in hits) >= MIN_FILLER_WORDS
    return own if clearly else usual


@cache
def _index() -> dict[str, dict[str, tuple[str, ...]]]:
    """Script -> word -> the languages where it is filler, for scripts that write several languages."""
    import stopwordsiso

    listed: dict[str, list[str]] = {}
    for language in sorted(stopwordsiso.langs() - _UNRELIABLE):
        listed.setdefault(SCRIPTS.get(language, "Latin"), []).append(language)
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for script, languages in listed.items():
        if len(languages) > 1 and script != "Han":
            known = found.setdefault(script, {})
            for language in languages:
                for word in fillers(language):
                    if len(word) > 1 and script_of_word(word) == script:
                        known[word] = (*known.get(word, ()), language)
    return found
