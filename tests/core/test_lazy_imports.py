"""A public name is imported when it is asked for, and any other name is an error as of every module."""

import importlib
import sys

import pytest

from mmsrarec.core.lazy_imports import public_attribute

PACKAGES = ("mmsrarec.rankers", "mmsrarec.retrieve", "mmsrarec.summarize", "mmsrarec.testing")


def test_a_name_comes_from_its_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "json.tool", raising=False)
    main = public_attribute("json", {"main": "tool"}, "main")
    assert main is sys.modules["json.tool"].main


def test_a_name_that_is_not_public_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="module 'json' has no attribute 'tools'"):
        public_attribute("json", {"main": "tool"}, "tools")


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_have_what_they_promise_and_nothing_else(package: str) -> None:
    module = importlib.import_module(package)
    assert all(getattr(module, name) is not None for name in module.__all__)
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'nothing'"):
        _ = module.nothing
