"""`mmsrarec check --leaks` on a finished run: green as it is, 1 and a line where a leak was planted; and the report."""

import json
from pathlib import Path

import pytest
from finished import go, recipe_in
from leaky import Future

from mmsrarec.cli import commands
from mmsrarec.core.progress import Progress
from mmsrarec.errors import MmsrarecError
from mmsrarec.pipeline import leak_check
from mmsrarec.rankers.popularity import Popularity
from mmsrarec.recommend.prompt.prompt_context import Retrieval
from mmsrarec.recommend.ranking.scorer import MllmScorer
from mmsrarec.recommend.training.fine_tuning import tune
from mmsrarec.runs.recommender import Recommender
from mmsrarec.runs.run_folder import RunFolder
from mmsrarec.study.comparison import leak_checks
from mmsrarec.study.model_scorers import Scorers

CHECKS = {
    *("held-out events", "the answer's place", "a constant scorer", "scores that are no numbers"),
    *("no query, no retrieval", "the user itself", "training and test contexts", "the context alone"),
    *("order of candidates", "padding and batching", "early stopping", "choice of the generator", "held-out items"),
    *("the clock", "statistics of test data", "shuffled labels", "tied timestamps", "shuffled labels, mmsrarec"),
    *("memorised titles", "keywords"),
}


def test_a_finished_run_is_green_and_the_report_says_so(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.call(["check", "--leaks", str(mine / "run"), "--users", "6", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["passed"] is True
    assert {found["check"] for found in answer["checks"]} >= CHECKS
    judged = [found for found in answer["checks"] if found["passed"] is not None]
    assert all(found["passed"] and not found["advice"] for found in judged)
    assert {found["split"] for found in answer["checks"]} == {"leave-one-out", "user-8-1-1", ""}
    assert "AUC" in next(found for found in answer["checks"] if found["check"] == "the context alone")["measured"]
    stored = json.loads((mine / "run" / "evaluate" / "leaks.json").read_text())
    assert stored["checks"] == answer["checks"]
    go(mine, stages=("evaluate",))
    report = json.loads((mine / "run" / "evaluate" / "report.json").read_text())
    assert report["leaks"] == answer["checks"]
    page = (mine / "run" / "evaluate" / "report.html").read_text()
    assert "Leak checks" in page
    assert "No check failed" in page
    published = [fact for fact in report["facts"] if fact["protocol"] == "published"]
    assert all(0 <= fact[f"context_share_{part}"] <= 1 for fact in published for part in ("training", "test"))
    go(mine, "retrieve.k=2", stages=("retrieve",))
    run_folder = RunFolder(recipe_in(mine, "retrieve.k=2"), mine / "run")
    assert leak_checks(run_folder) == []  # they were of another stage 2


def test_a_planted_leak_fails_the_command(
    mine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = RunFolder._retrieval

    def future(self: RunFolder, split, variant: str = "whole") -> Future:
        sound = whole(self, split, variant)
        return Future(sound.train, sound.neighbours, sound.settings)

    monkeypatch.setattr(RunFolder, "_retrieval", future)
    assert commands.call(["check", "--leaks", str(mine / "run"), "--fast"]) == 1
    captured = capsys.readouterr()
    assert "mmsrarec: the clock, leave-one-out: compare times with <" in captured.err
    assert "False" in captured.out
    assert not json.loads((mine / "run" / "evaluate" / "leaks.json").read_text())["passed"]


def test_a_row_that_counts_the_whole_log_is_found(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    classic = Scorers.classic

    def counting(self: Scorers, name: str):
        return Popularity().fit(self.run_folder.dataset.interactions) if name == "popularity" else classic(self, name)

    monkeypatch.setattr(Scorers, "classic", counting)
    failed = leak_check.check_run(mine / "run", fast=True, say=Progress())["failed"]
    assert [line.partition(",")[0] for line in failed] == ["statistics of test data"] * 2


def test_training_and_evaluating_ask_the_function_that_is_checked(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Asked(Exception):
        pass

    def gather(*_: object) -> None:
        raise Asked

    run_folder = RunFolder.open(finished / "run")
    prompts, retrieval = run_folder.prompts("whole"), run_folder.retrieval("leave-one-out")
    test = run_folder.split("leave-one-out").test
    monkeypatch.setattr(Retrieval, "gather", gather)
    with pytest.raises(Asked):
        tune(prompts, retrieval, prompts.settings, 0, tmp_path / "adapter", tmp_path / "work")
    with pytest.raises(Asked):
        MllmScorer("mmsrarec", prompts, retrieval).score(test, test.target[:, None])
    with pytest.raises(Asked):
        Recommender(run_folder, "leave-one-out", prompts).recommend(history=["001"])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [["check"], ["check", "data", "--leaks", "run"]])
def test_one_of_the_two_is_checked(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.call(arguments) == 2
    assert "DATA, or --leaks RUN" in capsys.readouterr().err


def test_what_is_no_run_is_said(tmp_path: Path, finished: Path) -> None:
    with pytest.raises(MmsrarecError, match="is not a run"):
        leak_check.check_run(tmp_path)
    (tmp_path / "recipe.toml").write_bytes((finished / "run" / "recipe.toml").read_bytes())
    with pytest.raises(MmsrarecError, match="has no finished artefact to answer by yet"):
        leak_check.check_run(tmp_path)
