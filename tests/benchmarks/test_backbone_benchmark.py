"""The benchmarks of smaller backbones and of costs: what is trained, what is counted, what is told."""

import json
import sys
from pathlib import Path

import pytest
import torch
from benchmark import FOLDER, load_benchmark
from tiny import tiny_mllm

from mmsrarec.models.packing.packed_prompt import PackedPrompt, TokenSpan


def test_forms_are_trained_once_measured_and_drawn(finished: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    benchmark = load_benchmark("backbone")
    forms = {"lowest-2": {"first_layer": 1}, "distil-1": {"layers": 1, "first_layer": 0, "distil": True}}
    monkeypatch.setattr(benchmark, "FORMS", forms)
    options = ["--users", "6", "--repeats", "1", "--packs", "8", "--out", str(tmp_path), "--forms", *forms]
    argv = ["backbone.py", str(finished / "run"), *options, "--plot", str(tmp_path / "plot.svg")]
    monkeypatch.setattr(sys, "argv", argv)
    results, teacher_logits = [], []
    for _ in range(2):
        benchmark.main()
        results.append(json.loads(capsys.readouterr().out.splitlines()[-1]))
        teacher_logits.append({form: (tmp_path / form / "adapter" / "README.md").stat().st_mtime_ns for form in forms})
    assert teacher_logits[0] == teacher_logits[1]
    quality = [{form: row["HR@5"] for form, row in result["rows"].items()} for result in results]
    assert quality[0] == quality[1]
    first, second = results[0]["rows"]["lowest-2"], results[0]["rows"]["distil-1"]
    assert first["HR@5 against the first"]["difference"] == 0
    assert second["HR@5 against the first"]["difference"] == pytest.approx(
        second["HR@5"]["value"] - first["HR@5"]["value"],
        abs=1.01e-4,  # all three are rounded to four digits
    )
    assert results[0]["ratio"] == pytest.approx(first["cpu_ms_per_user"] / second["cpu_ms_per_user"], abs=0.01)
    assert {"distil-1", "lowest-2"} == {name for name in forms if f">{name}<" in (tmp_path / "plot.svg").read_text()}
    told = json.loads((tmp_path / "distil-1" / "training.json").read_text())
    assert (told["steps"], told["settings"]["layers"]) == (2, 1)


def test_operations_are_counted_by_hand(monkeypatch) -> None:
    monkeypatch.syspath_prepend(FOLDER)
    benchmark, mllm = load_benchmark("cost"), tiny_mllm()
    weights = 2 * (64 * 64 + 2 * 64 * 32 + 64 * 64 + 3 * 64 * 128)
    pack = PackedPrompt(TokenSpan([1] * 3), [TokenSpan([2] * 2), TokenSpan([2])])
    pairs = (1 + 2 + 3) + (4 + 5) + 4  # the shared tokens, then each candidate's, which see them and themselves
    last = 3 * 64 * 128  # weights that all tokens but the ends of three parts are spared
    assert benchmark.operations(pack, mllm) == 2 * (weights * 6 - last * 3) + 4 * 64 * pairs * 2
    with torch.no_grad():
        alone = sum(benchmark.operations(single, mllm) for single in pack.unpacked())
    assert alone == 2 * (weights * (5 + 4) - last * (3 + 2)) + 4 * 64 * (15 + 10) * 2
