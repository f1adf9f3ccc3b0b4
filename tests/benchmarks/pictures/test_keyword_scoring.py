"""What a keyword is worth for a labelled photograph, and that the labels are what they should be."""

import re
from collections import Counter

import pytest
from keyword_scoring import EMPTY, PARTS, Photograph, forms, ratio, read_labels, score

OWL = Photograph("p", "1", "owl.png", "0" * 64, "near", ("owl", "snowy owl"), ("bird",), ("grey", "snow", "feather"))
TEA = Photograph("p", "1", "tea.png", "1" * 64, "known", ("teapot", "jug"), ("dish",), ("blue",))


@pytest.mark.parametrize(
    ("keyword", "worth"),
    [
        ("owl", "named"),
        ("Owls", "named"),
        ("barn owl", "named"),
        ("bird", "near"),
        ("grey birds", "near"),
        ("grey feathers", "true"),
        ("photo", "empty"),
        ("small grey photo", "empty"),
        ("green", "wrong"),  # no colour of this picture
        ("grey fish", "wrong"),
        ("bowl", "wrong"),  # "owl" is no word of it
        ("owlet", "wrong"),
    ],
)
def test_a_keyword_is_worth_the_first_that_holds(keyword: str, worth: str) -> None:
    assert OWL.worth(keyword) == worth


def test_blanks_and_hyphens_do_not_matter() -> None:
    assert [TEA.worth(word) for word in ("tea pot", "tea-pots", "tea", "potter")] == [
        "named",
        "named",
        "wrong",
        "wrong",
    ]


def test_a_word_that_says_nothing_is_compared_as_it_stands() -> None:
    assert "short" in EMPTY
    assert OWL.worth("shorts") == "wrong"


def test_the_best_keyword_counts() -> None:
    assert [OWL.credit(words) for words in (["fish", "owl"], ["fish", "bird"], ["grey"], [])] == [1, 0.5, 0, 0]


def test_figures_by_hand() -> None:
    keywords = {"owl.png": ["bird", "grey", "fork"], "tea.png": ["jug", "photo"]}
    classes = {"owl.png": [["kite"], ["great grey owl"], ["hen"]], "tea.png": [["vase"], ["jar"], ["dish", "plate"]]}
    figures = score([OWL, TEA], keywords, classes, {"owl.png": ["fork"]})
    values = {name: figure and figure["value"] for name, figure in figures.items()}
    assert values == {
        "named": 0.5,
        "named, near counting half": 0.75,
        "wrong among keywords": pytest.approx(1 / 5),
        "true among keywords": pytest.approx(1 / 5),
        "keywords a picture": 2.5,
        "wrong among keywords without a doubt": 0,
        "named where the classifier's first 3 name it": 0,  # of the owl alone, which the keywords do not name
        "classifier's first": 0,
        "classifier's first 3": 0.5,
        "classifier's first, near counting half": 0,
        "classifier's first 3, near counting half": 0.75,
    }


def test_a_picture_without_an_entry_has_no_keywords() -> None:
    figures = score([OWL, TEA], {"tea.png": ["jug"]})
    assert figures["named"] is not None
    assert figures["named"]["value"] == 0.5
    assert score([OWL], {})["wrong among keywords"] is None


def test_an_interval_holds_its_value_and_narrows_with_pictures() -> None:
    few, many = (ratio([1, 0, 1, 1] * times, [1] * 4 * times) for times in (2, 50))
    assert few is not None
    assert many is not None
    assert few["low"] < many["low"] < 0.75 < many["high"] < few["high"]
    assert ratio([1.0], [0.0]) is None


def test_the_labels_are_enough_and_complete() -> None:
    labels = read_labels()
    parts = Counter(photograph.part for photograph in labels)
    assert set(parts) == set(PARTS)
    assert parts["known"] >= 100
    assert parts["near"] >= 60
    assert len({photograph.sha256 for photograph in labels}) == len(labels) == len({p.file for p in labels})
    assert all(re.fullmatch("[0-9a-f]{64}", photograph.sha256) for photograph in labels)
    assert all(photograph.accepted for photograph in labels)


def test_accepted_words_name_something_and_stand_in_one_list() -> None:
    assert 0.1 < sum(photograph.is_development for photograph in read_labels()) / 300 < 0.3
    for photograph in read_labels():
        assert not {"thing", "object", "artifact", "animal", "food", "plant", "vehicle"} & set(photograph.accepted)
        lists = (photograph.accepted, photograph.near, photograph.true)
        words = ["".join(forms(word)) for own in lists for word in own]
        repeated = [word for word, count in Counter(words).items() if count > 1]
        assert not repeated, (photograph.file, repeated)
        assert all(photograph.worth(word) == "named" for word in photograph.accepted)
