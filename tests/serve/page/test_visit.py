"""A visit goes from address to address: what is done, what is kept, and what it asks."""

from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import ValidationError

from mmsrarec.recommend.prompt.preferences import MAX_PREFERENCES
from mmsrarec.serve.page.visit import MAX_CHOSEN, Visit

HOSTILE = '"><script>alert(1)</script>&like=x#?;'


def test_each_act_does_what_it_says() -> None:
    visit = Visit().after("like:7").after("like:8").after("hide:9").after("more:red").after("less:blue")
    assert (visit.like, visit.hide, visit.more, visit.less) == (["7", "8"], ["9"], ["red"], ["blue"])
    assert visit.after("unlike:7").like == ["8"]
    assert visit.after("show:9").hide == []
    assert visit.after("drop:red").after("drop:blue").without_words() == visit.without_words()
    assert visit.after("drop:RED").more == []


def test_an_item_is_liked_or_hidden_and_a_word_wanted_or_struck() -> None:
    visit = Visit(like=["7"], more=["red"])
    assert visit.after("hide:7") == Visit(hide=["7"], more=["red"])
    assert visit.after("less:Red") == Visit(like=["7"], less=["Red"])


def test_a_typed_word_is_taken_where_the_act_names_none() -> None:
    assert Visit().after("more", " red mug ").more == ["red mug"]
    assert Visit().after("more:blue", "red").more == ["blue"]
    assert Visit(more=["red"]).after("less", " ") == Visit(more=["red"])


def test_ids_may_hold_whatever_an_act_is_written_with() -> None:
    assert Visit().after("like:a:b").like == ["a:b"]
    visit = Visit(user=HOSTILE).after(f"like:{HOSTILE}").after("more:a & b=c")
    query = parse_qs(urlsplit(visit.address("./", id=HOSTILE)).query)
    assert query == {"id": [HOSTILE], "user": [HOSTILE], "like": [HOSTILE], "more": ["a & b=c"]}


def test_it_grows_no_longer_than_it_may() -> None:
    visit = Visit()
    for number in range(MAX_CHOSEN + 5):
        visit = visit.after(f"like:{number}").after(f"more:word {number}")
    assert visit.like == [str(number) for number in range(5, MAX_CHOSEN + 5)]
    assert len(visit.more) == MAX_PREFERENCES
    assert visit.more[-1] == f"word {MAX_CHOSEN + 4}"


def test_what_a_full_list_lets_go_is_said() -> None:
    words = [f"word {number}" for number in range(MAX_PREFERENCES)]
    full = Visit(more=words, like=[str(number) for number in range(MAX_CHOSEN)])
    assert full.after("more:red").pushed_out(full) == ["“word 0” was let go: at most 8 keywords can be asked for."]
    assert full.after("like:new").pushed_out(full) == ["“0” was let go: at most 40 items are liked in one visit."]
    for act in ("less:word 0", "drop:word 0", "hide:0", "unlike:0", "more:word 0"):
        assert full.after(act).pushed_out(full) == []


@pytest.mark.parametrize("fields", [{"like": ["x" * 300]}, {"like": ["\x00"]}, {"more": ["a"] * 2 + ["b\n"]}])
def test_what_no_schema_allows_is_refused(fields: dict[str, list[str]]) -> None:
    with pytest.raises(ValidationError):
        Visit.model_validate(fields)


def test_empty_fields_of_a_form_are_nothing() -> None:
    assert Visit.model_validate({"user": " ", "like": ["", "7", "7"], "other": "?"}) == Visit(like=["7"])
    assert Visit().is_blank
    assert Visit(more=["red"]).is_new
    assert not Visit(more=["red"]).is_blank
    assert not Visit(user="1").is_new
    assert Visit().address("./") == "./"


def test_it_asks_as_the_api_is_asked() -> None:
    asked = Visit(user="u", like=["7"], hide=["9"], more=["red"], less=["blue"]).question(3, among=["1"])
    assert asked.model_dump(exclude_defaults=True) == {
        "user": "u",
        "history": ["7"],
        "k": 3,
        "among": ["1"],
        "exclude": ["9"],
        "more": ["red"],
        "less": ["blue"],
    }
