"""`import mmsrarec` offers what its `__all__` names, needs no torch for it, and its errors tell what went wrong."""

import importlib
import logging
import subprocess
import sys
from pathlib import Path

import pytest

import mmsrarec
from mmsrarec.data.folder import load
from mmsrarec.errors import MmsrarecError
from mmsrarec.runs.provenance import read_provenance
from mmsrarec.runs.recipe import load_recipe

ERRORS = [name for name in mmsrarec.__all__ if name.endswith("Error") and name != "MmsrarecError"]


@pytest.mark.parametrize("name", mmsrarec.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(mmsrarec, name) is not None
    assert name in dir(mmsrarec)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = mmsrarec.nothing


def test_the_data_and_the_errors_need_no_torch() -> None:
    program = (
        "import sys; sys.modules['torch'] = None; import mmsrarec; "
        "mmsrarec.Dataset, mmsrarec.Recipe, mmsrarec.DataError; print('polars' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() in ("True", "False")
    lazy = "import sys, mmsrarec; print('polars' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", lazy], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False False"


def test_without_torch_the_recommender_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['torch'] = None; import mmsrarec\n"
        "try: mmsrarec.Recommender\nexcept mmsrarec.MissingDependencyError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "needs the package torch: pip install 'mmsrarec[mllm]'" in done.stdout


@pytest.mark.parametrize("name", ERRORS)
def test_all_errors_can_be_caught_as_one(name: str) -> None:
    assert issubclass(getattr(mmsrarec, name), MmsrarecError)
    assert name in (importlib.import_module("mmsrarec.errors").__doc__ or "")


def test_what_is_missing_is_told_by_the_kind_of_error(tmp_path: Path) -> None:
    with pytest.raises(mmsrarec.DataError, match="does not exist"):
        load(tmp_path / "nowhere")
    with pytest.raises(mmsrarec.RecipeError, match="no recipe"):
        load_recipe("nowhere")
    with pytest.raises(mmsrarec.NotFittedError, match="is not a run"):
        read_provenance(tmp_path)


def test_the_library_is_silent_unless_logging_is_configured() -> None:
    assert any(isinstance(handler, logging.NullHandler) for handler in logging.getLogger("mmsrarec").handlers)


def test_types_are_shipped() -> None:
    assert Path(mmsrarec.__file__).with_name("py.typed").is_file()
