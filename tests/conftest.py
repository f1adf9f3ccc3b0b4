"""What several tests share. Free of torch, so that the data tests run without it."""

import shutil
from pathlib import Path

import pytest
from hypothesis import settings
from paths import SHARED_DATA

from mmsrarec.data.dataset import Dataset
from mmsrarec.data.synthetic.catalogue import draw_catalogue

settings.register_profile("untimed", deadline=None)  # speed is measured in benchmarks/, never in tests
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A small synthetic catalogue on disk; not to be written to."""
    return draw_catalogue(tmp_path_factory.mktemp("drawn") / "catalogue", seed=3, items=100, shoppers=200)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run; not to be written to."""
    from finished import finish  # brings torch along

    return finish(tmp_path_factory.mktemp("finished"))


@pytest.fixture(scope="session")
def soft_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run that has soft tokens and few rows; not to be written to."""
    from finished import SOFT, finish

    return finish(tmp_path_factory.mktemp("soft"), *SOFT)


@pytest.fixture(scope="session")
def content_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run whose soft tokens know items by their content; not to be written to."""
    from finished import CONTENT, finish

    return finish(tmp_path_factory.mktemp("content"), *CONTENT)


@pytest.fixture
def mine(finished: Path, tmp_path: Path) -> Path:
    """A finished run that may be written to."""
    from finished import copy_run

    return copy_run(finished, tmp_path)


@pytest.fixture
def alone(mine: Path, finished: Path) -> Path:
    """A run that may be written to, with data of its own beside it."""
    shutil.copytree(finished / "data", mine / "data")
    for file in (mine / "tiny.toml", mine / "run" / "recipe.toml"):
        file.write_text(file.read_text().replace(str(finished / "data"), str(mine / "data")))
    return mine


@pytest.fixture
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test fails where the language model is loaded."""
    from mmsrarec.models.backbone.mllm import Mllm

    def refuse(settings: object) -> None:
        raise AssertionError("the model was loaded")

    monkeypatch.setattr(Mllm, "load", refuse)


@pytest.fixture(scope="session")
def movielens() -> Path:
    """The source folder of real tables with posters, where the checkout has it."""
    folder = SHARED_DATA / "ml-latest-small-mm"
    if not folder.is_dir():
        pytest.skip("the MovieLens tables are not beside this checkout")
    return folder
