"""What stage 1 did, in figures."""

from mmsrarec.data.dataset import Dataset
from mmsrarec.summarize.keywords import STOP_WORDS, Keywords, grounded, parse, same, words
from mmsrarec.summarize.prompts import item_text


def statistics(keywords: Keywords, dataset: Dataset) -> dict[str, float]:
    """What stage 1 did, in figures: counts are means over all items, shares are of the items or keywords named.

    *_asked: share of items; *_fallback: of the asked, whose answer was of little use; ungrounded: keywords dropped
    because the text does not bear them out, per answer; from_title: of the text keywords, those that repeat the title;
    copied_title: of the items, those whose keywords hold every word of the title; malformed: of the answers, those
    with nothing usable; unsupported: of the picture keywords, those that neither picture nor text bears out.
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
    for item, (_, answer), kept, row in zip(dataset.items, *columns, strict=True):
        text, title = item_text(item), set(words(item.title))
        dropped += sum(not grounded(keyword, text) for keyword in parse(answer or ""))
        from_title += sum(set(words(keyword)) <= title for keyword in kept)
        content = {same(word) for word in title if word not in STOP_WORDS}
        copied += bool(content) and content <= {same(word) for keyword in row for word in words(keyword)}
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
        "without_keywords": sum(not row for row in united) / n,
        "vocabulary": len({keyword for row in united for keyword in row}),
    }
