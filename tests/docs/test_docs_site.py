"""The site is built without a complaint, holds what it should, and fetches nothing from elsewhere."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from docs.scripts import DOCS, PAGES, ROOT

import mmsrarec

SITE_TOOLS = ("zensical", "mkdocstrings_handlers", "latex2mathml")
needs_site_tools = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in SITE_TOOLS), reason="the extra docs is not installed"
)


def build(folder: Path, more: str = "") -> subprocess.CompletedProcess[str]:
    """Build the site in a folder, as `make docs` does in the project's, with something more on its first page."""
    shutil.copytree(DOCS, folder / "docs")
    with (folder / "docs" / "index.md").open("a", encoding="utf-8") as page:
        page.write(more)
    settings = (ROOT / "zensical.toml").read_text(encoding="utf-8")
    settings = settings.replace('paths = ["src"]', f'paths = ["{(ROOT / "src").as_posix()}"]')
    settings = settings.replace('base_path = ["."]', f'base_path = ["{ROOT.as_posix()}"]')
    (folder / "zensical.toml").write_text(settings, encoding="utf-8")
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "scripts"), "NO_COLOR": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site."""
    folder = tmp_path_factory.mktemp("site")
    done = build(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "site"


@needs_site_tools
def test_the_site_has_every_page_and_fetches_nothing(site):
    made = list(site.rglob("index.html"))
    assert len(made) == len(PAGES)
    for page in made:
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"<(?:script|img|iframe)[^>]+src=\"?https?://", text), page
        assert not re.search(r"<link[^>]+rel=\"?stylesheet\"?[^>]+href=\"?https?://", text), page


@needs_site_tools
def test_formulas_and_the_python_reference_are_in_the_site(site):
    method = (site / "method" / "index.html").read_text(encoding="utf-8")
    assert method.count('<div class="math"><math') > 5
    reference = (site / "api" / "index.html").read_text(encoding="utf-8")
    public = [name for name in mmsrarec.__all__ if not name.startswith("_")]
    assert [name for name in public if f'id="mmsrarec.{name}"' not in reference] == []
    assert 'id="mmsrarec.Recommender.recommend"' in reference
    assert 'id="mmsrarec.__getattr__"' not in reference


@needs_site_tools
def test_a_broken_link_stops_the_build(tmp_path):
    done = build(tmp_path, "\n[nowhere](nowhere.md)\n")
    assert done.returncode != 0
    assert "page does not exist" in done.stdout + done.stderr
