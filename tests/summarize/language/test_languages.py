"""Keywords in thirteen languages of ten scripts, from the tables to what somebody asks for."""

from collections import Counter
from pathlib import Path

import pytest
from catalogues import CATALOGUES, Told
from hypothesis import given
from hypothesis import strategies as st
from importing import import_tables
from paths import CASES
from tiny import tiny_mllm

from mmsrarec.data import folder
from mmsrarec.data.dataset import Dataset, Item
from mmsrarec.recommend.prompt.preferences import UserPreferences, carries, preference_bonus, without_effect
from mmsrarec.summarize.answer_statistics import statistics
from mmsrarec.summarize.keyword_parsing import clean, content_words, fallback, parse, split
from mmsrarec.summarize.keywords import Keywords
from mmsrarec.summarize.language.detection import (
    MIN_ITEMS_FOR_COMMON,
    catalogue_languages,
    common_words,
    full_text,
    languages_of,
    lexicons,
)
from mmsrarec.summarize.language.lexicon import ENGLISH, Lexicon, fillers, known_languages
from mmsrarec.summarize.language.segmentation import normal, words
from mmsrarec.summarize.settings import SummarizeSettings
from mmsrarec.summarize.summarizer import summarize

CASE = CASES / "languages-fallback"
SETTINGS = SummarizeSettings(max_keywords_text=8, max_new_tokens_text=4)
every_language = pytest.mark.parametrize(("language", "told"), CATALOGUES.items(), ids=list(CATALOGUES))


def summarized(dataset: Dataset, folder: Path, **changes) -> Keywords:
    """What stage 1 makes of a catalogue with a model that knows no language at all."""
    return summarize(dataset, tiny_mllm(), SETTINGS.model_copy(update=changes), folder / "answers.sqlite")


@every_language
def test_a_catalogue_is_summarized_in_its_own_language(language: str, told: Told, tmp_path: Path) -> None:
    dataset = told.dataset(language)
    keywords = summarized(dataset, tmp_path)
    assert set(keywords.languages) == {language}
    for code, item in enumerate(dataset.items):
        found = keywords.united(code)
        assert len(found) >= 2, item
        assert all(clean(keyword) == keyword for keyword in found)
        assert not set(found) & set(told.filler), item
        assert all(keywords.lexicon.grounded(keyword, full_text(item)) for keyword in found)
    facts = statistics(keywords, dataset)
    assert facts[f"items in {language}"] == len(dataset.items)
    assert facts[f"no keywords in {language}"] == facts["without_keywords"] == 0
    assert facts[f"fallback in {language}"] == pytest.approx(facts["text_fallback"])


@every_language
def test_forms_of_a_word_are_one_keyword(language: str, told: Told) -> None:
    lexicon = Lexicon((language,))
    assert lexicon.same(told.shared[0]) == lexicon.same(told.shared[1])
    holding = [
        code for code, item in enumerate(told.dataset(language).items)
        if any(lexicon.contains(keyword, told.shared[0]) for keyword in fallback(item, 8, lexicon))
    ]  # fmt: skip
    assert holding


@every_language
def test_a_wish_finds_the_items_that_carry_it(language: str, told: Told, tmp_path: Path) -> None:
    keywords = summarized(told.dataset(language), tmp_path)
    shown = [keywords.united(code) for code in range(len(keywords))]
    typed, places = told.preference
    preferences = UserPreferences.of([typed, "zeppelin"], lexicon=keywords.lexicon)
    assert tuple(code for code, gain in enumerate(preference_bonus(preferences, shown)) if gain > 0) == places
    assert without_effect(preferences, shown) == ("zeppelin",)
    struck = UserPreferences.of(less=[typed], lexicon=keywords.lexicon)
    assert any(struck.strikes(keyword) for keyword in shown[places[0]])


def test_thirteen_languages_in_one_catalogue_are_told_apart() -> None:
    """As far as short texts go: French and German among English, and every script by itself."""
    items = [item for language, told in CATALOGUES.items() for item in told.dataset(language).items]
    truth = [language for language, told in CATALOGUES.items() for _ in told.items]
    guessed = languages_of([full_text(item) for item in items])
    right = Counter(language for language, guess in zip(truth, guessed, strict=True) if language == guess)
    assert {language for language in CATALOGUES if right[language] == 3} >= {"en", "ru", "el", "he", "hi", "th", "ko"}
    assert sum(right.values()) >= 0.85 * len(items)


def test_the_case_of_a_catalogue_in_five_languages(tmp_path: Path) -> None:
    import_tables(CASE, tmp_path / "data")
    dataset = folder.load(tmp_path / "data")
    keywords = summarized(dataset, tmp_path, max_keywords_text=6)
    found = {item.item_id: keywords.united(code) for code, item in enumerate(dataset.items)}
    assert keywords.languages == ("ko",) * 3 + ("zh",) * 3 + ("ja", "de", "fr")
    assert {"홈", "오크", "램프"} <= set(found["k1"])
    assert {"옷", "양모", "목도리"} <= set(found["k2"])
    assert {"羊毛", "围巾"} <= set(found["c1"])
    assert {"羊毛", "柔软", "冬季"} <= set(found["c1"]) & set(found["c2"])
    assert {"服", "ウール", "マフラー"} <= set(found["j1"])
    assert not {"für", "une", "pour", "les", "aus", "der", "的"} & {word for row in found.values() for word in row}
    shown = list(found.values())
    preferences = UserPreferences.of("围巾， 램프、 einhorn", lexicon=keywords.lexicon)
    assert [item for item, gain in zip(found, preference_bonus(preferences, shown), strict=True) if gain > 0] == [
        "k1",
        "c1",
    ]
    assert without_effect(preferences, shown) == ("einhorn",)
    facts = statistics(keywords, dataset)
    assert {name: facts[name] for name in facts if name.startswith("items in") and "letters" not in name} == {
        "items in ko": 3, "items in zh": 3, "items in ja": 1, "items in de": 1, "items in fr": 1,
    }  # fmt: skip
    assert facts["items in Hangul letters"] == 3


def test_the_recipe_may_name_the_language(tmp_path: Path) -> None:
    dataset = CATALOGUES["de"].dataset("short")
    short = Dataset("short", (Item("1", "Lampe Glas"), Item("2", "")), (), dataset.interactions)
    assert summarized(short, tmp_path).languages == ("en", "und")
    keywords = summarized(short, tmp_path, language="de")
    assert keywords.languages == ("de", "und")
    assert keywords.text[0] == ("lampe", "glas")
    with pytest.raises(ValueError, match='nothing is known about the language "xx"'):
        SummarizeSettings(language="xx")
    assert {"de", "ko", "lo", "zh"} <= known_languages()


def test_words_of_most_items_are_no_keywords_whoever_says_them() -> None:
    things = ("lamp", "mug", "scarf", "plate")
    items = [
        Item(str(n), f"Acme {things[n % 4]} {n}", "Handmade things.", ("Goods",)) for n in range(MIN_ITEMS_FOR_COMMON)
    ]
    few = lexicons(items[1:])
    assert not few[0].common  # of few items nothing is said
    (lexicon,) = set(lexicons(items))
    assert lexicon.common == {lexicon.same(word) for word in ("acme", "handmade", "things", "goods")}
    assert fallback(items[0], 6, lexicon) == ("lamp",)
    assert not lexicon.is_common("acme lamp")
    assert lexicon.is_common("the acme")
    assert common_words(["猫 " * 3] * MIN_ITEMS_FOR_COMMON, ["zh"] * MIN_ITEMS_FOR_COMMON) == {"zh": frozenset({"猫"})}


def test_the_language_of_short_titles_is_that_of_the_others() -> None:
    german = [full_text(item) for item in CATALOGUES["de"].dataset("de").items]
    assert languages_of([*german, "Lampe", "玩具", "", "12"])[3:] == ["de", "zh", "und", "und"]
    japanese = [full_text(item) for item in CATALOGUES["ja"].dataset("ja").items]
    assert languages_of([*japanese, "玩具"])[3:] == ["ja"]
    english = [full_text(item) for item in CATALOGUES["en"].dataset("en").items]
    assert languages_of([*english * 4, "La Dolce Vita", "Die Hard"])[-2:] == ["en", "en"]
    assert catalogue_languages(["en"] * 98 + ["fr"] + ["und"] * 50) == ("en",)
    assert catalogue_languages(["de", "en", "de"]) == ("de", "en")
    assert catalogue_languages([]) == ("en",)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("किताब और कहानी", ["किताब", "और", "कहानी"]),
        ("कहानी।", ["कहानी"]),
        ("نیم‌فاصله و کتاب‌ها", ["نیم‌فاصله", "و", "کتاب‌ها"]),
        ("עִבְרִית קלה", ["עִבְרִית", "קלה"]),
        ("iPhone手机壳", ["iphone", "手机", "壳"]),
        ("羊毛圍巾柔軟保暖", ["羊毛", "圍巾", "柔軟", "保暖"]),
        ("ผ้าห่มน้ำหอม", ["ผ้า", "ห่ม", "น้ำหอม"]),
        ("C++ and C#, R&B; 18+ sci-fi rock'n'roll", ["c++", "and", "c#", "r&b", "18+", "sci-fi", "rock'n'roll"]),
        ("black&white Q&A's a+b #3 A+", ["black", "white", "q&a", "s", "a", "b", "3", "a+"]),
        ("Woll\u00adschal", ["wollschal"]),
        ("mu\u200dg", ["mu", "g"]),  # a joiner belongs to scripts that join
        ("목도리를 사과", ["목도리", "사과"]),
        ("col·lecció", ["col·lecció"]),
    ],
)
def test_unicode_says_what_a_word_is(text: str, found: list[str]) -> None:
    assert words(text) == found


def test_a_language_says_where_an_elided_word_ends() -> None:
    assert words("L'amour de l'été aujourd'hui", "fr") == ["amour", "de", "été", "aujourd'hui"]
    assert words("O'Neill's l'été") == ["o'neill's", "l'été"]


def test_scripts_without_a_model_share_parts() -> None:
    for one, other in (("ຜ້າພັນຄໍ", "ຜ້າຫົ່ມ"), ("អំពូលភ្លើង", "ភ្លើងឈើ"), ("မီးအိမ်", "သစ်သားမီးအိမ်")):
        assert set(words(one)) & set(words(other)), one


@pytest.mark.parametrize(
    ("keyword", "text", "is_grounded"),
    [
        ("starfish", "start", False),
        ("international", "an interesting story", False),
        ("underwater", "understand", False),
        ("metal", "meta analysis", False),
        ("computer", "a company", False),
        ("children's", "john's", False),
        ("paris", "a parade", False),
        ("detective", "two detectives", True),
        ("detectives", "a detective", True),
        ("running", "a long run", True),
        ("stories", "one story", True),
        ("羊毛", "柔软的羊毛围巾", True),
        ("的", "柔软的羊毛围巾", False),
        ("램프", "침실용 램프를", True),
    ],
)
def test_a_keyword_is_grounded_by_a_form_of_a_word(keyword: str, text: str, is_grounded: bool) -> None:
    assert ENGLISH.grounded(keyword, text) is is_grounded


@pytest.mark.parametrize(
    ("answer", "keywords"),
    [
        ("猫，狗，科幻", ("猫", "狗", "科幻")),
        ("猫、狗、科幻", ("猫", "狗", "科幻")),
        ("قطط، كلاب؛ طيور", ("قطط", "كلاب", "طيور")),
        ("cat; dog | bird · fish", ("cat", "dog", "bird", "fish")),
        ("柔软的羊毛围巾，홈", ("柔软", "羊毛", "围巾", "홈")),
        ("C++, C#, R&B, 18+", ("c++", "c#", "r&b", "18+")),
        ("sci-fi/fantasy, sci-fi, rock'n'roll, AC/DC/", ("sci-fi", "fantasy", "rock'n'roll")),
        ("哈利·波特, スター・ウォーズ", ("哈利 波特", "スター ウォーズ")),
        ("«шарф», „Schal“, 「猫」, - mug", ("шарф", "schal", "猫", "mug")),
        ("کتاب‌ها, mu\u200cg, m\u200d", ("کتاب‌ها",)),
        ("a, x, 1, 12, +, ##, C+++, &, R&, &B", ()),
        ("<|endoftext|>, text/<b>, http://a/b, &amp;mug", ()),
    ],
)  # fmt: skip
def test_lists_of_all_scripts_become_keywords(answer: str, keywords: tuple[str, ...]) -> None:
    assert parse(answer) == keywords


anything = st.text(max_size=60) | st.text(
    st.sampled_from("ab'-+#&·・/;,،、的羊毛围巾ウーのคอผ้ាកكن\u200c\u200d\u0301\u064b한글을'’ \n|<>ſİßﬀ"), max_size=40
)


@given(anything)
def test_no_text_is_too_strange(text: str) -> None:
    assert normal(normal(text)) == normal(text)
    for language in ("", "fr", "ja", "ko", "he"):
        assert all(words(text, language)), text
    keyword = clean(text)
    if keyword is not None:
        assert clean(keyword) == keyword
    for keyword in parse(text):
        assert clean(keyword) == keyword
    assert len(split(text)) >= 1
    assert languages_of([text])


@given(anything, st.sampled_from(sorted(CATALOGUES)))
def test_a_word_is_the_same_as_itself_however_it_is_written(text: str, language: str) -> None:
    lexicon = Lexicon((language,))
    assert lexicon.same(text) == lexicon.same(normal(text))
    for word in content_words(text, lexicon):
        assert word not in fillers(language)
        assert lexicon.contains(word, word)
        assert lexicon.grounded(word, text)
        assert carries([word], [word], lexicon)
