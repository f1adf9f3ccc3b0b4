"""Cleaning texts: markup, entities and invisible characters go, and nothing else does."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmsrarec.data.reading.cleaning import clean


@pytest.mark.parametrize(
    "text",
    [
        *("size < 5 cm", "I <3 you", "a<b and b>c", "if a<b or c>d then", "x < y > z", "1 <2 & 3> 2", "</3 broken"),
        *("List<String>, Map<K,V>", "<unknown>", "<john@example.org>", "<http://example.org>", "5<p", "a <- b", "<<"),
        *("AT&T, R&B, fish&chips", "page?a=1&copy=2", "&", "& co", "Q&A;", "&unknown;", "100 % «wool» — “fine”"),
        *("نیم‌فاصله", "क्‍ष", "👩‍💻", "☕️", "胡桃木底座，亚麻灯罩。", "ᠨᠢᠭᠡ᠎ᠠ", "e\u0301"),
    ],
)
def test_words_stay_as_they_are(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("<p>Solid walnut</p><p>base</p>", "Solid walnut base"),
        ("Holds<br>milk<BR/>and <Br />tea", "Holds milk and tea"),
        ("<b>W</b>alnut, H<sub>2</sub>O", "Walnut, H2O"),
        ("<ul><li>oak<li>ash</ul>", "oak ash"),
        ("<p style=\"color: red\" data-x='a>b'>linen", "linen"),
        ('<a href="x"target=_blank>link</a><td nowrap>y', "link y"),
        ('<p style="color:red" bad">broken', "broken"),
        ("<div\nclass='x'\n>\n\twool", "wool"),
        ("<style>.a{color:red}</style><script>if (a<b) x();</script>Jute", "Jute"),
        ("<SCRIPT src=x></SCRIPT >Jute<script>never closed", "Jute"),
        ("<svg><title>icon</title></svg>wool<noscript><img src=x></noscript>", "wool"),
        ("wal<!-- a > b -->nut<!--[if mso]><xml>1</xml><![endif]-->", "walnut"),
        ("<!DOCTYPE html><html><body>wool</body></html>", "wool"),
        ("<?xml version='1.0'?><![CDATA[Solid <b>walnut</b>]]>", "Solid walnut"),
        ("<o:p></o:p>oak <custom>ash</custom> <note/>", "oak ash"),
        ("<p>cut</p> here <a href='https", "cut here"),
        ("<p>cut</p> here <di cl", "cut here <di cl"),
        ("<p>cut</p> here <div cl", "cut here"),
        ("Rug &amp; mat", "Rug & mat"),
        ("Rug &Amp; mat &#39;n&#x27; &nbsp; more &copy 2024", "Rug & mat 'n' more © 2024"),
        ("Rug &amp;amp;amp;amp; mat &amp;lt;b&amp;gt;wool", "Rug & mat wool"),
        ("size &lt; 5 cm, a&lt;b and b&gt;c", "size < 5 cm, a<b and b>c"),
        ("a &lt;script&gt;alert(1)&lt;/script&gt; b", "a b"),
        ("<<b>p>x", "x"),
        ("&#0; &#x110000; &#99999999999999999999;", "\ufffd \ufffd \ufffd"),
        ("&#" + "9" * 5000 + ";", "\ufffd"),
        ("  two\t\nlines\u2028of\u00a0text\u3000", "two lines of text"),
        ("wal\u00adnut\u200b \u202elivE\u202c\x1b[31m\x00\ufeff", "walnut livE"),
        ("lat\u200cin x\u200dy \u200c", "latin xy"),
        ("ภาษา\u200bไทย", "ภาษา ไทย"),
        ("half \ud800 of one", "half \ufffd of one"),
        ("hidden \U000e0041\U000e0042", "hidden"),
    ],
)
def test_markup_entities_and_the_invisible_go(text: str, plain: str) -> None:
    assert clean(text) == plain


PIECES = st.sampled_from(
    [
        *"<>/&;#='\" \nab!-\u200c\u200b\u202eกب👩\x00\x1b[",
        *("<b", "<p ", "</p>", "<!--", "-->", "<script>", "</script>", "<![CDATA[", "]]>", "<svg>", "x=", "\ud83d"),
        *("&amp;", "&lt", "&#60;", "&Nbsp;", "amp;", "lt;"),
    ]
)


@given(st.lists(PIECES, max_size=24).map("".join) | st.text(max_size=40))
def test_cleaning_twice_changes_nothing(text: str) -> None:
    plain = clean(text)
    assert clean(plain) == plain
    assert plain == " ".join(plain.split())
    for gone in ("<p>", "</p>", "&amp;", "&lt;", "&#60;", "\u202e", "\x00", "\ud83d", "<script>"):
        assert gone not in plain
    plain.encode()


@given(
    st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="<&\u034f\u3164\uffa0\ufffc"), max_size=30)
)
def test_a_text_without_markup_is_left_alone(text: str) -> None:
    assert clean(text) == text


UNITS = [
    *("<", "<a ", "<a b", '<a b="', "<a b=' c=\"", "<!--", "<!a", "<?a", "</a", "</script ", "<script>", "<svg>"),
    *("<![CDATA[", "<p x=\"'", "<p a=' ", "<foo></fo", "&", "&#", "&#0", "&amp;", "&a&#109;p;", "&lt;b&gt;"),
    *("\u200d", "\u200bก", "\x1b[", " "),
]


@pytest.mark.parametrize("unit", UNITS)
def test_hostile_texts_take_time_in_proportion(unit: str) -> None:
    """A quarter of a million characters. A parser that starts again at every "<" would take hours."""
    text = unit * (250_000 // len(unit))
    started = time.process_time()
    clean(text)
    assert time.process_time() - started < 5
