"""Keywords are put in order of what they tell, and those that do not pay are dropped."""

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mmsrarec.data.dataset import Item
from mmsrarec.summarize.answer_reading import read_texts
from mmsrarec.summarize.keyword_pruning import prune_keywords
from mmsrarec.summarize.settings import SummarizeSettings

WORDS = ("oak", "boat", "river", "lamp", "night", "storm")


def embed(texts: Sequence[str]) -> Tensor:
    """A text is the bag of the known words in it, so a cosine counts shared words."""
    bags = torch.tensor([[0.01, *(float(word in text) for word in WORDS)] for text in texts])
    return bags / bags.norm(dim=1, keepdim=True)


ITEM = Item("1", "Oak", "A boat on a river in a storm.")


def test_what_adds_to_the_title_comes_first_and_what_it_says_already_goes():
    assert prune_keywords([ITEM], [("oak", "boat", "river")], embed, 0.0) == [("boat", "river")]


def test_a_rich_item_keeps_more_than_a_poor_one():
    poor = Item("2", "Oak boat river", "A boat in a storm.")
    said = ("boat", "river", "storm")
    rich_kept, poor_kept = prune_keywords([ITEM, poor], [said, said], embed, 0.0)
    assert (len(rich_kept), poor_kept) == (3, ("storm",))


def test_a_higher_price_keeps_less_and_the_best_always_stays():
    kept = [
        prune_keywords([ITEM], [("boat", "river", "storm")], embed, keyword_cost)[0] for keyword_cost in (0.0, 0.1, 0.9)
    ]
    assert [len(one) for one in kept] == sorted((len(one) for one in kept), reverse=True)
    assert len(kept[0]) == 3
    assert len(kept[-1]) == 1
    assert prune_keywords([ITEM], [()], embed, 0.0) == [()]
    assert prune_keywords([], [], embed, 0.0) == []


def test_what_categories_say_comes_first_where_they_are_most_of_the_information():
    item = Item("3", "Oak", "A boat on a river in a storm.", categories=("lamp", "night"))
    said = ("boat", "river", "lamp", "night")
    assert set(prune_keywords([item], [said], embed, 0.0, share=0.8)[0][:2]) == {"lamp", "night"}
    assert prune_keywords([item], [said], embed, 0.0)[0][0] in ("boat", "river")


@given(said=st.lists(st.lists(st.sampled_from(WORDS), unique=True).map(tuple), min_size=1, max_size=5))
@settings(max_examples=25, deadline=None)
def test_an_item_is_judged_by_itself(said: list[tuple[str, ...]]):
    items = [Item(str(n), WORDS[n], " ".join(WORDS[: n + 2])) for n in range(len(said))]
    together = prune_keywords(items, said, embed, 0.01)
    assert together == [prune_keywords([item], [one], embed, 0.01)[0] for item, one in zip(items, said, strict=True)]
    assert all(set(kept) <= set(one) for kept, one in zip(together, said, strict=True))


def test_answers_are_trimmed_where_a_price_is_set():
    answers = ["oak, boat, river, storm", None]
    plain = read_texts([ITEM, ITEM], answers, SummarizeSettings(), tuned=True)
    assert plain[0] == (("oak", "boat", "river", "storm"), "model")
    priced = read_texts([ITEM, ITEM], answers, SummarizeSettings(keyword_cost=0.0), tuned=True, embed=embed)
    assert priced[0] == (("boat", "river", "storm"), "model")
    assert priced[1][1] == "fallback"
    assert set(priced[1][0]) < set(plain[1][0])


def test_the_embedded_sentence_embedding_orders_keywords():
    pytest.importorskip("sentence_transformers")
    item = Item("1", "Heat", "A detective hunts a crew of bank robbers in Los Angeles.")
    (kept,) = [
        k for k, _ in read_texts([item], ["los, detective, robbers"], SummarizeSettings(keyword_cost=0.001), True)
    ]
    assert kept
    assert kept[0] != "los"
