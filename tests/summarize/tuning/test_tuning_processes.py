"""Two processes tune the summaries as one does, and go on where they were after one of them was killed.

The file is also the program that each process runs.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import torch
from paths import SRC, TESTS
from safetensors.torch import load_file, save_file
from teach import embedding_model, restored_mllm, settings_of, taught_mllm
from tiny import tiny_mllm
from torch import Tensor

from mmsrarec.data.dataset import Dataset
from mmsrarec.data.folder import load
from mmsrarec.models import processes
from mmsrarec.models.backbone.adapter import WEIGHTS
from mmsrarec.models.vision import image_features
from mmsrarec.summarize import prompts
from mmsrarec.summarize.tuning import policy, trainers, training_log

ACCELERATE = ["accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1",
              "--mixed_precision", "no", "--dynamo_backend", "no"]  # fmt: skip
TORCHRUN = ["torch.distributed.run", "--nproc_per_node", "2"]
KILLED = "KILLED_AT"
"""The variable that names the process, the training and the step after which it is killed."""
CLOSE = 1e-4
"""How far a weight may lie from that of one process: sums are taken in another order."""
SETTINGS = {"items": 12, "steps": 6, "prompts": 2, "group": 4, "epochs": 2, "samples": 2}
SEED = 1


def main(given: Path, folder: Path) -> None:
    """What each process does."""
    torch.set_num_threads(1)
    prompts.SHOTS, trainers.SAVE_STEPS = (), 1  # this process is here for nothing else
    processes.join("cpu")
    _die_where_it_is_asked()
    weights, dataset = load_file(given / "taught"), load(given / "catalogue")
    seen = image_features.load(given / "features")
    out = folder / "out" if processes.is_first() else folder / f"scratch-{processes.rank()}"
    out.mkdir(parents=True, exist_ok=True)
    context = policy.TuningContext(
        lambda: restored_mllm(weights), dataset, seen, settings_of(**SETTINGS), SEED, folder / "work",
        embed=embedding_model,
    )  # fmt: skip
    facts = policy.tune(context, out)
    (folder / f"facts-{processes.rank()}").write_text(json.dumps(facts))


def _die_where_it_is_asked() -> None:
    """Let this process be killed after the step that the environment names."""
    if KILLED not in os.environ:
        return
    rank, phase, step = os.environ[KILLED].split(":")
    on_step_end = training_log.TuningCallback.on_step_end

    def ending(self, args, state, control, **more) -> None:
        if (processes.rank(), self.phase, state.global_step) == (int(rank), phase, int(step)):
            os.kill(os.getpid(), signal.SIGKILL)
        on_step_end(self, args, state, control, **more)

    training_log.TuningCallback.on_step_end = ending


def launched(launcher: list[str], given: Path, folder: Path, killed: str | None = None) -> subprocess.CompletedProcess:
    """Run processes to their end; launcher: that starts them, or nothing for a single one."""
    start = [sys.executable, *(["-m", *launcher] if launcher else [])]
    environment = {**os.environ, "PYTHONPATH": f"{SRC}{os.pathsep}{TESTS}", "OMP_NUM_THREADS": "1"}
    environment |= {KILLED: killed} if killed else {}
    command = [*start, __file__, str(given), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=900, env=environment)


def result(folder: Path) -> tuple[dict[str, Tensor], pl.DataFrame, dict]:
    table = pl.read_parquet(folder / "out" / "heldout.parquet")
    return load_file(folder / "out" / "adapter" / WEIGHTS), table, json.loads((folder / "facts-0").read_text())


@pytest.fixture(scope="module")
def given(drawn: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The catalogue, a model that talks about it, and its pictures."""
    folder, patch = tmp_path_factory.mktemp("given"), pytest.MonkeyPatch()
    patch.setattr(prompts, "SHOTS", ())
    state = taught_mllm(drawn).model.state_dict()
    patch.undo()
    save_file({name: weight.clone() for name, weight in state.items()}, folder / "taught")
    image_features.save(image_features.encode_catalogue_images(tiny_mllm(), drawn, 4).features, folder / "features")
    assert drawn.folder is not None
    (folder / "catalogue").symlink_to(drawn.folder)
    return folder


@pytest.fixture(scope="module")
def together(given: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes made."""
    folder = tmp_path_factory.mktemp("together")
    done = launched(ACCELERATE, given, folder)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.mark.slow
def test_two_processes_reach_the_weights_of_one(given: Path, together: Path, tmp_path: Path) -> None:
    done = launched([], given, tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    (one, table, facts), (two, other_table, other_facts) = result(tmp_path), result(together)
    assert one.keys() == two.keys()
    assert max(float((one[name] - two[name]).abs().max()) for name in one) < CLOSE
    assert any(bool(weight.any()) for name, weight in one.items() if "lora_B" in name)
    assert table.select("item_id", "policy", "answer").equals(other_table.select("item_id", "policy", "answer"))
    assert json.loads((together / "facts-1").read_text()) == {}
    assert [entry["step"] for entry in other_facts["curve"]] == [entry["step"] for entry in facts["curve"]]
    for mine, theirs in zip(facts["curve"], other_facts["curve"], strict=True):
        assert theirs["loss"] == pytest.approx(mine["loss"], abs=1e-3)
        assert theirs.get("reward") == pytest.approx(mine.get("reward"), abs=1e-3)
        assert theirs.get("keywords") == pytest.approx(mine.get("keywords"))


@pytest.mark.slow
@pytest.mark.parametrize("killed", ["0:warm start:2", "1:grpo:3"])
def test_after_a_kill_they_go_on_and_reach_the_same_weights(
    killed: str, given: Path, together: Path, tmp_path: Path
) -> None:
    assert launched(TORCHRUN, given, tmp_path, killed).returncode != 0
    assert not (tmp_path / "facts-0").exists()
    _, phase, step = killed.split(":")
    checkpoint = training_log.newest_checkpoint(tmp_path / "work" / phase.replace(" ", "-"))
    assert checkpoint is not None  # so that the second start has something to go on from
    assert int(checkpoint.name.rpartition("-")[2]) >= int(step) - 1
    done = launched(TORCHRUN, given, tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    (weights, table, _), (found, found_table, _) = result(together), result(tmp_path)
    assert all(torch.equal(found[name], weights[name]) for name in weights)
    assert found_table.equals(table)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
