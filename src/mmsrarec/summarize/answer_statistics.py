"""The statistics of stage 1: how many items were asked about, and what became of the answers."""

from collections import Counter

from mmsrarec.data.dataset import Dataset
from mmsrarec.summarize.keyword_parsing import grounded, parse
from mmsrarec.summarize.keywords import Keywords
from mmsrarec.summarize.language.detection import full_text, script_of_text
from mmsrarec.summarize.language.lexicon import UNDETERMINED
from mmsrarec.summarize.prompts import item_text


def statistics(keywords: Keywords, dataset: Dataset) -> dict[str, float]:
    """Describe the keywords of a catalogue in figures.

    Args:
        keywords: Stage 1's result.
        dataset: The catalogue.

    Returns:
        Figures by name. Those of `language_statistics`, and:

        - items, vocabulary: numbers of items and of different keywords.
        - keywords, text_keywords, image_keywords: means over all items.
        - text_asked, image_asked, without_keywords: shares of items.
        - text_fallback, image_fallback: the share of questions whose answer was of little use.
        - ungrounded: keywords dropped because the text does not support them, per answer about a text.
        - common: the share of answers about texts with a word that most items hold, which is dropped.
        - from_title: the share of text keywords that repeat the title.
        - copied_title: the share of items whose keywords hold every word of the title.
        - malformed: the share of answers with nothing usable.
        - unsupported: the share of picture keywords that neither picture nor text supports.
    """
    n = max(len(dataset.items), 1)
    united = [keywords.united(code) for code in range(len(dataset.items))]
    answers = [[answer for answer in column if answer is not None] for column in zip(*keywords.answers, strict=True)]
    image_answers, text_answers = answers or ([], [])
    rows = list(zip(keywords.answers, keywords.source, strict=True))
    poor_images = sum(answer is not None and source != "model" for (answer, _), (source, _) in rows)
    poor_texts = sum(answer is not None and source != "model" for (_, answer), (_, source) in rows)
    n_ungrounded = n_from_title = n_copied = 0
    columns = (keywords.answers, keywords.text, united)
    for code, (item, (_, answer), text_keywords, row) in enumerate(zip(dataset.items, *columns, strict=True)):
        lexicon = keywords.lexicon_of(code)
        text, title = item_text(item), set(lexicon.words(item.title))
        n_ungrounded += sum(not grounded(keyword, text, lexicon) for keyword in parse(answer or "", lexicon=lexicon))
        n_from_title += sum(set(lexicon.words(keyword)) <= title for keyword in text_keywords)
        content = {lexicon.same(word) for word in title if not lexicon.is_filler(word)}
        n_copied += bool(content) and content <= {form for keyword in row for form in lexicon.forms(keyword)}
    n_common = sum(any(flag.startswith("common") for flag in row) for row in keywords.flags)
    flags = [flag for row in keywords.flags for flag in row]
    n_malformed, n_unsupported = (sum(flag.startswith(kind) for flag in flags) for kind in ("malformed", "unsupported"))
    return {
        "items": len(dataset.items),
        "keywords": sum(map(len, united)) / n,
        "text_keywords": sum(map(len, keywords.text)) / n,
        "image_keywords": sum(map(len, keywords.image)) / n,
        "text_asked": len(text_answers) / n,
        "image_asked": len(image_answers) / n,
        "text_fallback": poor_texts / max(len(text_answers), 1),
        "image_fallback": poor_images / max(len(image_answers), 1),
        "ungrounded": n_ungrounded / max(len(text_answers), 1),
        "from_title": n_from_title / max(sum(map(len, keywords.text)), 1),
        "copied_title": n_copied / n,
        "malformed": n_malformed / max(len(text_answers) + len(image_answers), 1),
        "unsupported": n_unsupported / max(sum(map(len, keywords.image)), 1),
        "common": n_common / max(len(text_answers), 1),
        "without_keywords": sum(not row for row in united) / n,
        "vocabulary": len({keyword for row in united for keyword in row}),
        **language_statistics(keywords, dataset),
    }


def language_statistics(keywords: Keywords, dataset: Dataset) -> dict[str, float]:
    """Count the languages and scripts of a catalogue, and the items of each language that lack keywords.

    Args:
        keywords: Stage 1's result.
        dataset: The catalogue.

    Returns:
        Figures by name. "items in de" and "items in Latin letters" are numbers of items. "fallback in de" is the share
        of that language's items whose text keywords are the item's own words, "no keywords in de" the share without
        any. A language is named by its ISO 639 code, "und" where there is no letter.
    """
    languages = Counter(keywords.languages)
    scripts = Counter(script for item in dataset.items if (script := script_of_text(full_text(item))))
    n_fallback = Counter(
        language
        for language, (_, source) in zip(keywords.languages, keywords.source, strict=True)
        if source == "fallback"
    )
    n_empty = Counter(language for code, language in enumerate(keywords.languages) if not keywords.united(code))
    order = [language for language, _ in languages.most_common() if language != UNDETERMINED]
    order += [UNDETERMINED] * (UNDETERMINED in languages)
    return {
        **{f"items in {language}": languages[language] for language in order},
        **{f"items in {script} letters": count for script, count in scripts.most_common()},
        **{f"fallback in {language}": n_fallback[language] / languages[language] for language in order},
        **{f"no keywords in {language}": n_empty[language] / languages[language] for language in order},
    }
