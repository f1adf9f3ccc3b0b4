"""A fused run is loaded without fitting anything; older runs fit, and say so."""

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
from finished import copy_run, done, go

from mmsrarec.core import terminal
from mmsrarec.core.artefacts import verify
from mmsrarec.core.progress import Progress
from mmsrarec.pipeline.run import refit
from mmsrarec.rankers.als import Als
from mmsrarec.rankers.ease import Ease
from mmsrarec.rankers.ranker_base import RankerBase
from mmsrarec.rankers.sequential_rules import SequentialRules
from mmsrarec.recommend.ranking.fusion import Fusion
from mmsrarec.runs.recommender import Recommender

pytest.importorskip("implicit")
NAMES = ("sequential-rules", "als", "ease")
SET = (
    "evaluate.fusion_users=20",
    'evaluate.splits=["leave-one-out"]',
    f"evaluate.rows={[*NAMES, 'sasrec', 'mmsrarec']}",
)


@pytest.fixture(scope="module")
def fused(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A fused run that ranks by the language model and all of these, and what was said while it was made."""
    folder = copy_run(finished, tmp_path_factory.mktemp("kept"))
    return folder, go(folder, *SET)[1]


@pytest.fixture(autouse=True)
def everybody_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever validation chose, all rankers propose and are fused."""
    load = Fusion.load

    def all_of_them(folder: Path) -> Fusion:
        from dataclasses import replace

        from mmsrarec.rankers.ensemble.conditional_logit import Logit

        logit, whole = Logit.first(len(NAMES)), Logit.first(1 + len(NAMES))
        return replace(
            load(folder),
            generators=NAMES,
            proposing_generators=NAMES,
            generators_logit=logit,
            with_lm=whole,
            without_lm=logit,
        )

    monkeypatch.setattr(Fusion, "load", staticmethod(all_of_them))
    monkeypatch.setattr(Fusion, "improves", property(lambda self: True))


def no_fitting(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: RankerBase, interactions: object, seed: int) -> None:
        raise AssertionError(f"{self.name} was fitted")

    for ranker in (Als, Ease, SequentialRules):
        monkeypatch.setattr(ranker, "_fit", refuse)


def answer(run: Path) -> dict[str, float]:
    recommender = Recommender.load(run)
    return recommender.score([item.item_id for item in recommender.dataset.items[:12]], user="u0005")


def test_rankers_are_parts_of_the_run(fused: tuple[Path, str]) -> None:
    folder, said = fused
    assert {f"rankers/leave-one-out/{name}" for name in NAMES} <= done(said)
    for name in NAMES:
        verify(folder / "run" / "rankers" / "leave-one-out" / name)
    assert not done(go(folder, *SET)[1])
    _, again = go(folder, *SET, "evaluate.baselines.ease.l2=7")
    assert done(again) == {"rankers/leave-one-out/ease"}
    go(folder, *SET)


def test_nothing_is_fitted_when_a_run_is_loaded(fused: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    expected = answer(fused[0] / "run")
    no_fitting(monkeypatch)
    assert answer(fused[0] / "run") == expected
    with pytest.raises(AssertionError, match="als was fitted"):
        Als().fit(Recommender.load(fused[0] / "run").retrieval.train)


def test_a_run_that_keeps_none_fits_them_and_says_so(
    fused: tuple[Path, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    older = copy_run(fused[0], tmp_path) / "run"
    expected = answer(older)
    shutil.rmtree(older / "rankers")
    terminal.remark.cache_clear()
    with caplog.at_level(logging.WARNING, logger="mmsrarec"):
        found = answer(older)
    assert found == expected
    (told,) = [record.getMessage() for record in caplog.records]
    assert "keeps no fitted sequential-rules, als, ease" in told
    assert "mmsrarec evaluate keeps them" in told


def test_a_refitted_run_keeps_those_that_it_serves(
    fused: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = copy_run(fused[0], tmp_path) / "run"
    refit(mine, Progress())
    for name in NAMES:
        verify(mine / "rankers" / "all" / name)
    no_fitting(monkeypatch)
    recommender = Recommender.load(mine)
    assert recommender.split == "all"
    assert np.isfinite(list(answer(mine).values())).all()
