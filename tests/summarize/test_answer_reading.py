"""Reading answers: which keywords reach later stages, from where, and what is flagged."""

import sys
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from mmsrarec.data.dataset import Item
from mmsrarec.errors import MmsrarecError
from mmsrarec.summarize import answer_reading
from mmsrarec.summarize.answer_reading import flag, load_embedding_model, read_image, read_text, read_texts
from mmsrarec.summarize.keyword_parsing import fallback, grounded, parse
from mmsrarec.summarize.language.lexicon import ENGLISH, Lexicon
from mmsrarec.summarize.prompts import item_text
from mmsrarec.summarize.settings import SummarizeSettings

MUG = Item("1", "Otter mug", "Made of steel. For tea, by a river.", ("Kitchen", "Gifts"))
NOTHING = Item("2")
SHOP = Lexicon(("en",), frozenset({"steel"}))
said = st.sampled_from(
    ["otter", "mugs", "steel", "tea", "river", "kitchen", "gift", "copper", "moon", "<b>", "", "the river", "www.x.com"]
)
answers = st.lists(said, max_size=8).map(", ".join)


@given(answers, st.integers(1, 6), st.integers(1, 4), st.sampled_from([ENGLISH, SHOP]))
def test_keywords_of_a_text_are_few_supported_by_it_and_tell_items_apart(
    answer: str, limit: int, enough: int, lexicon: Lexicon
) -> None:
    keywords, source = read_text(answer, MUG, limit, enough, lexicon)
    assert 1 <= len(keywords) <= limit
    assert all(grounded(word, item_text(MUG), lexicon) for word in keywords)
    assert not any(lexicon.is_common(word) for word in keywords)
    assert len({lexicon.same(word) for word in keywords}) == len(keywords)
    own = [word for word in parse(answer, limit, lexicon) if word in keywords]
    if source == "model":
        assert keywords == tuple(own)
        assert len(keywords) >= min(enough, limit)
    else:
        assert source == "fallback"
        assert len(keywords) == limit or set(map(lexicon.same, fallback(MUG, limit, lexicon))) <= set(
            map(lexicon.same, keywords)
        )


@given(answers, st.integers(1, 6))
def test_what_the_model_said_well_comes_before_what_fills_up(answer: str, limit: int) -> None:
    kept = [word for word in parse(answer, limit) if grounded(word, item_text(MUG))]
    keywords, source = read_text(answer, MUG, limit, min_keywords=3)
    assert list(keywords[: len(kept)]) == kept
    assert (source == "model") == (len(kept) >= min(3, limit))


@given(st.none() | answers)
def test_an_item_without_words_has_no_keywords_whatever_the_answer(answer: str | None) -> None:
    assert read_text(answer, NOTHING, 6) == ((), "none")


def test_a_tuned_model_may_say_less_without_being_filled_up() -> None:
    settings = SummarizeSettings()
    (untuned,) = read_texts([MUG], ["steel"], settings, tuned=False, item_lexicons=[ENGLISH])
    (tuned,) = read_texts([MUG], ["steel"], settings, tuned=True, item_lexicons=[ENGLISH])
    assert tuned == (("steel",), "model")
    assert untuned[1] == "fallback"
    assert untuned[0][0] == "steel"
    assert len(untuned[0]) > 1


def test_each_answer_is_read_with_its_own_item_and_language() -> None:
    german = Item("3", "Häuser am Fluss", "Ein Haus aus Holz.")
    rows = read_texts(
        [MUG, german, NOTHING, MUG],
        ["steel, tea, river", "haus, häuser, holz, fluss", "tea", None],
        SummarizeSettings(),
        tuned=False,
        item_lexicons=[ENGLISH, Lexicon(("de",)), ENGLISH, ENGLISH],
    )
    assert rows[0] == (("steel", "tea", "river"), "model")
    assert rows[1] == (("haus", "holz", "fluss"), "model")
    assert rows[2] == ((), "none")
    assert rows[3] == (fallback(MUG, 6), "fallback")


def test_where_texts_are_switched_off_no_answer_is_read() -> None:
    off = SummarizeSettings(texts=False)
    assert read_texts([MUG], ["steel, tea, river"], off, tuned=False, item_lexicons=[ENGLISH]) == [((), "none")]


def test_an_answer_too_few_is_an_error_and_not_a_shorter_table() -> None:
    with pytest.raises(ValueError, match="shorter"):
        read_texts([MUG, MUG], ["steel"], SummarizeSettings(), tuned=False, item_lexicons=[ENGLISH] * 2)


def embed(texts: Sequence[str]) -> Tensor:
    """A text is the bag of the words of the mug in it."""
    bags = torch.tensor(
        [[0.01, *(float(word in text.lower()) for word in ("steel", "tea", "river"))] for text in texts]
    )
    return bags / bags.norm(dim=1, keepdim=True)


def test_a_price_of_keywords_asks_the_embedding_of_the_settings_and_keeps_the_source(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loaded = []

    def load(name: str) -> answer_reading.Embed:
        loaded.append(name)
        return embed

    monkeypatch.setattr(answer_reading, "load_embedding_model", load)
    settings = SummarizeSettings(keyword_cost=0.001, embedding_model="some-embedding")
    answer = "gifts, steel, tea"
    (priced,) = read_texts([MUG], [answer], settings, tuned=True, item_lexicons=[ENGLISH])
    assert loaded == ["some-embedding"]
    assert set(priced[0]) == {"steel", "tea"}  # "gifts" brings nothing that this embedding sees
    assert priced[1] == "model"
    read_texts([MUG], [answer], settings, tuned=True, embed=embed, item_lexicons=[ENGLISH])
    read_texts([MUG], [answer], SummarizeSettings(), tuned=True, item_lexicons=[ENGLISH])
    assert len(loaded) == 1  # one that is given is used, and without a price none is needed


def test_a_missing_package_of_embeddings_is_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "mmsrarec.models.backbone.text_embedder", raising=False)
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(MmsrarecError, match=r"needs the package sentence_transformers.*pip install 'mmsrarec\[tune\]'"):
        load_embedding_model("embedded")


@given(st.none() | answers, st.integers(1, 4))
def test_keywords_of_a_picture_are_those_of_the_answer_and_nothing_fills_them_up(
    answer: str | None, limit: int
) -> None:
    keywords, source = read_image(answer, limit)
    assert keywords == parse(answer or "", limit)
    assert (source == "model") == bool(keywords)
    assert source in ("model", "none")


@given(answers, st.sampled_from([ENGLISH, SHOP]))
def test_every_keyword_that_is_dropped_is_flagged_and_no_other(answer: str, lexicon: Lexicon) -> None:
    settings = SummarizeSettings()
    keywords, source = read_text(answer, MUG, settings.max_keywords_text, 1, lexicon)
    flags = flag(item_text(MUG), (None, answer), source, settings, (), lexicon)
    dropped = {text.partition(": ")[2] for text in flags if text.startswith(("ungrounded: ", "common: "))}
    parsed = set(parse(answer, settings.max_keywords_text, lexicon))
    assert dropped == parsed - (set(keywords) & parsed)
    assert ("fallback" in flags) == (source == "fallback")
    assert ("malformed text answer" in flags) == (not any(grounded(word, item_text(MUG), lexicon) for word in parsed))


def test_the_doubts_are_listed_in_a_fixed_order() -> None:
    doubts = flag(item_text(MUG), ("<b>", "steel, copper, moon"), "fallback", SummarizeSettings(), ["star"], SHOP)
    assert doubts == (
        "ungrounded: copper",
        "ungrounded: moon",
        "common: steel",
        "fallback",
        "malformed picture answer",
        "unsupported: star",
    )


def test_an_answer_that_was_never_asked_for_is_not_malformed() -> None:
    assert flag("", (None, None), "none", SummarizeSettings(), ()) == ()
    assert flag("", ("", ""), "none", SummarizeSettings(), ()) == ("malformed text answer", "no picture answer")
