"""The pages of the documentation, and its scripts as modules."""

import importlib.util
import sys
from types import ModuleType

from paths import TESTS

ROOT = TESTS.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))


def load_script(name: str) -> ModuleType:
    """Return scripts/NAME.py as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
