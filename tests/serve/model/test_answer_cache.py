"""Answers in memory: handed out as they were, marked as kept, the least recently asked for gone first."""

from mmsrarec.serve.model.answer_cache import AnswerCache
from mmsrarec.serve.schema import schema_examples
from mmsrarec.serve.schema.recommending import RecommendAnswered


def answer(score: float = 0.1) -> RecommendAnswered:
    """An answer with one item of this score, in letters of any script."""
    example = RecommendAnswered.model_validate(schema_examples.ANSWER)
    item = example.items[0].model_copy(update={"title": "Кружка 🍵", "score": score})
    return example.model_copy(update={"items": [item], "cached": False})


def test_an_answer_comes_back_as_it_was_and_says_that_it_was_kept() -> None:
    cache = AnswerCache(2)
    assert cache.get("a") is None
    cache.put("a", "anna", answer(1 / 3).model_dump_json())
    assert cache.get("a") == answer(1 / 3).model_copy(update={"cached": True})
    assert (cache.hits, cache.misses) == (1, 1)


def test_the_least_recently_asked_for_goes_first() -> None:
    cache = AnswerCache(2)
    for name in ("a", "b"):
        cache.put(name, None, answer().model_dump_json())
    cache.get("a")
    cache.put("c", None, answer().model_dump_json())
    assert [cache.get(name) is not None for name in "abc"] == [True, False, True]
    assert len(cache) == 2


def test_a_users_answers_go_with_the_user() -> None:
    cache = AnswerCache(9)
    cache.put("a", "anna", answer().model_dump_json())
    cache.put("b", "ben", answer().model_dump_json())
    naming = answer().model_copy(update={"left_out": ["001", "anna"]})
    cache.put("c", "carl", naming.model_dump_json())
    cache.put("d", None, naming.model_dump_json())
    cache.drop_user("anna")
    assert [cache.get(name) is not None for name in "abcd"] == [False, True, False, False]
    cache.clear()
    assert not len(cache)
