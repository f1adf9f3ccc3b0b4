"""Which engine a recipe gets, and what does not go together."""

import subprocess
import sys

import pytest

from mmsrarec.engines.engine_choice import open_engine
from mmsrarec.engines.openai_engine import OpenAIEngine
from mmsrarec.engines.settings import EngineSettings
from mmsrarec.errors import MissingDependencyError, RecipeError

SERVER = EngineSettings(engine="openai", engine_url="http://localhost:1/v1")


def test_this_process_is_the_engine_unless_another_one_is_named() -> None:
    assert open_engine(EngineSettings(), None) is None
    assert open_engine(EngineSettings(), None, tuned=True) is None


def test_a_server_is_asked_for_the_model_that_the_recipe_names() -> None:
    engine = open_engine(SERVER, "big")
    assert isinstance(engine, OpenAIEngine)
    assert (engine.model, engine.served_name) == ("big", "big")
    other = open_engine(SERVER.model_copy(update={"engine_model": "/models/big"}), "big")
    assert isinstance(other, OpenAIEngine)
    assert (other.model, other.served_name) == ("big", "/models/big")


@pytest.mark.parametrize(
    ("settings", "model", "tuned", "message"),
    [
        (EngineSettings(), "big", False, "name it with --engine openai"),
        (SERVER, None, False, "--set summarize.model=NAME"),
        (SERVER, "big", True, "leave out summarize.tune, or use --engine local"),
        (EngineSettings(engine="openai"), "big", False, "runtime.engine_url is not set"),
    ],
)
def test_what_does_not_go_together_is_one_line(
    settings: EngineSettings, model: str | None, tuned: bool, message: str
) -> None:
    with pytest.raises(RecipeError, match=message) as error:
        open_engine(settings, model, tuned)
    assert "\n" not in str(error.value)


def test_without_its_package_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx2", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'mmsrarec\[engines\]'"):
        open_engine(SERVER, "big")


def test_a_server_is_asked_without_torch() -> None:
    code = (
        "import sys; from mmsrarec.engines.engine_choice import open_engine; "
        "from mmsrarec.engines.settings import EngineSettings; "
        "open_engine(EngineSettings(engine='openai', engine_url='http://localhost:1'), 'm'); "
        "print([name for name in ('torch', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
