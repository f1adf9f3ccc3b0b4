"""Cleans the texts of a catalogue: the result is plain words, without markup, entities and invisible characters.

Importing and loading both clean, so cleaning a text twice must change nothing.
"""

import re
from html import unescape
from html.entities import html5

from mmsrarec.data.reading.markup import without_markup

_MAX_ROUNDS = 8
"""How often a text may have been escaped. Deeper nesting is treated as an attack: "<" and "&" are removed."""

_ENTITY = re.compile(r"&(#[0-9]++|#[xX][0-9a-fA-F]++|[A-Za-z][A-Za-z0-9]{1,31}+)(;?)(?!=)")
_NESTED = re.compile(r"&(?:(?:amp|#0*+38|#x0*+26);)++", re.IGNORECASE)

_JOINED = (  # scripts in which a joiner within a word says how its letters are written
    "\u0600-\u109f\u1700-\u1cff\ua800-\uabff\ufb50-\ufdff\ufe70-\ufefc\U00010a00-\U00011fff\U0001e900-\U0001e95f"
)
_EMOJI = "\u00a9\u00ae\u203c-\u3299\ufe0f\U0001f000-\U0001faff"
_JOINERS = "\u180e\u200c\u200d"
_STRAY_JOINER = re.compile(
    rf"(?<=[{_JOINERS}])[{_JOINERS}]|[{_JOINERS}](?![{_JOINED}{_EMOJI}])|(?<![{_JOINED}{_EMOJI}])[{_JOINERS}]"
    rf"|(?<=[{_EMOJI}])\u200c|\u200c(?=[{_EMOJI}])"
)
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u19e0-\u19ff\u1a20-\u1aad"
_WORD_BREAK = re.compile(rf"(?<=[{_UNSPACED}])\u200b++(?=[{_UNSPACED}])")
"""Thai, Lao, Khmer and Burmese write no blanks: there, a space without width ends a word."""
_COMMAND = re.compile("\x1b\\[[0-?]*+[ -/]*+[@-~]")
"""Escape codes that a terminal obeys: colours, a cleared screen."""
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0"
    "\ufff9-\ufffc\ufffe\uffff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f]++"
)
"""Controls, marks that turn the direction of writing, tags, and other characters that show nothing."""
_SURROGATE = re.compile("[\ud800-\udfff]")


def clean(text: str) -> str:
    """Clean a title, description or category: what people read, on one line.

    Tags, comments, scripts, styles and invisible characters are removed. Entities become their characters, also where
    they were escaped twice. A "<" or "&" that belongs to none of these stays.

    Args:
        text: The text of a source.

    Returns:
        The cleaned text, in which single blanks part the words.
    """
    if text.isprintable() and "<" not in text and "&" not in text:
        return " ".join(text.split()) if "  " in text or text[:1] == " " or text[-1:] == " " else text
    for _ in range(_MAX_ROUNDS):
        before, text = text, _clean_once(text)
        if text == before:
            return text
    return _clean_once(text.replace("<", " ").replace("&", " "))


def one_line(name: str) -> bool:
    """Whether a name can be an id: not empty, on one line, and without anything that a file cannot hold."""
    return bool(name) and not set(name) & set("\r\n\0") and not _SURROGATE.search(name)


def without_surrogates(text: str) -> str:
    """Replace lone surrogates by U+FFFD: JSON can hold them, files in UTF-8 cannot."""
    return text if text.isprintable() else _SURROGATE.sub("\ufffd", text)


def _clean_once(text: str) -> str:
    """One round of cleaning."""
    if not text.isprintable():
        text = _WORD_BREAK.sub(" ", _COMMAND.sub("", without_surrogates(text)))
        text = _STRAY_JOINER.sub("", _INVISIBLE.sub("", text))
    text = without_markup(text)
    if "&" in text:
        text = _ENTITY.sub(_entity_text, _NESTED.sub("&", text))
    return " ".join(text.split())


def _entity_text(entity: re.Match[str]) -> str:
    """The character of an entity. Without its semicolon only the old names count, and never within a word."""
    name, end = entity[1], entity[2]
    if name[0] == "#":
        digits = name[1:].lstrip("xX").lstrip("0")  # Python's int refuses numbers of thousands of digits
        return unescape(f"&{name[: 2 if name[1] in 'xX' else 1]}{digits or '0'};") if len(digits) <= 7 else "\ufffd"
    return html5.get(name + end) or html5.get(name.lower() + end) or entity[0]
