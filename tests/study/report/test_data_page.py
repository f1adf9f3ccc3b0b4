"""The page about a data set: it needs nothing else, shows what is odd, and no text of an item does harm."""

from pathlib import Path

import numpy as np
import pytest
from broken_pictures import encoded, noise
from html_pages import HOSTILE, Page, is_harmless
from PIL import Image

from mmsrarec.data.checking.check_data import DataCheck, check
from mmsrarec.data.checking.robots import Suspect
from mmsrarec.data.dataset import Dataset, Item, make_interactions
from mmsrarec.errors import DataError
from mmsrarec.study.report.data_page import data_page, write_data_page


@pytest.fixture
def odd(tmp_path: Path) -> Dataset:
    """A data set with hostile titles, twins, blank and broken pictures, and a second that all share."""
    images = tmp_path / "images"
    images.mkdir()
    names: list[str] = []
    for place in range(8):
        (images / f"{place}.png").write_bytes(encoded(noise(size=(50 + place, 60)), "PNG"))
        names.append(f"{place}.png")
    (images / "blank.png").write_bytes(encoded(Image.new("RGB", (50, 50), "white"), "PNG"))
    (images / "broken.png").write_bytes(b"<html>")
    titles = [*HOSTILE, "Twin", "Twin!"]
    pictures = [*names, "blank.png", "broken.png", "0.png", *[None] * (len(titles) - 11)]
    items = tuple(
        Item(f"{title[:9]}{place}", title, "<b>text</b>", image=picture)
        for place, (title, picture) in enumerate(zip(titles, pictures, strict=True))
    )
    rng = np.random.default_rng(0)
    times = 1_500_000_000 + np.sort(rng.integers(0, 200 * 86_400, 600))
    user = rng.integers(0, 60, 600)
    interactions = make_interactions(user, rng.integers(0, len(items), 600), times, 60, len(items))
    users = tuple(f"{HOSTILE[place % len(HOSTILE)][:20]}{place}" for place in range(60))
    return Dataset(HOSTILE[0], items, users, interactions, tmp_path)


@pytest.fixture
def facts(odd: Dataset) -> DataCheck:
    answer = check(odd, languages=lambda texts: ["en"] * (len(texts) - 1) + ["und"])
    answer.suspicious_users = [Suspect(odd.user_ids[0], 99, ("like a clock",))] * 25
    return answer


def test_no_text_does_harm(odd: Dataset, facts: DataCheck) -> None:
    is_harmless(data_page(facts, odd))


def test_what_is_odd_is_shown(odd: Dataset, facts: DataCheck) -> None:
    html = data_page(facts, odd)
    page = Page(html)
    for words in (
        *("sparsity", "What is odd", "Before a run", "Good to know", "Interactions over time", "Languages"),
        *("Nearly the same text", "Twin", "Nearly the same picture", "shows one colour", "a web page: only JPEG"),
        *("Users who are hardly single persons", "like a clock", "and 5 more", "time-cut"),
    ):
        assert words in page.text, words
    assert html.count("<img") == 2 + 1  # the twins of one file, and the blank picture
    assert html.count("<svg") >= 3


def test_what_is_not_there_has_no_section(drawn: Dataset) -> None:
    facts = check(drawn)
    facts.duplicate_texts, facts.duplicate_images, facts.findings = [], [], []
    text = Page(data_page(facts, drawn)).text
    assert "Nothing is." in text
    for words in ("Nearly the same", "Pictures of little use", "hardly single persons", "Languages"):
        assert words not in text


def test_a_data_set_without_interactions_has_a_page(drawn: Dataset) -> None:
    none = np.zeros(0, dtype=np.int64)
    empty = Dataset("d", drawn.items, (), make_interactions(none, none, none, 0, len(drawn.items)), drawn.folder)
    text = Page(data_page(check(empty), empty)).text
    assert "there are no interactions" in text
    assert "steps" in text or "days" in text


def test_the_page_is_written_whole_or_not_at_all(drawn: Dataset, tmp_path: Path) -> None:
    facts = check(drawn, max_pictures=0)
    write_data_page(facts, drawn, tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text() == data_page(facts, drawn)
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match="cannot write"):
        write_data_page(facts, drawn, tmp_path / "folder")
