"""A profile holds what tells of somebody's choices: rare keywords before common ones, new ones before old ones."""

from served import Served

from mmsrarec.serve.page.views.keyword_profile import SHOWN, profile
from mmsrarec.serve.page.visit import Visit


def test_it_holds_the_keywords_of_what_was_chosen(server: Served) -> None:
    served = server.service.run()
    code = next(code for code, words in enumerate(served.recommender.shown_keywords) if words)
    words = profile(served, [code], 0, Visit())
    assert {one.word for one in words} == set(served.recommender.shown_keywords[code]) or len(words) == SHOWN
    assert words[0].share == 1
    assert [one.share for one in words] == sorted((one.share for one in words), reverse=True)
    assert profile(served, [], 0, Visit()) == []


def test_striking_one_of_its_keywords_has_an_effect(server: Served) -> None:
    """Items have more keywords than those that they are ranked by; to strike one of the others would do nothing."""
    served = server.service.run()
    chosen = [code for code, words in enumerate(served.keyword_sets) if words]
    for one in profile(served, chosen, 0, Visit()):
        answer = server.ask(history=[served.recommender.dataset.items[chosen[0]].item_id], less=[one.word])
        assert not any("changes nothing" in note for note in answer["notes"])


def test_a_rarer_keyword_tells_more(server: Served) -> None:
    served = server.service.run()
    words_of = served.recommender.shown_keywords
    count = {word: sum(word in words for words in words_of) for word in set().union(*words_of)}
    code = max(range(len(words_of)), key=lambda one: len({count[w] for w in words_of[one]}))
    shown = [count[one.word] for one in profile(served, [code], 0, Visit())]
    assert shown == sorted(shown)


def test_a_newer_choice_tells_more(server: Served) -> None:
    served = server.service.run()
    words_of = [set(words) for words in served.recommender.shown_keywords]
    codes = [code for code, words in enumerate(words_of) if words][:2]
    old, new = codes if words_of[codes[0]] != words_of[codes[1]] else (codes[0], codes[0])

    def share(word: str, order: list[int]) -> float:
        return next(one.share for one in profile(served, order, 0, Visit()) if one.word == word)

    for word in words_of[new] - words_of[old]:
        assert share(word, [old, new]) >= share(word, [new, old])


def test_wishes_stand_in_it_even_where_nothing_chosen_carries_them(server: Served) -> None:
    served = server.service.run()
    code = next(code for code, words in enumerate(served.recommender.shown_keywords) if words)
    word = min(served.recommender.shown_keywords[code])
    words = profile(served, [code], 0, Visit(more=["unheard of"], less=[word.upper()]))
    assert (words[0].word, words[0].preference, words[0].share) == ("unheard of", "more", 0.0)
    assert next(one for one in words if one.word == word).preference == "less"
    assert {one.size for one in words} <= {1, 2, 3, 4}
