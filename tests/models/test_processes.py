"""Several processes make the update that one would make; each of them alone is tested by the law its share obeys."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from finished import copy_run
from hypothesis import given
from hypothesis import strategies as st
from paths import SRC
from safetensors.torch import load_file

from mmsrarec.core import artefacts
from mmsrarec.models import processes
from mmsrarec.recommend.training.ranking_loss import choose_loss


@given(size=st.integers(1, 9), count=st.integers(1, 5), kind=st.sampled_from(["yesno", "softmax", "both"]))
def test_shares_are_a_batch_and_their_weighted_losses_its_loss(size: int, count: int, kind: str) -> None:
    rows, draw = np.arange(10, 10 + size), torch.Generator().manual_seed(size)
    logits, place = torch.randn(20, 4, generator=draw), torch.randint(4, (20,), generator=draw)
    seen, total = [], 0.0
    for rank in range(count):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("WORLD_SIZE", str(count))
            patch.setenv("RANK", str(rank))
            mine, weight = processes.batch_share(rows)
        assert len(mine)
        seen += mine.tolist() if weight else []
        total += weight * choose_loss(logits[mine], place[mine], kind).item()
    assert sorted(seen) == rows.tolist()
    assert total == pytest.approx(choose_loss(logits[rows], place[rows], kind).item(), abs=1e-5)


def test_alone_nothing_is_shared_and_nobody_is_waited_for() -> None:
    assert (processes.count(), processes.is_first()) == (1, True)
    assert (processes.batch_share(np.arange(3))[0].tolist(), processes.batch_share(np.arange(3))[1]) == ([0, 1, 2], 1.0)
    assert (processes.gather("a"), processes.from_first(lambda: "b"), processes.divide(7, "answers")) == (["a"], "b", 7)
    processes.wait()
    tensor = torch.ones(2)
    processes.sum_tensors([tensor])
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


TOGETHER = """
    import sys
    from pathlib import Path
    import torch
    from mmsrarec.errors import MmsrarecError
    from mmsrarec.models import processes

    folder, taken, said = Path(sys.argv[1]), sys.argv[2] == "True", []
    processes.join("cpu")
    first = processes.is_first()

    with processes.first_alone():
        said.append(f"done before: {(folder / 'done').exists()}")
        (folder / "done").touch()
    try:
        with processes.first_alone():
            if first:
                raise ZeroDivisionError
            said.append("the others went on")
    except (ZeroDivisionError, MmsrarecError) as error:
        said.append(f"{type(error).__name__} {error}")
    try:
        with processes.holding_run(folder / "run"):
            said.append("held")
    except MmsrarecError as error:
        said.append(str(error))
    weights = [torch.nn.Parameter(torch.ones(2)) for _ in range(4)]
    weights[0].grad = torch.full((2,), 2.0 if first else 3.0)  # both have it
    weights[1 if first else 2].grad = torch.full((2,), 5.0 if first else 7.0)
    processes.sum_gradients(weights)
    said.append(str([weight.grad.tolist() if weight.grad is not None else None for weight in weights]))
    said.append(str([processes.from_first(lambda: processes.rank() + 5), processes.gather(processes.rank() * 2)]))
    try:
        processes.from_first(lambda: 1 // 0)
    except (ZeroDivisionError, MmsrarecError) as error:
        said.append(f"{type(error).__name__} {error}")
    try:
        said.append(str([processes.divide(6, "answers"), processes.divide(7, "answers")]))
    except MmsrarecError as error:
        said.append(str(error))
    (folder / f"said-{processes.rank()}").write_text("\\n".join(said))
"""


def together(folder: Path, taken: bool) -> list[list[str]]:
    """What two processes say that found each other."""
    program = folder / "program.py"
    program.write_text(textwrap.dedent(TOGETHER))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    children = []
    for rank in range(2):
        mine = {"RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        mine |= {"PYTHONPATH": str(SRC), "LOCAL_RANK": str(rank)}
        command = [sys.executable, str(program), str(folder), str(taken)]
        children.append(subprocess.Popen(command, env={**os.environ, **mine}, stderr=subprocess.PIPE, text=True))
    try:
        for child in children:
            assert child.wait(120) == 0, child.stderr and child.stderr.read()
    finally:
        for child in children:
            child.kill()
    return [(folder / f"said-{rank}").read_text().splitlines() for rank in range(2)]


@pytest.mark.parametrize("taken", [False, True])
def test_processes_wait_for_the_first_and_fail_with_it(taken: bool, tmp_path: Path) -> None:
    """Where one lacks a gradient it brings zeros: else they would add up different ones, or wait for ever."""
    with artefacts.locked(tmp_path / "run") if taken else contextlib.nullcontext():
        first, other = together(tmp_path, taken)
    failed = "the first of the processes failed; what it said tells why"
    assert (first[0], other[0]) == ("done before: False", "done before: True")
    assert (first[1], other[1]) == ("ZeroDivisionError ", f"MmsrarecError {failed}")
    if taken:
        assert first[2].startswith("another process is working in")
        assert other[2] == failed
    else:
        assert (first[2], other[2]) == ("held", "held")
    assert first[3] == other[3] == "[[5.0, 5.0], [5.0, 5.0], [7.0, 7.0], None]"
    assert first[4] == other[4] == "[5, [0, 2]]"
    assert (first[5], other[5]) == ("ZeroDivisionError integer division or modulo by zero", f"MmsrarecError {failed}")
    assert first[6] == other[6] == "2 processes cannot share 7 answers evenly: start a number that divides them"
