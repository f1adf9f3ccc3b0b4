"""Keywords out of answers: what is kept, what is not, and what stands in for a useless answer."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmsrarec.data.dataset import Dataset, Item, make_interactions
from mmsrarec.errors import MmsrarecError
from mmsrarec.summarize.keyword_parsing import clean, fallback, grounded, parse, same, stop_after
from mmsrarec.summarize.keywords import Keywords, exchanged
from mmsrarec.summarize.language.lexicon import is_word


def dataset_of(*items: Item) -> Dataset:
    none = pl.Series([], dtype=pl.Int64).to_numpy()
    return Dataset("test", items, (), make_interactions(none, none, none, 0, len(items)))


@pytest.mark.parametrize(
    ("answer", "keywords"),
    [
        ("mug, clay, blue", ("mug", "clay", "blue")),
        (" Mug , CLAY,, mugs, clay.", ("mug", "clay")),
        ("story, stories, boxes, box, glass", ("story", "boxes", "glass")),
        ("mug\nclay", ("mug",)),
        ("\n mug, clay", ("mug", "clay")),
        ("the matrix, a gift, the", ("matrix", "gift", "the")),
        ('"sci-fi", children’s', ("sci-fi", "children's")),
        ("ｍｕｇ, тёмный лес, 玩具", ("mug", "тёмный лес", "玩具")),
        ("x, 1999, 1980s, one two three four, " + "long" * 8, ("1980s",)),
        ("see https://shop.example, <b>mug</b>, www.shop.com, a|b, {x}, `y`", ()),
        ("mug\u202e, cl\u200bay, pl\x00ate, p_q", ()),
        ("\u2067mug\u2069, mu\u061cg, \ufeffmug", ()),
        ("javascript:alert(1), data:text/html, mailto:a@b.c, //shop.example, shop.example", ()),
        ("&lt;b&gt;mug, mug&nbsp;blue, &#109;ug, %3Cb%3E, ＜b＞, <|im_end|>", ()),
        ("mug" * 11 + ", " + "a " * 500 + "," + "x" * 100_000, ()),
        ("🙂, 🍵🍵, 👩‍🍳, ❤️, 1️⃣, mug 🍵", ()),
        # letters and marks that nobody sees, or that bury the line above
        ("mug\ufe0f, mu\U000e0101g, m\u034fug, \u3164\u3164, \u115fmug", ()),
        ("m" + "\u0336\u0322\u031b\u0315" + "ug, \u0301\u0302", ()),
        ("हिन्दी, ไม้, עִבְרִית", ("हिन्दी", "ไม้", "עִבְרִית")),
        ("", ()),
    ],
)
def test_answers_become_keywords(answer: str, keywords: tuple[str, ...]) -> None:
    assert parse(answer) == keywords


@given(
    st.text(max_size=200) | st.lists(st.sampled_from(["mug", "Mugs", "a b", "<b>", "x.y/z", "é", "\n"])).map(",".join)
)
def test_keywords_are_clean_distinct_few_and_stay_so(answer: str) -> None:
    keywords = parse(answer, 4)
    assert len(keywords) <= 4
    assert len({same(keyword) for keyword in keywords}) == len(keywords)
    for keyword in keywords:
        assert 2 <= len(keyword) <= 30 or is_word(keyword)  # one ideograph is a word
        assert 1 <= len(keyword.split()) <= 3
        assert all(c in " -'+#&" or not c.isascii() or c.isalnum() for c in keyword)  # C++, C#, R&B are names
        assert clean(keyword) == keyword
    assert parse(", ".join(keywords), 4) == keywords


@pytest.mark.parametrize(
    ("text", "over"),
    [
        ("mug, clay", False),
        ("mug, clay, blue", False),  # the last one may still grow
        ("mug, clay, blue,", True),
        ("mug, mugs,", True),
        ("mug, mug", False),
        ("mug\n", True),
        ("\nmug", False),
        ("mug, <b>, !, clay", False),
    ],
)
def test_answers_stop_when_they_have_said_enough(text: str, over: bool) -> None:
    assert stop_after(3)(text) is over


@given(st.lists(st.sampled_from(["mug", "clay", "blue", "mugs", "tea", "<x>", "red"]), max_size=9))
def test_stopping_early_loses_no_keyword_before_the_first_repeat(said: list[str]) -> None:
    text = ", ".join(said) + ","
    stop = stop_after(3)
    cut = next((text[:end] for end in range(len(text) + 1) if stop(text[:end])), text)
    valid = [word for word in said if clean(word)]
    first_repeat = next((n for n in range(len(valid)) if same(valid[n]) in map(same, valid[:n])), len(valid))
    assert parse(cut, 3) == tuple(valid[: min(first_repeat, 3)])


def test_keywords_are_grounded_by_a_word_up_to_its_ending() -> None:
    text = "Parade lamp. Repaired for free, made of oak. Home"
    assert grounded("lamps", text)
    assert grounded("repair", text)
    assert grounded("old oak", text)
    assert not grounded("metal", text)
    assert not grounded("oats", text)  # three letters must agree as a whole
    assert not grounded("for of", text)  # filler words prove nothing
    assert grounded("玩具", "木制玩具车")


def test_the_fallback_starts_with_categories_then_title_then_text() -> None:
    item = Item("1", "The Blue Mug", "A mug of clay for tea, by http://x.example.", ("Kitchen & Dining", "Gifts"))
    assert fallback(item, 6) == ("kitchen", "dining", "gifts", "blue", "mug", "clay")
    assert fallback(item, 2) == ("kitchen", "dining")
    assert fallback(Item("2"), 6) == ()


@given(st.text(max_size=80), st.text(max_size=80), st.lists(st.text(max_size=20), max_size=3))
def test_fallbacks_are_as_clean_as_answers(title: str, text: str, categories: list[str]) -> None:
    keywords = fallback(Item("1", title, text, tuple(categories)), 6)
    assert all(clean(keyword) == keyword for keyword in keywords)
    assert len(keywords) <= 6


def test_united_puts_the_picture_last_and_repeats_nothing() -> None:
    keywords = Keywords((("red", "mugs"),), (("mug", "clay"),), (("model", "model"),), (("", ""),))
    assert keywords.united(0) == ("mug", "clay", "red")


def test_keywords_survive_the_disk(tmp_path: Path) -> None:
    dataset = dataset_of(Item("007"), Item("b"))
    keywords = Keywords(
        image=(("red",), ()), text=((), ("mug", "тёмный лес")), source=(("model", "none"), ("none", "fallback")),
        answers=(("red, x,", None), (None, "mug")), flags=((), ("fallback", "ungrounded: copper")),
        languages=("en", "ru"),
    )  # fmt: skip
    keywords.save(tmp_path / "k.parquet", dataset, "tiny-0")
    assert Keywords.load(tmp_path / "k.parquet", dataset) == keywords
    assert pl.read_parquet(tmp_path / "k.parquet")["model"].to_list() == ["tiny-0"] * 2


def test_keywords_without_flags_have_an_empty_row_of_them_for_each_item(tmp_path: Path) -> None:
    keywords = Keywords(((),) * 2, ((),) * 2, (("none", "none"),) * 2, ((None, None),) * 2)
    assert keywords.flags == ((), ())
    keywords.save(tmp_path / "k.parquet", dataset_of(Item("a"), Item("b")))
    assert Keywords.load(tmp_path / "k.parquet", dataset_of(Item("a"), Item("b"))) == keywords


@pytest.mark.parametrize("column", ["flags", "model", "language"])
def test_keywords_of_an_earlier_version_are_refused(tmp_path: Path, column: str) -> None:
    path, dataset = tmp_path / "k.parquet", dataset_of(Item("a"))
    Keywords(((),), ((),), (("none", "none"),), ((None, None),)).save(path, dataset)
    pl.read_parquet(path).drop(column).write_parquet(path)
    with pytest.raises(MmsrarecError, match="summarize again"):
        Keywords.load(path, dataset)


def test_an_empty_catalogue_survives_the_disk(tmp_path: Path) -> None:
    Keywords((), (), (), ()).save(tmp_path / "k.parquet", dataset_of())
    assert Keywords.load(tmp_path / "k.parquet", dataset_of()) == Keywords((), (), (), ())


def test_keywords_are_of_items_by_their_ids_wherever_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "k.parquet"
    rows = (("red",), ("blue",)), (("none", "model"),) * 2, ((None, "red"), (None, "blue"))
    Keywords(((), ()), *rows).save(path, dataset_of(Item("a"), Item("b")))
    loaded = Keywords.load(path, dataset_of(Item("new"), Item("b"), Item("a")))
    assert loaded.text == ((), ("blue",), ("red",))
    assert loaded.source == (("none", "none"), ("none", "model"), ("none", "model"))
    assert loaded.answers == ((None, None), (None, "blue"), (None, "red"))
    assert loaded.flags == ((), (), ())
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(MmsrarecError, match="summarize again"):
        Keywords.load(path, dataset_of(Item("a")))


counts = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), min_size=2, max_size=30)


@given(counts, st.integers(0, 100))
def test_items_exchange_keywords_with_others_of_as_many(sizes: list[tuple[int, int]], seed: int) -> None:
    def words(kind: str, code: int, n: int) -> tuple[str, ...]:
        return tuple(f"{kind} {code} {i}" for i in range(n))

    image = tuple(words("image", code, n) for code, (n, _) in enumerate(sizes))
    text = tuple((f"of {code}", *words("text", code, n)) for code, (_, n) in enumerate(sizes))
    rest = (("model", "model"),) * len(sizes), (("", ""),) * len(sizes)
    before = Keywords(image, text, *rest)
    after = exchanged(before, np.random.default_rng(seed))
    giver = [before.text.index(row) for row in after.text]
    assert sorted(giver) == list(range(len(sizes)))  # nothing is lost and nothing told twice
    assert all(code != other for code, other in enumerate(giver))
    assert [after.image[code] for code in range(len(sizes))] == [before.image[other] for other in giver]
    rare = sum(sizes.count(size) == 1 for size in set(sizes))
    unequal = sum(sizes[code] != sizes[other] for code, other in enumerate(giver))
    assert unequal <= 3 * rare
    assert after == exchanged(before, np.random.default_rng(seed))
