"""The surest and the most doubtful pictures of a run, with what the classifier says."""

from pathlib import Path

import numpy as np
from PIL import Image

from mmsrarec.data.dataset import Dataset, Item, make_interactions
from mmsrarec.study.report.sections.picture_examples import picture_sections, surest_and_doubtful
from mmsrarec.study.report.summary_facts import SummaryFacts
from mmsrarec.study.report.summary_page import summaries_page
from mmsrarec.summarize.keywords import Keywords

WORDS = {0: {"lemon": 0.6}, 1: {"lemon": 0.9, "fruit": 0.95}, 2: {"dog": 0.2}}


def keywords() -> Keywords:
    """A sure picture, a surer one, one with a doubt, one without a word, and one that nobody asked about."""
    image = (("lemon",), ("lemon", "fruit"), ("flea", "red"), (), ())
    return Keywords(
        image=image,
        text=((),) * 5,
        source=(("model", "none"),) * 5,
        answers=(("lemon", None), ("lemon, fruit", None), ("flea, red", None), ("", None), (None, None)),
        flags=((), (), ("unsupported: flea",), (), ()),
    )


def catalogue(tmp_path: Path) -> Dataset:
    (tmp_path / "images").mkdir()
    items = []
    for code in range(5):
        Image.new("RGB", (30, 30), (40 * code, 90, 60)).save(tmp_path / "images" / f"{code}.png")
        items.append(Item(f"i{code}", f"Thing <{code}>", "", ("Fruit",), f"{code}.png"))
    none = np.zeros(0, dtype=np.int64)
    return Dataset("things", tuple(items), (), make_interactions(none, none, none, 0, 5), tmp_path)


def test_the_surest_come_first_and_the_doubtful_apart() -> None:
    assert surest_and_doubtful(keywords(), WORDS) == ([1, 0], [2, 3])
    assert surest_and_doubtful(keywords(), WORDS, 1) == ([1], [2])


def test_without_a_classifier_nothing_is_called_sure() -> None:
    assert surest_and_doubtful(keywords(), {}) == ([], [2, 3])


def test_the_page_shows_them_with_pictures_and_marks(tmp_path: Path) -> None:
    sections = picture_sections(catalogue(tmp_path), keywords(), WORDS)
    html = summaries_page(SummaryFacts("things", {}), [], sections)
    assert html.index("The surest pictures") < html.index("The most doubtful pictures")
    assert html.count("data:image/jpeg") >= 4
    assert '<span class="new">' in html
    assert "no keyword" in html
    assert "Thing <" not in html
    assert "classifier" in html


def test_a_catalogue_without_pictures_has_no_sections(tmp_path: Path) -> None:
    silent = Keywords(image=((),), text=((),), source=(("none", "none"),), answers=((None, None),))
    assert picture_sections(catalogue(tmp_path), silent, {}) == []
