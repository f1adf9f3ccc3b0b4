"""Leak checks of what a run stores: keywords that depend on items only, and choices made on validation only."""

import hashlib
from collections.abc import Collection, Mapping, Sequence

from mmsrarec.data.dataset import Dataset
from mmsrarec.evaluate.leaks.finding import Finding
from mmsrarec.summarize.answer_reading import read_image, read_texts
from mmsrarec.summarize.keywords import Keywords
from mmsrarec.summarize.language.lexicon import Lexicon
from mmsrarec.summarize.prompts import item_text
from mmsrarec.summarize.settings import SummarizeSettings

MAX_NDCG_DIFFERENCE = 1e-3
"""Difference that a repeated computation of NDCG@10 may have, by another order of summation or another batch."""


def keywords(
    dataset: Dataset,
    stored: Keywords,
    answers: Mapping[str, Collection[str]],
    settings: SummarizeSettings,
    tuned: bool,
    seen_pictures: Mapping[int, str],
    lexicons: Sequence[Lexicon] | None = None,
) -> Finding:
    """Check that each item's keywords follow, byte for byte, from its text, its picture and the stored answers to them.

    No user takes part: the keys of the store are model, prompt, decoding and content.

    Args:
        dataset: The catalogue.
        stored: The keywords of the run.
        answers: Hash of a text or of a picture's file to the model's answers to it.
        settings: Settings of stage 1.
        tuned: Whether the policy is tuned.
        seen_pictures: Item code to the hash of the picture that the model saw, which may have been replaced since.
        lexicons: The meanings of words in the language of each item.

    Returns:
        Passed where all keywords follow.
    """
    changed_items: list[str] = []
    unknown_items: list[str] = []
    text_keywords = read_texts(
        dataset.items, [text for _, text in stored.answers], settings, tuned, item_lexicons=lexicons
    )
    for code, item in enumerate(dataset.items):
        image, text = stored.answers[code]
        contents = (seen_pictures.get(code, ""), _hash(item_text(item)))
        pairs = zip((image, text), contents, strict=True)
        if any(answer is not None and answer not in answers.get(content, ()) for answer, content in pairs):
            unknown_items.append(item.item_id)
        if (read_image(image, settings.max_keywords_image)[0], text_keywords[code][0]) != (
            stored.image[code],
            stored.text[code],
        ):
            changed_items.append(item.item_id)
    return Finding(
        "keywords",
        not changed_items and not unknown_items,
        {
            "items": len(dataset.items),
            "not from their answer": len(changed_items),
            "answers of unknown origin": len(unknown_items),
        },
        "a summary is a function of the item alone, so it is the same without the test users",
        f"summarize again; look at item {(changed_items + unknown_items or ['-'])[0]} first",
    )


def early_stopping(best: float, validation: float, test: float, tolerance: float = MAX_NDCG_DIFFERENCE) -> Finding:
    """Check that the training of an encoder was stopped by validation.

    Args:
        best: Best NDCG@10 of the training curve.
        validation: NDCG@10 on validation, computed again.
        test: NDCG@10 on the test, for comparison.
        tolerance: Allowed difference of `best` and `validation`.

    Returns:
        Passed where the curve is of validation.
    """
    return Finding(
        "early stopping",
        abs(best - validation) <= tolerance,
        {"best of the curve": best, "validation": validation, "test": test},
        "the encoder was stopped by validation, not by the test",
        "give train_encoder split.valid, and train it again",
    )


def chosen_generator(chosen: str, quality: Mapping[str, float]) -> Finding:
    """Check that the chosen candidate generator is the best on validation.

    Args:
        chosen: Its name.
        quality: Name to the share of validation users whose target is among the proposals.

    Returns:
        Passed where no generator is better.
    """
    return Finding(
        "choice of the generator",
        quality.get(chosen, -1.0) >= max(quality.values()) - MAX_NDCG_DIFFERENCE,
        {"chosen": chosen, **quality},
        "who proposes in full ranking is the best on validation",
        "choose by evaluate_full on split.valid, and evaluate again",
    )


def _hash(text: str) -> str:
    """The sha256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()
