"""After the evaluation the same settings are trained on everything, and that is what is served."""

import json
from pathlib import Path

import numpy as np
import pytest
from finished import done, go, report_of

from mmsrarec.cli import commands
from mmsrarec.core.progress import Progress
from mmsrarec.pipeline.run import refit
from mmsrarec.retrieve.encoder import Encoder
from mmsrarec.runs.answers.generators import served_generators
from mmsrarec.runs.recommender import Recommender

FEW = ("evaluate.splits=['leave-one-out']", "evaluate.rows=['popularity', 'sasrec', 'mmsrarec']")
ASKED = ["001", "005", "010", "020"]


@pytest.fixture
def lean(mine: Path) -> Path:
    """A finished run with few rows."""
    go(mine, *FEW)
    return mine


def scores(folder: Path) -> dict[str, float]:
    return Recommender.load(folder / "run").score(ASKED, user="u0005")


def test_what_is_served_has_seen_everything_and_the_report_says_so(lean: Path) -> None:
    before, shown = scores(lean), report_of(lean)
    assert shown["served"]["fitted_on"] == "leave-one-out: training interactions"
    told = refit(lean / "run", Progress())
    recommender = Recommender.load(lean / "run")
    interactions = recommender.dataset.interactions
    assert told["interactions"] == len(interactions) == len(recommender.retrieval.train)
    assert recommender.split == "all"
    assert scores(lean) != before
    own, served = (Encoder.load(lean / "run" / "retrieve" / name) for name in ("leave-one-out", "all"))
    assert len(served.curve) == own.best_pass
    assert served.settings == own.settings.model_copy(update={"epochs": own.best_pass})
    last = interactions.offsets[1:] - 1  # nobody's last interaction is held back
    assert (recommender.retrieval.train.item[last] == interactions.item[last]).all()
    after = report_of(lean)
    assert after["served"] == {"fitted_on": "all interactions", "interactions": len(interactions)}
    assert "all interactions" in (lean / "run" / "evaluate" / "report.html").read_text()
    assert [row["metrics"] for row in after["rows"]] == [row["metrics"] for row in shown["rows"]]


def test_nothing_is_refitted_twice_and_new_interactions_are_learned_from(lean: Path) -> None:
    refit(lean / "run", Progress())
    said = go(lean, *FEW)[1]
    assert not done(said)
    before = {path: path.stat().st_mtime_ns for path in (lean / "run" / "recommend" / "all").rglob("*.json")}
    refit(lean / "run", Progress())
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_run_made_anew_is_served_as_evaluated_until_it_is_refitted(lean: Path) -> None:
    refit(lean / "run", Progress())
    go(lean, *FEW, "recommend.learning_rate=0.02")
    recommender = Recommender.load(lean / "run")
    assert recommender.split == "leave-one-out"
    assert any("mmsrarec refit" in note for note in recommender.notes)
    assert report_of(lean)["served"]["fitted_on"].startswith("leave-one-out")
    refit(lean / "run", Progress())
    assert Recommender.load(lean / "run").split == "all"
    assert not Recommender.load(lean / "run").notes


def test_the_command(lean: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.call(["refit", str(lean / "run"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["interactions"] > 0
    assert commands.call(["refit", str(lean / "nothing")]) == 2
    assert "is not a run" in capsys.readouterr().err


def test_rows_fitted_on_validation_too_are_served_so(mine: Path) -> None:
    go(mine, *FEW, "evaluate.fitted_on=train+validation", "evaluate.fusion_users=20")
    recommender = Recommender.load(mine / "run")
    run_folder = recommender.run_folder
    assert len(run_folder.fitted("leave-one-out")) > len(run_folder.split("leave-one-out").train)
    (made,) = served_generators(recommender.run_folder, recommender.split, ["sasrec"])
    (history,) = (np.array([1, 2, 3]),)
    from mmsrarec.data.splits import Queries

    query = Queries(np.array([-1]), np.array([2 * 10**9]), np.array([-1]), (history,))
    refitted = run_folder.encoder("leave-one-out", "sasrec", refit=True).scores([history])
    assert np.allclose(made.score(query, None)[0][: refitted.shape[1]], refitted[0], equal_nan=True)
