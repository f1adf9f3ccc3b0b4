"""Pictures on summaries.html: those that stage 1 is surest of, and those whose keywords are most in doubt."""

from collections.abc import Mapping

from mmsrarec.data.dataset import Dataset
from mmsrarec.models.vision.class_words import WordProbabilities
from mmsrarec.study.report.environment import Section
from mmsrarec.study.report.sections.item_examples import MAX_ITEMS, cut_text
from mmsrarec.study.report.user_examples import small_picture
from mmsrarec.summarize.answer_reading import UNSUPPORTED
from mmsrarec.summarize.keywords import Keywords


def surest_and_doubtful(
    keywords: Keywords, image_words: Mapping[int, WordProbabilities], most: int = MAX_ITEMS
) -> tuple[list[int], list[int]]:
    """Choose pictures by how well their keywords are borne out.

    Args:
        keywords: The keywords of the catalogue.
        image_words: What the vision encoder's classifier says, by item code.
        most: The length of each list.

    Returns:
        Item codes of pictures without a doubtful keyword, by the classifier's highest probability of one of their
        keywords, the highest first; and of pictures with doubtful keywords or none, those with the most doubts first.
    """
    sure: list[tuple[float, int]] = []
    doubtful: list[tuple[int, int]] = []
    for code, words in enumerate(keywords.image):
        if keywords.answers[code][0] is None:
            continue
        doubts = sum(flag.startswith(UNSUPPORTED) for flag in keywords.flags[code])
        if words and not doubts:
            sure.append((max((image_words.get(code, {}).get(word, 0.0) for word in words), default=0.0), code))
        else:
            doubtful.append((doubts, code))
    best = [code for probability, code in sorted(sure, key=lambda pair: (-pair[0], pair[1])) if probability]
    worst = [code for _, code in sorted(doubtful, key=lambda pair: (-pair[0], pair[1]))]
    return best[:most], worst[:most]


def picture_sections(
    dataset: Dataset, keywords: Keywords, image_words: Mapping[int, WordProbabilities]
) -> list[Section]:
    """The pictures that stage 1 is surest of, and the most doubtful ones; empty without pictures."""
    best, worst = surest_and_doubtful(keywords, image_words)
    lists = [
        (
            "The surest pictures",
            "No keyword is in doubt, and the vision encoder's own classifier is surest of one of them.",
            best,
        ),
        (
            "The most doubtful pictures",
            "Coloured keywords are borne out neither by the picture, nor by the classifier, nor by the text; "
            "or there is no keyword at all.",
            worst,
        ),
    ]
    return [
        Section(
            "summaries/item_examples",
            {
                "heading": heading,
                "note": note,
                "items": [_card(dataset, keywords, code, image_words.get(code, {})) for code in codes],
            },
        )
        for heading, note, codes in lists
        if codes
    ]


def _card(dataset: Dataset, keywords: Keywords, code: int, probabilities: WordProbabilities) -> dict[str, object]:
    """A picture as the template of items writes it."""
    item = dataset.items[code]
    doubted = {flag.removeprefix(UNSUPPORTED) for flag in keywords.flags[code] if flag.startswith(UNSUPPORTED)}
    marked = [(word, word in doubted) for word in keywords.image[code]] or [("no keyword", False)]
    return {
        "picture": small_picture(dataset, code),
        "category": next(iter(item.categories), ""),
        "modality": "picture",
        "title": item.title,
        "text": cut_text(item.text),
        "keywords": [("keywords of the picture", "new", marked)],
        "measure": "classifier",
        "policies": ["probability"] if probabilities else [],
        "rewards": [(word, [f"{value:.2f}"]) for word, value in list(probabilities.items())[:4]],
    }
