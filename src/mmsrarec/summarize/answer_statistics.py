"""What stage 1 did, in figures."""

from collections import Counter

from mmsrarec.data.dataset import Dataset
from mmsrarec.summarize.keywords import Keywords, grounded, parse
from mmsrarec.summarize.language.detection import script_of_text, written
from mmsrarec.summarize.language.lexicon import UNDETERMINED
from mmsrarec.summarize.prompts import item_text


def statistics(keywords: Keywords, dataset: Dataset) -> dict[str, float]:
    """What stage 1 did, in figures: counts are means over all items, shares are of the items or keywords named.

    *_asked: share of items; *_fallback: of the asked, whose answer was of little use; ungrounded: keywords dropped
    because the text does not bear them out, per answer; from_title: of the text keywords, those that repeat the title;
    copied_title: of the items, those whose keywords hold every word of the title; malformed: of the answers, those
    with nothing usable; unsupported: of the picture keywords, those that neither picture nor text bears out; common: of
    the answers about texts, those with a word that most items hold, which is dropped. The rest: see `spoken`.
    """
    n = max(len(dataset.items), 1)
    united = [keywords.united(code) for code in range(len(dataset.items))]
    asked = [[answer for answer in column if answer is not None] for column in zip(*keywords.answers, strict=True)]
    images, texts = asked or ([], [])
    rows = list(zip(keywords.answers, keywords.source, strict=True))
    poor_images = sum(answer is not None and source != "model" for (answer, _), (source, _) in rows)
    poor_texts = sum(answer is not None and source != "model" for (_, answer), (_, source) in rows)
    dropped = from_title = copied = 0
    columns = (keywords.answers, keywords.text, united)
    for code, (item, (_, answer), kept, row) in enumerate(zip(dataset.items, *columns, strict=True)):
        lexicon = keywords.lexicon_of(code)
        text, title = item_text(item), set(lexicon.words(item.title))
        dropped += sum(not grounded(keyword, text, lexicon) for keyword in parse(answer or "", lexicon=lexicon))
        from_title += sum(set(lexicon.words(keyword)) <= title for keyword in kept)
        content = {lexicon.same(word) for word in title if not lexicon.is_filler(word)}
        copied += bool(content) and content <= {form for keyword in row for form in lexicon.forms(keyword)}
    common = sum(any(flag.startswith("common") for flag in row) for row in keywords.flags)
    flags = [flag for row in keywords.flags for flag in row]
    malformed, unsupported = (sum(flag.startswith(kind) for flag in flags) for kind in ("malformed", "unsupported"))
    return {
        "items": len(dataset.items),
        "keywords": sum(map(len, united)) / n,
        "text_keywords": sum(map(len, keywords.text)) / n,
        "image_keywords": sum(map(len, keywords.image)) / n,
        "text_asked": len(texts) / n,
        "image_asked": len(images) / n,
        "text_fallback": poor_texts / max(len(texts), 1),
        "image_fallback": poor_images / max(len(images), 1),
        "ungrounded": dropped / max(len(texts), 1),
        "from_title": from_title / max(sum(map(len, keywords.text)), 1),
        "copied_title": copied / n,
        "malformed": malformed / max(len(texts) + len(images), 1),
        "unsupported": unsupported / max(sum(map(len, keywords.image)), 1),
        "common": common / max(len(texts), 1),
        "without_keywords": sum(not row for row in united) / n,
        "vocabulary": len({keyword for row in united for keyword in row}),
        **language_statistics(keywords, dataset),
    }


def language_statistics(keywords: Keywords, dataset: Dataset) -> dict[str, float]:
    """What the catalogue is written in, and how each language fares.

    "items in de", "items in Latin letters": how many there are; "fallback in de": the share of that language's items
    whose text keywords are the item's own words; "no keywords in de": of its items, those without any. A language is
    named by its ISO 639 code, "und" where nothing is written.
    """
    languages = Counter(keywords.languages)
    scripts = Counter(script for item in dataset.items if (script := script_of_text(written(item))))
    largest_losses = Counter(
        language
        for language, (_, source) in zip(keywords.languages, keywords.source, strict=True)
        if source == "fallback"
    )
    bare = Counter(language for code, language in enumerate(keywords.languages) if not keywords.united(code))
    order = [language for language, _ in languages.most_common() if language != UNDETERMINED]
    order += [UNDETERMINED] * (UNDETERMINED in languages)
    return {
        **{f"items in {language}": languages[language] for language in order},
        **{f"items in {script} letters": count for script, count in scripts.most_common()},
        **{f"fallback in {language}": largest_losses[language] / languages[language] for language in order},
        **{f"no keywords in {language}": bare[language] / languages[language] for language in order},
    }
