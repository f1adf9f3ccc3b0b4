"""The usual language of a catalogue of short titles, in which few words are filler words of any language."""

from random import Random

import pytest

from mmsrarec.summarize.language.detection import languages_of, usual_languages

SYLLABLES = ("ba", "ko", "mi", "ra", "tu", "ve", "zo", "lin", "dar", "pex")


def titles(count: int, ending: str, seed: int = 0) -> list[str]:
    """Titles of a made-up name, a figure and an ending."""
    draw = Random(seed)
    names = ("".join(draw.choices(SYLLABLES, k=3)).title() for _ in range(count))
    return [f"{name} {draw.randint(2, 900)} {ending}".strip() for name in names]


@pytest.mark.parametrize("category", ["Skin Care\nFace", "Plus\nMulti", "Sale\nPot"])
def test_categories_that_all_items_repeat_are_no_evidence(category: str) -> None:
    """Words such as "care" and "face" are filler words of Romanian and no filler words of English."""
    few = ["Lotion for the hands", "Set of two with a brush", "Balm without oil for men", "Gel that you can rinse off"]
    texts = [f"{title}\n\n{category}" for title in titles(300, "ml") + few]
    assert usual_languages(texts)["Latin"] == "en"
    assert languages_of(texts).count("en") == len(texts)


@pytest.mark.parametrize("word", ["Face", "Care", "Sale"])
def test_one_word_in_every_title_is_no_evidence(word: str) -> None:
    assert usual_languages(titles(200, word))["Latin"] == "en"


def test_names_and_figures_alone_are_taken_for_english() -> None:
    assert usual_languages(titles(100, ""))["Latin"] == "en"


@pytest.mark.parametrize(
    ("language", "endings"),
    [
        ("ro", ("pentru copii", "cu o cutie", "din lemn", "care este nou", "fara zahar")),
        ("fr", ("pour les enfants", "avec une boite", "dans le bois", "qui est neuf", "sans sucre")),
        ("de", ("für die Kinder", "mit einer Kiste", "aus dem Holz", "das ist neu", "ohne Zucker")),
    ],
)
def test_a_language_shows_in_different_filler_words(language: str, endings: tuple[str, ...]) -> None:
    texts = [f"{title}\n\nSkin Care" for n, end in enumerate(endings) for title in titles(20, end, n)]
    assert usual_languages(texts)["Latin"] == language
