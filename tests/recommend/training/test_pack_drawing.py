"""Packs are the same whether drawn at once, in shards, in two processes or with an interruption."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from soft import drawn_sources, soft_prompts, soft_retrieval
from tiny import tiny_mllm
from world import make_dataset, make_log

from mmsrarec.errors import MmsrarecError
from mmsrarec.models.packing.pack_table import PackTable
from mmsrarec.models.packing.soft_ids import LAST, SoftKind, kinds_and_codes
from mmsrarec.recommend.training import pack_drawing as module
from mmsrarec.recommend.training.pack_drawing import PackDrawing

LOG = make_log(np.random.default_rng(0))
DATASET, SOURCES, MLLM = make_dataset(LOG), drawn_sources(LOG.n_items), tiny_mllm()
SETTINGS = {"n_examples": 23, "negatives": 3, "history": 2, "preference_rate": 0.5, "cold_item_rate": 0.3}


def drawing(seed: int = 0, excluded_users: np.ndarray | None = None, **settings) -> PackDrawing:
    prompts = soft_prompts(MLLM, DATASET, SOURCES, **(SETTINGS | settings))
    retrieval = soft_retrieval(LOG, SOURCES, n_vote_neighbours=10)
    return PackDrawing.draw(prompts, retrieval, prompts.settings, seed, np.random.default_rng(seed), excluded_users)


def same(one: PackTable, other: PackTable) -> bool:
    """Equal words; states may be summed in another order where other histories share a batch."""
    names = ("ids", "part_lengths", "part_counts", "pictures", "picture_counts")
    assert one.states is not None
    assert other.states is not None
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names) and np.allclose(
        one.states, other.states, atol=1e-5
    )


@pytest.fixture(scope="module")
def at_once() -> PackTable:
    return drawing().table()


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHARD_PACKS", 5)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.usefixtures("small_shards")
def test_shards_are_the_table_drawn_at_once(workers: int, at_once: PackTable, tmp_path: Path) -> None:
    counted: list[tuple[int, int, str]] = []
    found = drawing().table(tmp_path / "packs", workers, lambda *told: counted.append(told))
    assert same(found, at_once)
    assert counted[-1] == (23, 23, "drawing prompts")
    assert [done for done, *_ in counted] == [5, 10, 15, 20, 23]
    assert sorted(path.name for path in (tmp_path / "packs").iterdir()) == [
        f"packs-{number:05}.safetensors" for number in range(5)
    ]


@pytest.mark.usefixtures("small_shards")
def test_two_processes_write_what_one_writes(tmp_path: Path) -> None:
    for workers in (1, 2):
        drawing().table(tmp_path / str(workers), workers)
    for file in (tmp_path / "1").iterdir():
        assert file.read_bytes() == (tmp_path / "2" / file.name).read_bytes()


class Stopped(Exception):
    pass


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.usefixtures("small_shards")
def test_what_was_stopped_goes_on(
    workers: int, at_once: PackTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(done: int, total: int, label: str) -> None:
        if done >= 10:
            raise Stopped

    with pytest.raises(Stopped):
        drawing().table(tmp_path, workers, stop)
    kept = {file.name: file.stat().st_mtime_ns for file in tmp_path.glob("*.safetensors")}
    assert len(kept) >= 2
    drawn: list[int] = []
    save_shard = PackDrawing.save_shard
    monkeypatch.setattr(
        PackDrawing, "save_shard", lambda self, number, file: (drawn.append(number), save_shard(self, number, file))[1]
    )
    assert same(drawing().table(tmp_path), at_once)
    assert len(drawn) == 5 - len(kept)
    assert all((tmp_path / name).stat().st_mtime_ns == time for name, time in kept.items())
    assert same(drawing().table(tmp_path), at_once)
    assert len(drawn) == 5 - len(kept)  # what is there is not drawn again


@pytest.mark.usefixtures("small_shards")
def test_a_shard_is_whole_or_absent(at_once: PackTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save = PackTable.save

    def killed(self: PackTable, file: Path) -> None:
        save(self, file)
        file.write_bytes(file.read_bytes()[:100])
        raise Stopped

    monkeypatch.setattr(PackTable, "save", killed)
    with pytest.raises(Stopped):
        drawing().table(tmp_path)
    assert not list(tmp_path.glob("*.safetensors"))
    monkeypatch.setattr(PackTable, "save", save)
    assert same(drawing().table(tmp_path), at_once)


@pytest.mark.usefixtures("small_shards")
def test_an_error_of_a_process_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: PackDrawing, number: int) -> PackTable:
        raise MmsrarecError("the disk is full")

    monkeypatch.setattr(PackDrawing, "shard", fail)
    with pytest.raises(MmsrarecError, match="the disk is full"):
        drawing().table(tmp_path, workers=2)


@pytest.mark.usefixtures("small_shards")
def test_a_process_that_is_killed_is_said_and_not_waited_for(
    at_once: PackTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard = PackDrawing.shard

    def killed(self: PackDrawing, number: int) -> PackTable:
        if number == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return shard(self, number)

    monkeypatch.setattr(PackDrawing, "shard", killed)
    with pytest.raises(MmsrarecError, match=r"was killed, .*: lower runtime.processes"):
        drawing().table(tmp_path, workers=2)
    monkeypatch.setattr(PackDrawing, "shard", shard)
    assert same(drawing().table(tmp_path), at_once)


@pytest.mark.usefixtures("small_shards")
def test_beside_a_gpu_in_use_one_process_draws(
    at_once: PackTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    assert not module.can_fork()
    monkeypatch.setattr(module, "ProcessPoolExecutor", None)  # would fail if it was called
    assert same(drawing().table(tmp_path, workers=2), at_once)


def test_packs_hold_the_soft_tokens_of_their_queries(at_once: PackTable) -> None:
    one = drawing()
    expected = SOURCES.states(one.queries.history)
    assert at_once.states is not None
    np.testing.assert_allclose(at_once.states, expected, atol=1e-5)
    for row in range(len(at_once)):
        pack = at_once[row]
        tokens = torch.tensor([token for token in pack.shared.ids if token <= LAST])
        kinds, codes = kinds_and_codes(tokens)
        assert kinds.tolist() == [*[SoftKind.HISTORY] * (len(tokens) - 1), SoftKind.USER]
        assert codes[:-1].tolist() == one.queries.history[row][-20:].tolist()
        own = torch.tensor([[token for token in part.ids if token <= LAST] for part in pack.candidates])[:, 0]
        kinds, codes = kinds_and_codes(own)
        assert codes.tolist() == one.candidates[row].tolist()
        assert (kinds == SoftKind.COLD_CANDIDATE).tolist() == one.cold[row].tolist()
        assert codes[int(one.place[row])] == one.queries.target[row]
    assert 0 < one.cold.mean() < 1


def test_nothing_is_drawn_of_excluded_users() -> None:
    excluded = np.arange(LOG.n_users) % 3 > 0
    assert not excluded[drawing(excluded_users=excluded).queries.user].any()
    assert excluded[drawing().queries.user].any()
    with pytest.raises(MmsrarecError, match="nothing to learn from"):
        drawing(excluded_users=np.ones(LOG.n_users, dtype=bool))


def test_without_soft_tokens_there_are_no_states() -> None:
    one = drawing()
    plain = replace(one, retrieval=replace(one.retrieval, soft=None)).table()
    assert plain.states is None
    assert not (plain.ids < 0).any()


def test_another_seed_draws_other_packs(at_once: PackTable) -> None:
    other = drawing(seed=1).table()
    assert not np.array_equal(at_once.ids, other.ids)
