"""Keywords know items only, and choices were made on validation: green as it is, red when it is not."""

import hashlib
from dataclasses import replace

from world import make_dataset, make_keywords

from mmsrarec.data.dataset import Dataset, make_interactions
from mmsrarec.evaluate.leaks import stored_leaks
from mmsrarec.summarize.answer_reading import read_text
from mmsrarec.summarize.prompts import item_text
from mmsrarec.summarize.settings import SummarizeSettings

SETTINGS = SummarizeSettings()
NOTHING = make_interactions([], [], [], 0, 12)  # type: ignore[arg-type]


def answered(dataset: Dataset):
    """Keywords of texts that a model answered to, and the store that holds its answers."""
    made, answers, text = make_keywords(dataset), {}, []
    for item in dataset.items:
        content = hashlib.sha256(item_text(item).encode()).hexdigest()
        answers[content] = {", ".join(item.title.split()[:2])}
        text.append(read_text(*answers[content], item, SETTINGS.max_keywords_text)[0])
    said = tuple((None, *answers[hashlib.sha256(item_text(item).encode()).hexdigest()]) for item in dataset.items)
    return replace(made, text=tuple(text), image=((),) * len(text), answers=said), answers


DATASET = make_dataset(NOTHING)
KEYWORDS, ANSWERS = answered(DATASET)


def test_keywords_that_follow_from_their_items_are_fine():
    assert stored_leaks.keywords(DATASET, KEYWORDS, ANSWERS, SETTINGS, tuned=False, seen_pictures={}).passed
    without = replace(KEYWORDS, text=((),) * 12, answers=((None, None),) * 12)
    assert stored_leaks.keywords(
        DATASET, without, {}, SETTINGS.model_copy(update={"texts": False}), tuned=False, seen_pictures={}
    ).passed


def test_a_word_from_the_log_is_found():
    gossip = replace(KEYWORDS, text=(*KEYWORDS.text[:5], (*KEYWORDS.text[5], "taken by user 7"), *KEYWORDS.text[6:]))
    found = stored_leaks.keywords(DATASET, gossip, ANSWERS, SETTINGS, tuned=False, seen_pictures={})
    assert (found.passed, found.measured["not from their answer"]) == (False, 1)
    assert "i5" in found.advice


def test_an_answer_to_another_question_is_found():
    others = {hashlib.sha256(f"{content} seen by u3".encode()).hexdigest(): said for content, said in ANSWERS.items()}
    found = stored_leaks.keywords(DATASET, KEYWORDS, others, SETTINGS, tuned=False, seen_pictures={})
    assert (found.passed, found.measured["answers of unknown origin"]) == (False, 12)


def test_a_curve_of_the_test_is_found():
    assert stored_leaks.early_stopping(0.0692, 0.0692, 0.0518).passed
    assert not stored_leaks.early_stopping(0.0518, 0.0692, 0.0518).passed


def test_a_generator_that_is_not_the_best_on_validation_is_found():
    quality = {"als": 0.05, "sasrec": 0.06}
    assert stored_leaks.chosen_generator("sasrec", quality).passed
    assert not stored_leaks.chosen_generator("als", quality).passed
    assert not stored_leaks.chosen_generator("oracle", quality).passed
