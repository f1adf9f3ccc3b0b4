"""Removes HTML from a text and keeps a "<" that starts no tag: "size < 5 cm", "<3", "a<b and b>c".

It is own code for two reasons. Python's html.parser takes seconds for 40 KB of "<a <a <a" in many versions, and its
result differs from version to version. And every HTML parser takes "<b and b>" for a tag, because it expects HTML,
while a text of a catalogue may be HTML or not.
"""

import re

_NAME = r"[A-Za-z][A-Za-z0-9:._-]*+"
_ATTRIBUTE = r"""[\s/]*+(?P<attribute>[^\s"'<>/=]++)(?P<value>\s*+=\s*+(?:"[^"]*+"|'[^']*+'|[^\s"'<>]++)?+)?+"""
_ATTRIBUTES = re.compile(_ATTRIBUTE)
# All quantifiers are possessive: a match that fails is not tried again in another way, so the time stays linear.
_OPENING = re.compile(
    rf"<(?P<name>{_NAME})(?P<rest>(?:{_ATTRIBUTE.replace('?P<attribute>', '?:').replace('?P<value>', '?:')})*+)"
    r"\s*+(?P<alone>/?)[\s/]*+>"
)
_CLOSING = re.compile(rf"</({_NAME})[^<>]*+(?:>|\Z)")
_CLOSED = re.compile(rf"</({_NAME})\s*+>")
# Tags that are broken or cut off, but certainly tags: <p style="color:red" bad"> or <div class="product
_BROKEN = re.compile(rf"""<({_NAME})\s[^<>]*?[\w:-]\s?=\s?["'][^<>]*+(?:>|\Z)""")
_CUT = re.compile(rf"<({_NAME})\s*+[\w:-]{{0,20}}+\Z")


def _words(text: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(text.split())


_INLINE = _words(
    "a abbr acronym b bdi bdo big cite code data del dfn em font i ins kbd label mark nobr q s samp small span strike "
    "strong sub sup time tt u var wbr"
)
"""Tags that do not end a word: H<sub>2</sub>O is H2O. All others become a blank."""
_ELEMENTS = _INLINE | _words(
    "address applet area article aside audio base basefont blink blockquote body br button canvas caption center col "
    "colgroup datalist dd details dialog dir div dl dt embed fieldset figcaption figure footer form frame frameset h1 "
    "h2 h3 h4 h5 h6 head header hgroup hr html iframe img input legend li link main map marquee math menu meta meter "
    "nav noframes noscript object ol optgroup option output p param picture pre progress rp rt ruby script search "
    "section select slot source style summary svg table tbody td template textarea tfoot th thead title tr track ul "
    "video xml xmp path g rect circle line polygon polyline defs use symbol"
)
_SPACES = ("o:", "v:", "w:", "m:", "x:", "st1:", "svg:", "xsl:", "fb:", "html:", "xhtml:")
"""Prefixes of tags that word processors and stylesheets write: <o:p>."""
_BARE = _words(
    "allowfullscreen alt async autofocus autoplay checked class compact contenteditable controls crossorigin default "
    "defer disabled download draggable hidden inert ismap itemscope loop multiple muted nomodule noshade novalidate "
    "nowrap open playsinline readonly required reversed sandbox selected style translate"
)
"""Attributes that may stand without a value. Another name without a value is a word: a<b and b>c."""
_SCRIPTS = ("script", "style")
_HIDDEN = (*_SCRIPTS, "iframe", "noscript", "svg", "template", "xml")
"""Elements whose content is not shown. An unclosed script reaches to the end; other unclosed ones hide nothing."""
_ENDS = {name: re.compile(rf"</{name}\b[^<>]*+>", re.IGNORECASE) for name in _HIDDEN}


def without_markup(text: str) -> str:
    """Remove tags, comments, scripts and styles; a tag that ends a word leaves a blank.

    Args:
        text: A text that may be HTML or not.

    Returns:
        The text that is shown. Entities are not touched.
    """
    if "<" not in text:
        return text
    reader = _Reader(text)
    parts: list[str] = []
    at = 0
    while (start := text.find("<", at)) >= 0:
        parts.append(text[at:start])
        at, replacement = reader.read(start)
        parts.append(replacement)
    plain = "".join([*parts, text[at:]])
    return plain.replace("]]>", " ") if reader.sections else plain


class _Reader:
    """Reads the tags of one text from left to right."""

    def __init__(self, text: str):
        self.text = text
        self.closed = {name.lower() for name in _CLOSED.findall(text)}
        self.last = text.rfind(">")
        self.open: set[str] = set()  # hidden elements that are not closed any more, so that each is searched once
        self.sections = self.markup = False

    def read(self, start: int) -> tuple[int, str]:
        """(end of the markup at the "<" of `start`, its replacement); a "<" that starts no markup stays itself."""
        text = self.text
        end, replacement = start + 1, "<"
        match text[start + 1 : start + 2]:
            case "!":
                end, replacement = self._declaration(start)
            case "?" if text[start + 2 : start + 3].isalpha() and start < self.last:
                end, replacement = text.find(">", start) + 1, " "
            case "/" if tag := _CLOSING.match(text, start):
                end, replacement = tag.end(), _tag_text(tag[1])
            case letter if letter.isascii() and letter.isalpha():
                end, replacement = self._tag(start)
            case _:
                pass
        self.markup |= replacement != "<"
        return end, replacement

    def _declaration(self, start: int) -> tuple[int, str]:
        """The end and the replacement of a comment, a CDATA section or a declaration."""
        text = self.text
        if text.startswith("<!--", start):
            end = text.find("-->", start + 2)
            return (len(text) if end < 0 else end + 3, "")
        if text.startswith("<![CDATA[", start):  # feeds wrap it around a text that is shown
            self.sections = True
            return start + len("<![CDATA["), " "
        after = text[start + 2 : start + 3]
        if (after == "[" or after.isalpha()) and start < self.last:
            return text.find(">", start) + 1, " "
        return start + 1, "<"

    def _tag(self, start: int) -> tuple[int, str]:
        """The end and the replacement of an opening tag, or of a hidden element with its content."""
        text = self.text
        if tag := _OPENING.match(text, start):
            name = tag["name"].lower()
            if not self._is_tag(name, tag["rest"], alone=bool(tag["alone"])):
                return start + 1, "<"
            if name in _HIDDEN and not tag["alone"] and name not in self.open:
                if end := _ENDS[name].search(text, tag.end()):
                    return end.end(), " "
                if name in _SCRIPTS:
                    return len(text), ""
                self.open.add(name)
            return tag.end(), _tag_text(name)
        broken = _BROKEN.match(text, start) or (self.markup and _CUT.match(text, start))
        if broken and broken[1].lower() in _ELEMENTS:
            return broken.end(), " "
        return start + 1, "<"

    def _is_tag(self, name: str, rest: str, alone: bool) -> bool:
        """Whether a name and attributes in angle brackets are a tag; `alone`: whether it ends with "/>"."""
        attributes = [(match["attribute"].lower(), match["value"]) for match in _ATTRIBUTES.finditer(rest)]
        if any(value and name[0].isalpha() for name, value in attributes):
            return True
        if not all(word in _BARE or word.startswith(("data-", "aria-")) for word, _ in attributes):
            return False
        return alone or name in _ELEMENTS or name in self.closed or name.startswith(_SPACES)


def _tag_text(name: str) -> str:
    """The replacement of a tag: nothing within a word, else a blank."""
    return "" if name.lower() in _INLINE else " "
