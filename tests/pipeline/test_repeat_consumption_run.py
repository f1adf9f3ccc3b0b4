"""People who take the same things again, from tables to report: 80 users have three items each, three times."""

import json
from pathlib import Path

import numpy as np
import pytest
from finished import go, report_of
from importing import import_tables
from paths import CASES
from world import save_tiny

from mmsrarec.pipeline.leak_check import check_run

CASE = CASES / "repeat-consumption"
ROWS = 'evaluate.rows=["popularity", "sequential-rules", "user-knn", "sasrec", "mmsrarec"]'
SET = (
    *(ROWS, "evaluate.fusion_users=20", "evaluate.n_candidates=8", "evaluate.combine_generators=true"),
    *('evaluate.splits=["leave-one-out"]', "evaluate.shown_users=1", "recommend.n_examples=8", "evaluate.sealed=0.2"),
)


@pytest.fixture(scope="module")
def bought_again(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from finished import RECIPE

    folder = tmp_path_factory.mktemp("again")
    import_tables(CASE, folder / "data")
    save_tiny(folder / "model")
    head, parts = RECIPE.split("[model]")
    text = f'{head}data = "{folder / "data"}"\n[model]\nname = "{folder / "model"}"{parts}'
    (folder / "tiny.toml").write_text(text)
    return folder


def test_by_default_such_targets_are_left_out_for_everybody_and_that_is_said(bought_again: Path) -> None:
    summary, said = go(bought_again, *SET)
    assert "80 of 80 test users' targets were consumed before: left out of full ranking" in said
    assert "set evaluate.repeat_consumption=allow" in said
    report = report_of(bought_again)
    assert {row["protocol"] for row in report["rows"]} == {"published"}
    assert summary["rows"] == len(report["rows"])
    facts = {fact["protocol"]: fact for fact in report["facts"]}
    assert (facts["full"]["users"], facts["full"]["left_out"], facts["full"]["repeat_share"]) == (0, 80, 1.0)
    sealed = facts["published"]["sealed_users"]
    assert 8 <= sealed <= 24
    assert facts["published"]["users"] == 80 - sealed
    assert f"test users: {80 - sealed} ({sealed} sealed)" in said
    assert any("80 of 80" in note for note in report["notes"])
    page = (bought_again / "run" / "evaluate" / "report.html").read_text()
    assert "100.0%" in page
    assert f"({sealed} more are sealed)" in page
    assert "80 of 80" in page
    assert check_run(bought_again / "run", fast=True)["failed"] == []


@pytest.mark.slow
def test_allowed_they_are_ranked_by_every_row_alike(bought_again: Path) -> None:
    _, said = go(bought_again, *SET, "evaluate.repeat_consumption=allow", "evaluate.tune_baselines=2", out="allowed")
    assert "ranked like all others" in said
    report = json.loads((bought_again / "allowed" / "evaluate" / "report.json").read_text())
    full = {(row["model"], row["variant"]): row for row in report["rows"] if row["protocol"] == "full"}
    assert {"popularity", "user-knn", "sasrec", "mmsrarec"} <= {model for model, _ in full}
    assert len({row["users"] for row in full.values()}) == 1
    assert full["user-knn", "whole"]["metrics"]["HR@5"]["value"] > 0.9
    fused = [row for (model, variant), row in full.items() if model == "mmsrarec" and "ensemble" in variant]
    assert fused
    assert all(row["metrics"]["HR@10"]["value"] > 0.5 for row in fused)  # and these were all 0
    assert all(0 < pair["p"] <= pair["p_holm"] <= 1 for pair in report["pairs"])
    (facts,) = (fact for fact in report["facts"] if fact["protocol"] == "full")
    assert (facts["repeat_consumption"], facts["left_out"], facts["tune_baselines"]) == ("allow", 0, 2)
    assert {"sequential-rules", "user-knn", "sasrec"} == facts["settings"].keys()
    assert any("best of 2 tried" in note for note in report["notes"])
    assert check_run(bought_again / "allowed", fast=True)["failed"] == []
    peaks = [row["cost"]["peak_mb"] for row in report["rows"] if row["model"] == "mmsrarec"]
    assert all(0 < peak < 700 for peak in peaks)  # a tiny model; the process holds more than that

    before = {(row["model"], row["variant"], row["protocol"]): row["metrics"] for row in report["rows"]}
    _, said = go(bought_again, *SET, "evaluate.repeat_consumption=allow", "evaluate.tune_baselines=2",
                 "evaluate.open_sealed=true", out="allowed")  # fmt: skip
    opened = json.loads((bought_again / "allowed" / "evaluate" / "report.json").read_text())
    for row in opened["rows"]:
        assert row["users"] == 80
        apart = row["slices"]["users who were never sealed"]
        assert row["slices"]["sealed users"]["users"] + apart["users"] == 80
        for name, metric in apart["metrics"].items():  # what was measured before the seal was opened stays as it was
            closed = before[row["model"], row["variant"], row["protocol"]][name]["value"]
            assert metric["value"] == pytest.approx(closed, abs=1e-6)
    assert np.mean([row["metrics"]["HR@5"]["value"] for row in opened["rows"]]) > 0
