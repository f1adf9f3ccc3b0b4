"""A ranker of another package, installed as packages are, stands in the comparison like any other."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mmsrarec.core.artefacts import writing
from mmsrarec.core.progress import Progress
from mmsrarec.data.dataset import Dataset
from mmsrarec.errors import MmsrarecError
from mmsrarec.pipeline.run import run
from mmsrarec.rankers.ranker_base import RankerBase
from mmsrarec.rankers.registry.plugins import _installed, plugin_class, plugins
from mmsrarec.rankers.registry.registry import Source, candidate_generators, make_row, plugin_facts, ranker_names
from mmsrarec.rankers.registry.settings import BaselineSettings, space_of
from mmsrarec.runs.fitted_rankers import load_fitted, ranker_key, ranker_part
from mmsrarec.runs.recipe import Recipe, load_recipe, to_toml
from mmsrarec.study.model_names import check_generators, check_rows, obeys_clock
from mmsrarec.testing import RankerLaws, queries

SOURCE = '''
from typing import ClassVar

import numpy as np
from pydantic import Field

from mmsrarec.rankers import RankerBase, RankerSettings


class NearSettings(RankerSettings):
    width: float = Field(default=1.0, gt=0, description="items: how far an item may be from the last one")


class Near(RankerBase):
    """Items are alike where their numbers are near."""

    name = "near-numbers"
    Settings = NearSettings
    search_space: ClassVar = {"width": (1.0, 2.0)}

    def _fit(self, interactions, seed):
        self.places = np.arange(interactions.n_items) / self.settings.width

    def _score(self, moments, candidates):
        scores = np.zeros((len(moments), self.n_items))
        for row, history in zip(scores, moments.history):
            known = history[history < self.n_items]
            if len(known):
                row[:] = -np.abs(self.places - self.places[known[-1]])
        return scores if candidates is None else np.take_along_axis(scores, candidates, axis=1)

    def _state(self):
        return {"places": self.places}

    def _restore(self, arrays):
        self.places = arrays["places"]


class Proposing(Near):
    name = "near-proposing"
    proposes = True


class Unfinished(RankerBase):
    name = "unfinished"


class Loose(Near):
    name = "loose"
    from pydantic import BaseModel as Settings
'''
METADATA = "Metadata-Version: 2.1\nName: near-shop\nVersion: 1.2\n"
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs the package near-shop with these entry points; it is gone after the test."""

    def install(package: str = "near-shop", module: str = "near_shop", source: str = SOURCE, **entries: str) -> None:
        site = tmp_path / package
        (facts := site / f"{module}-1.2.dist-info").mkdir(parents=True)
        (site / f"{module}.py").write_text(source)
        (facts / "METADATA").write_text(METADATA.replace("near-shop", package))
        lines = (f"{name.replace('_', '-')} = {place}" for name, place in entries.items())
        (facts / "entry_points.txt").write_text("\n".join(["[mmsrarec.rankers]", *lines, ""]))
        monkeypatch.syspath_prepend(str(site))
        modules.append(module)

    modules: list[str] = []
    yield install
    for module in modules:
        sys.modules.pop(module, None)


@pytest.fixture
def near(install: Install) -> type[RankerBase]:
    install(near_numbers="near_shop:Near")
    return plugin_class("near-numbers")


def test_it_is_listed_by_name(near: type[RankerBase]) -> None:
    assert ranker_names()[-1] == "near-numbers"
    assert str(plugins()["near-numbers"]) == 'ranker "near-numbers" of the package near-shop 1.2'
    facts = {"name": "near-numbers", "package": "near-shop", "version": "1.2", "fault": None}
    assert plugin_facts() == [facts]
    assert space_of("near-numbers") == near.search_space
    assert not obeys_clock("near-numbers")
    assert candidate_generators(["near-numbers", "als"]) == ["als"]
    check_rows(["near-numbers", "als"], 5)


def test_it_is_gone_with_its_package() -> None:
    assert "near-numbers" not in ranker_names()
    with pytest.raises(MmsrarecError, match='unknown row "near-numbers"'):
        check_rows(["near-numbers"], 5)


def test_it_keeps_the_laws(near: type[RankerBase], tmp_path: Path) -> None:
    class Laws(RankerLaws):
        ranker = near
        learns_taste = False

    laws = Laws()
    for name in (name for name in dir(laws) if name.startswith("test_")):
        (place := tmp_path / name).mkdir()
        method = getattr(laws, name)
        method(place) if "tmp_path" in method.__func__.__code__.co_varnames[:2] else method()


def test_its_settings_are_a_table_of_the_recipe(near: type[RankerBase], tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('name = "a"\ndata = "d"\n[evaluate.baselines.near_numbers]\nwidth = 3\n')
    recipe = load_recipe(tmp_path / "a.toml")
    baselines = recipe.evaluate.baselines
    assert isinstance(baselines.settings("near-numbers"), near.Settings)
    assert baselines.of("near-numbers") == {"width": 3}
    assert baselines.with_row("near-numbers", {"width": 2}).of("near-numbers") == {"width": 2}
    assert BaselineSettings().of("near-numbers") == {"width": 1}
    (tmp_path / "b.toml").write_text(to_toml(recipe))
    assert load_recipe(tmp_path / "b.toml") == recipe
    for wrong, told in (("width=0", r"near_numbers\.width: Input should be greater than 0"), ("depth=1", "depth")):
        with pytest.raises(MmsrarecError, match=told):
            load_recipe(tmp_path / "a.toml", [f"evaluate.baselines.near_numbers.{wrong}"])


def test_it_stands_in_the_comparison(near: type[RankerBase], drawn: Dataset, tmp_path: Path) -> None:
    settings = {
        "rows": ["popularity", "near-numbers"],
        "splits": ["leave-one-out"],
        "negatives": 5,
        "tune_baselines": 2,
        "resamples": 100,
        "baselines": {"near_numbers": {"width": 5}},
    }
    recipe = Recipe.model_validate({"name": "a", "data": drawn.folder, "evaluate": settings})
    run(recipe, tmp_path / "run", None, Progress())
    report = json.loads((tmp_path / "run" / "evaluate" / "report.json").read_text())
    assert {(row["protocol"], row["model"]) for row in report["rows"]} == {
        (protocol, name) for protocol in ("published", "full") for name in ("popularity", "near-numbers")
    }
    searched = json.loads(
        (tmp_path / "run" / "evaluate" / "search" / "leave-one-out" / "near-numbers" / "search.json").read_text()
    )
    assert searched["tries"][0]["settings"] == {"width": 5}
    assert report["facts"][0]["settings"]["near-numbers"] == searched["chosen"]
    assert any("near-numbers (width" in note for note in report["notes"])


def test_it_may_propose_and_a_run_keeps_it(install: Install, drawn: Dataset, tmp_path: Path) -> None:
    install(near_proposing="near_shop:Proposing")
    names = ["near-proposing", "als", "mmsrarec"]
    assert candidate_generators(names) == ["als", "near-proposing"]
    check_generators(["near-proposing", "mmsrarec"])
    source = Source(drawn.interactions, 0, lambda name: pytest.fail(name), lambda: pytest.fail("stage 2"))
    made, folder = make_row("near-proposing", source), tmp_path / ranker_part("all", "near-proposing")
    folder.parent.mkdir(parents=True)
    with writing(folder, kind="ranker", key=ranker_key("near-proposing", source)) as draft:
        made.save(draft)
    loaded = load_fitted(tmp_path, "all", "near-proposing", source)
    assert loaded is not None
    asked = queries([3, 4])
    assert (loaded.score(asked) == made.score(asked)).all()
    (tmp_path / "near-shop" / "near_shop-1.2.dist-info" / "METADATA").write_text(METADATA.replace("1.2", "1.3"))
    _installed.cache_clear()  # another version may rank otherwise
    assert load_fitted(tmp_path, "all", "near-proposing", source) is None


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("near_shop:Absent", "AttributeError"),
        ("no_such_module:Near", "ModuleNotFoundError"),
        ("near_shop:NearSettings", "is no subclass of mmsrarec.rankers.RankerBase"),
        ("near_shop:Unfinished", "lacks _fit, _restore, _score, _state"),
        ("near_shop:Near", "calls itself 'near-numbers'"),
    ],
)
def test_a_broken_package_is_named_in_one_line(install: Install, place: str, why: str) -> None:
    install(broken=place)
    with pytest.raises(MmsrarecError, match=r"of the package near-shop 1\.2 cannot be used") as told:
        check_rows(["broken"], 5)
    assert why in str(told.value)
    assert "\n" not in str(told.value)
    assert plugin_facts()[0]["fault"] == str(told.value)
    check_rows(["als", "popularity"], 5)  # who does not name it is not disturbed
    BaselineSettings.model_validate({"als": {"factors": 2}})
    with pytest.raises(MmsrarecError, match="near-shop"):
        BaselineSettings.model_validate({"broken": {}})


def test_settings_that_take_any_key_are_refused(install: Install) -> None:
    install(loose="near_shop:Loose")
    with pytest.raises(MmsrarecError, match="must forbid extra keys"):
        plugin_class("loose")


def test_a_module_that_fails_at_import_is_named(install: Install) -> None:
    install(source="raise RuntimeError('no licence')\n", broken="near_shop:Near")
    with pytest.raises(MmsrarecError, match=r"near-shop 1\.2 cannot be used.*RuntimeError: no licence"):
        plugin_class("broken")


def test_a_name_that_is_taken_changes_nothing(install: Install) -> None:
    install(als="near_shop:Near")
    from mmsrarec.rankers.als import Als
    from mmsrarec.rankers.registry.registry import ranker_class

    assert ranker_class("als") is Als
    assert "is never used: this library has a ranker of that name" in plugin_facts()[0]["fault"]


def test_two_packages_may_not_offer_the_same_name(install: Install) -> None:
    install(near_numbers="near_shop:Near")
    install("far-shop", "far_shop", near_numbers="far_shop:Near")
    with pytest.raises(MmsrarecError, match="several packages offer a ranker of this name"):
        plugin_class("near-numbers")
