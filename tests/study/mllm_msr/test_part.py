"""The row "mllm-msr" of a run, and the benchmark that sets MMSRARec beside it."""

import json
import sys
from pathlib import Path

import pytest
from benchmark import load_benchmark
from finished import copy_run, go

from mmsrarec.models.backbone.mllm import Mllm

ASKED = (
    'evaluate.rows=["als", "mllm-msr", "mmsrarec"]',
    'evaluate.splits=["leave-one-out"]',
    "evaluate.mllm_msr.description_tokens=3",
    "evaluate.mllm_msr.preference_tokens=3",
)
PART = "mllm-msr/leave-one-out"


def test_the_row_is_made_once_and_measured_beside_the_others(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = copy_run(finished, tmp_path)
    _, said = go(mine, *ASKED)
    assert f"{PART}: done in" in said
    report = json.loads((mine / "run" / "evaluate" / "report.json").read_text())
    (row,) = [row for row in report["rows"] if row["model"] == "mllm-msr"]
    (whole,) = [row for row in report["rows"] if row["model"] == "mmsrarec" and row["protocol"] == "published"]
    assert row["cost"]["calls_per_user"] == 1 + 6  # two items of history are one chunk; one prompt a candidate
    assert whole["cost"]["calls_per_user"] == 1
    assert row["cost"]["tokens_per_user"] > whole["cost"]["tokens_per_user"]
    assert "mllm-msr" in {pair["b"] for pair in report["pairs"]}

    wrote = json.loads((mine / "run" / PART / "preferences.json").read_text())
    assert all(1 <= len(one["history"]) <= 2 and one["preference"].startswith("They prefer") for one in wrote)

    benchmark = load_benchmark("mllm_msr")
    options = ["--out", str(mine / "run"), "--users", "4", "--timed", "2"]
    monkeypatch.setattr(sys, "argv", ["mllm_msr.py", *options])
    assert benchmark.main() == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (result["users"], result["timed"]) == (4, 2)
    assert result["n_examples"] == {"mmsrarec": 12, "mllm-msr": 12}
    assert result["calls_per_user"] == {"mmsrarec": 1, "mllm-msr": 7}
    ms = result["ms_per_user"]
    assert result["ratio"] == pytest.approx(
        (ms["preference"] + ms["prompts"]) / (ms["search"] + ms["ranking"]), abs=0.01
    )
    assert result["disagreement"] < 1e-4
    assert result["differences"]["HR@5"].keys() == {"difference", "low", "high", "p"}

    monkeypatch.setattr(Mllm, "load", lambda settings: pytest.fail("the model was loaded"))
    _, said = go(mine, *ASKED)
    assert f"{PART}: up to date" in said
    assert "evaluating" not in said
