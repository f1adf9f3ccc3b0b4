"""Texts that are nearly the same, in any script."""

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmsrarec.data.checking.text_duplicates import MIN_SIMILARITY, near_duplicate_texts, similarity
from mmsrarec.data.dataset import Dataset

LONG = (
    "This controller fits your hands and has a cable of three metres, two motors that shake when the car hits a wall, "
    "and a button to start again. It works with all machines that were sold since the spring of that year."
)


def test_case_punctuation_and_blanks_tell_nothing_apart() -> None:
    titles = ["The Oak Lamp", "the  oak-lamp!", "THE OAK LAMP (", "The oak chair"]
    assert near_duplicate_texts(titles, [""] * 4) == [[0, 1, 2]]


def test_a_variant_is_a_near_duplicate_and_another_product_of_one_maker_is_none() -> None:
    titles = ["Felt tip pens, medium, 14 count", "Felt tip pens, medium, 12 count", "Sticky notes, yellow"]
    assert near_duplicate_texts(titles, [LONG, LONG, LONG]) == [[0, 1]]
    assert near_duplicate_texts(["", "", ""], [LONG, LONG.replace("three", "four"), "another text"]) == [[0, 1]]


def test_parts_of_a_series_are_no_duplicates() -> None:
    titles = ["Football manager 07", "Football manager 08", "Star Wars IV", "Star Wars V"]
    assert near_duplicate_texts(titles, [""] * 4) == []


def test_items_without_letters_are_in_no_group() -> None:
    assert near_duplicate_texts(["", "", "!!!", "—"], ["", "", "???", ""]) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("樱桃木台灯适合卧室使用", "樱桃木台灯，适合卧室使用！"),
        ("Écharpe d'hiver", "E\u0301CHARPE D’HIVER"),
        ("ﬁne", "fine"),
    ],
)
def test_any_script_and_any_form_of_unicode(one: str, other: str) -> None:
    assert near_duplicate_texts([one, other], ["", ""]) == [[0, 1]]


@given(st.text(max_size=40), st.text(max_size=40))
def test_similarity_is_a_symmetric_share(one: str, other: str) -> None:
    share = similarity(one, other)
    assert 0 <= share <= 1
    assert share == similarity(other, one)
    assert similarity(one, one) == 1


def test_planted_pairs_are_found_among_many_others() -> None:
    """Every pair above the least similarity by the exact count, and no other."""
    rng = random.Random(0)
    words = [f"w{rng.randrange(16**5):05x}" for _ in range(3000)]
    texts = [" ".join(rng.choices(words, k=60)) for _ in range(600)]
    planted = {}
    for place in range(0, 200, 2):
        parts = texts[place].split()
        parts[rng.randrange(60)] = rng.choice(words)
        texts[place + 1] = " ".join(parts)
        planted[place] = similarity(texts[place], texts[place + 1])
    pairs = near_duplicate_texts([""] * 600, texts)
    assert sorted(pairs) == [[place, place + 1] for place, share in sorted(planted.items()) if share >= MIN_SIMILARITY]
    assert len(pairs) > 90


def test_many_texts_in_one_band_does_not_stop_the_clock() -> None:
    titles = [f"Download number {number} of the large shop for all games" for number in range(3000)]
    groups = near_duplicate_texts(titles, [LONG] * 3000)
    assert len(groups[0]) > 2000


def test_real_titles(movielens: Path) -> None:
    dataset = Dataset.load(movielens)
    titles, texts = zip(*((item.title, item.text) for item in dataset.items), strict=True)
    assert near_duplicate_texts(titles, texts) == []  # films are listed once, with their year
