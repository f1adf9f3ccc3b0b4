"""Leak checks of what a run has stored: keywords that know items only, and choices made on validation only."""

import hashlib
from collections.abc import Collection, Mapping, Sequence

from mmsrarec.data.dataset import Dataset
from mmsrarec.evaluate.leaks.finding import Finding
from mmsrarec.summarize.answer_reading import read_image, read_texts
from mmsrarec.summarize.keywords import Keywords
from mmsrarec.summarize.language.lexicon import Lexicon
from mmsrarec.summarize.prompts import item_text
from mmsrarec.summarize.settings import SummarizeSettings

SAME = 1e-3
"""NDCG@10 computed anew may differ by this: another order of adding, another batch."""


def keywords(
    dataset: Dataset,
    stored: Keywords,
    answers: Mapping[str, Collection[str]],
    settings: SummarizeSettings,
    tuned: bool,
    seen: Mapping[int, str],
    spoken: Sequence[Lexicon] | None = None,
) -> Finding:
    """Each item's keywords follow, byte for byte, from its own text and picture and the stored answer to them.

    answers: hash of a text or of a picture's file -> what the model has answered to it, whoever asked. The chain has no
    place for a user: the store's keys are model, prompt, decoding and content. seen: item code -> hash of the picture
    that the model saw, which may have been replaced since. spoken: what words mean in each item.
    """
    astray: list[str] = []
    unknown: list[str] = []
    told = read_texts(dataset.items, [text for _, text in stored.answers], settings, tuned, item_lexicons=spoken)
    for code, item in enumerate(dataset.items):
        image, text = stored.answers[code]
        contents = (seen.get(code, ""), _hash(item_text(item)))
        if any(
            said is not None and said not in answers.get(c, ()) for said, c in zip((image, text), contents, strict=True)
        ):
            unknown.append(item.item_id)
        if (read_image(image, settings.max_keywords_image)[0], told[code][0]) != (
            stored.image[code],
            stored.text[code],
        ):
            astray.append(item.item_id)
    return Finding(
        "keywords",
        not astray and not unknown,
        {"items": len(dataset.items), "not from their answer": len(astray), "answers of unknown origin": len(unknown)},
        "a summary is a function of the item alone, so it is the same without the test users",
        f"summarize again; look at item {(astray + unknown or ['-'])[0]} first",
    )


def early_stopping(best: float, validation: float, test: float, tolerance: float = SAME) -> Finding:
    """best: NDCG@10 that the encoder's curve ends on; the others are computed anew. The curve is of validation."""
    return Finding(
        "early stopping",
        abs(best - validation) <= tolerance,
        {"best of the curve": best, "validation": validation, "test": test},
        "the encoder was stopped by validation, not by the test",
        "give train_encoder split.valid, and train it again",
    )


def chosen_generator(chosen: str, quality: Mapping[str, float]) -> Finding:
    """quality: of whoever may propose, the share of validation users whose target is among the proposals."""
    return Finding(
        "choice of the generator",
        quality.get(chosen, -1.0) >= max(quality.values()) - SAME,
        {"chosen": chosen, **quality},
        "who proposes in full ranking is the best on validation",
        "choose by evaluate_full on split.valid, and evaluate again",
    )


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
