"""A Markdown extension for the site: formulas become MathML, which browsers draw without a script.

A block is a fence named `math`; an inline formula stands between dollar signs and backticks. GitHub draws both too.
"""

from typing import Any

from latex2mathml.converter import convert
from markdown import Extension, Markdown
from markdown.inlinepatterns import InlineProcessor

INLINE_PATTERN = r"\$`([^`]+)`\$"
ABOVE_CODE = 195
"""Priority of the inline pattern: above Python-Markdown's code spans (190), which would take the backticks."""


def block(source: str, language: str, css_class: str, options: dict[str, Any], md: Markdown, **_: Any) -> str:
    """Draw a fenced block of LaTeX; the signature is that of a pymdownx.superfences formatter.

    Args:
        source: LaTeX of the fence, without its marks.
        language: name of the fence, unused.
        css_class: class of the surrounding element.
        options: options of the fence, unused.
        md: the Markdown converter, unused.

    Returns:
        HTML of the block.
    """
    return f'<div class="{css_class}">{convert(source.strip(), display="block")}</div>'


class InlineMath(InlineProcessor):
    """Replaces an inline formula by its MathML."""

    def handleMatch(self, m: Any, data: str) -> tuple[str, int, int]:
        """Return the stashed MathML, and the span of text that it replaces."""
        return self.md.htmlStash.store(convert(m.group(1))), m.start(0), m.end(0)


class MathExtension(Extension):
    """Registers the inline formula."""

    def extendMarkdown(self, md: Markdown) -> None:
        """Add the pattern to a converter."""
        md.inlinePatterns.register(InlineMath(INLINE_PATTERN, md), "math", ABOVE_CODE)


def makeExtension(**options: Any) -> MathExtension:
    """Return the extension; Python-Markdown looks for a function of this name."""
    return MathExtension(**options)
