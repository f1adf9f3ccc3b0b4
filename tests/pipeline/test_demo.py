"""The demo draws its catalogue once, runs its recipe, and says before how long that takes here."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from mmsrarec.core.progress import Progress
from mmsrarec.models.backbone.settings import ModelSettings
from mmsrarec.pipeline import demo as module
from mmsrarec.pipeline.demo import FULL, QUICK, demo, duration_text, speed
from mmsrarec.runs.recipe import load_recipe


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Stands for the run, which takes minutes, and for the measurement: 100 GFLOP/s."""
    runs: list[tuple[Any, ...]] = []

    def run(recipe: Any, out: Path, stages: Any, progress: Progress) -> dict[str, Any]:
        runs.append((recipe, out, stages))
        progress("summarize: done in 8 s")
        time.sleep(0.3)
        return {"run": str(out)}

    monkeypatch.setattr(module, "run", run)
    monkeypatch.setattr(module, "speed", lambda model, device: 100.0)
    monkeypatch.setattr(module, "LINE_SECONDS", 0.1)
    return runs


def test_it_draws_once_and_runs_the_shipped_recipe_on_that(runs: list[tuple[Any, ...]], tmp_path: Path) -> None:
    lines: list[str] = []
    for _ in range(2):
        assert demo(QUICK, tmp_path / "run", tmp_path / "data", Progress.of(lines.append)) == {
            "run": str(tmp_path / "run")
        }
    recipe, out, stages = runs[0]
    assert recipe == load_recipe("demo", [f"data={json.dumps(str(tmp_path / 'data'))}"]) == runs[1][0]
    assert (out, stages) == (tmp_path / "run", None)
    drawn = json.loads((tmp_path / "data" / "answers.json").read_text())
    assert (len(drawn["items"]), len(drawn["shoppers"])) == (120, 240)
    assert lines[0].startswith("120 products, 240 shoppers: drawing in")
    assert "120 products, 240 shoppers: drawn in" in " ".join(lines[1:])


def test_it_says_before_how_long_it_takes_and_never_falls_silent(runs: list[tuple[Any, ...]], tmp_path: Path) -> None:
    lines: list[str] = []
    demo(QUICK, tmp_path / "run", tmp_path / "data", Progress.of(lines.append))
    assert lines.index(duration_text(QUICK.gflop / 100, False)) < lines.index("summarize: done in 8 s")
    assert lines[-1].startswith("still at work, 0:0")
    assert lines[-1].endswith("before: summarize: done in 8 s")


@pytest.mark.parametrize(
    ("seconds", "goes_on", "words"),
    [
        (3, False, "about 10 seconds"),
        (84, False, "about 80 seconds"),
        (185, False, "about 3 minutes"),
        (185, True, "at most about 3"),
    ],
)
def test_times_are_told_in_words(seconds: float, goes_on: bool, words: str) -> None:
    assert words in duration_text(seconds, goes_on)


def test_the_recipes_are_of_one_method_and_the_small_one_compares_less() -> None:
    small, whole = load_recipe(QUICK.recipe), load_recipe(FULL.recipe)
    changed = {"n_examples": small.recommend.n_examples}
    assert whole.recommend.model_copy(update=changed) == small.recommend
    assert small.recommend.n_examples < whole.recommend.n_examples
    assert small.summarize == whole.summarize
    assert set(small.evaluate.rows) < set(whole.evaluate.rows)
    assert {"popularity", "sasrec", "mmsrarec"} <= set(small.evaluate.rows)
    assert QUICK.gflop < FULL.gflop


def test_the_speed_of_this_machine_is_a_rate() -> None:
    assert 0.1 < speed(ModelSettings(dtype="float32"), "cpu") < 1e6
