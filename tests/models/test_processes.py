"""Several processes make the update that one would make; each of them alone is tested by the law its share obeys."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from finished import copy_run
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from mmsrarec.models import processes
from mmsrarec.recommend.tune import choose_loss


@given(size=st.integers(1, 9), count=st.integers(1, 5), kind=st.sampled_from(["yesno", "softmax", "both"]))
def test_shares_are_a_batch_and_their_weighted_losses_its_loss(size: int, count: int, kind: str) -> None:
    rows, draw = np.arange(10, 10 + size), torch.Generator().manual_seed(size)
    logits, place = torch.randn(20, 4, generator=draw), torch.randint(4, (20,), generator=draw)
    seen, total = [], 0.0
    for rank in range(count):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("WORLD_SIZE", str(count))
            patch.setenv("RANK", str(rank))
            mine, weight = processes.share(rows)
        assert len(mine)
        seen += mine.tolist() if weight else []
        total += weight * choose_loss(logits[mine], place[mine], kind).item()
    assert sorted(seen) == rows.tolist()
    assert total == pytest.approx(choose_loss(logits[rows], place[rows], kind).item(), abs=1e-5)


def test_alone_nothing_is_shared_and_nobody_is_waited_for() -> None:
    assert (processes.count(), processes.is_first()) == (1, True)
    assert (processes.share(np.arange(3))[0].tolist(), processes.share(np.arange(3))[1]) == ([0, 1, 2], 1.0)
    tensor = torch.ones(2)
    processes.add_up([tensor])
    with processes.first_alone():
        processes.join("cpu")
    assert tensor.tolist() == [1, 1]


@pytest.mark.slow
@pytest.mark.parametrize("launcher", [
    ["accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1",
     "--mixed_precision", "no", "--dynamo_backend", "no"],
    ["torch.distributed.run", "--nproc_per_node", "2"],
], ids=["accelerate", "torchrun"])  # fmt: skip
def test_two_processes_train_what_one_trains(launcher: list[str], finished: Path, tmp_path: Path) -> None:
    mine = copy_run(finished, tmp_path)
    shutil.rmtree(mine / "run" / "recommend")
    command = ["-m", "mmsrarec", "train", str(mine / "tiny.toml"), "--out", str(mine / "run"), "--json"]
    done = subprocess.run([sys.executable, "-m", *launcher, *command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('"run"') == 1
    found = sorted((mine / "run" / "recommend").rglob("*.safetensors"))
    assert found
    for file in found:
        one, two = load_file(finished / "run" / file.relative_to(mine / "run")), load_file(file)
        assert one.keys() == two.keys()
        assert max((one[name] - two[name]).abs().max() for name in one) < 1e-4
    assert not list((mine / "run").rglob("trainer.safetensors"))
