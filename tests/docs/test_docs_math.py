"""Formulas become MathML, in blocks and in lines, and code stays code."""

import pytest

markdown = pytest.importorskip("markdown", reason="the extra docs is not installed")
pytest.importorskip("latex2mathml")
pytest.importorskip("pymdownx")

from docs.scripts import load_script  # noqa: E402

docs_math = load_script("docs_math")


def rendered(text: str) -> str:
    fences = {"custom_fences": [{"name": "math", "class": "math", "format": docs_math.block}]}
    extensions = [docs_math.MathExtension(), "pymdownx.superfences"]
    return markdown.markdown(text, extensions=extensions, extension_configs={"pymdownx.superfences": fences})


def test_a_block_is_drawn_as_a_block():
    page = rendered("```math\n\\frac{a}{b}\n```")
    assert '<div class="math"><math' in page
    assert 'display="block"' in page
    assert "<mfrac>" in page


def test_an_inline_formula_stays_in_its_line():
    page = rendered("the score $`p_{-r}`$ without it")
    assert 'display="inline"' in page
    assert page.startswith("<p>the score <math")
    assert page.endswith("without it</p>")


@pytest.mark.parametrize("text", ["`$x$`", "costs $5 or `code`", "`` $` ``"])
def test_code_and_dollars_stay_as_they_are(text):
    assert "<math" not in rendered(text)


def test_several_formulas_in_one_line():
    assert rendered("$`a`$ and $`b`$").count("<math") == 2


def test_signs_of_html_in_a_formula_are_escaped():
    page = rendered("$`w_{<j}`$")
    assert "&#x0003C;" in page or "&lt;" in page
    assert "<j" not in page


def test_the_extension_is_found_by_its_name():
    assert isinstance(docs_math.makeExtension(), docs_math.MathExtension)
