"""Workers of Ray answer shares of many users into parts: the same table as one process, whoever is killed."""

import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import polars as pl
import pytest

from mmsrarec.cli import commands
from mmsrarec.core.progress import Progress
from mmsrarec.data.dataset import Dataset, Item, make_interactions
from mmsrarec.errors import UnknownIdError
from mmsrarec.pipeline.ray_shares import RunSource, ShareWork, answer_shares_on_ray
from mmsrarec.runs import batch_file
from mmsrarec.runs.answers.questions import Questions, Who
from mmsrarec.runs.answers.recommendations import Recommendation, Recommendations

if TYPE_CHECKING:  # brings torch along, which workers that start soon do without
    from mmsrarec.runs.recommender import Recommender

N_USERS, N_ITEMS, BLOCK = 40, 8, 2


class Answerer:
    """Answers in blocks, writes down who was asked in which process, and may take its time."""

    def __init__(self, log: Path | None = None, seconds: float = 0.0):
        users = np.arange(N_USERS)
        log_of_all = make_interactions(users, users % N_ITEMS, users, N_USERS, N_ITEMS)
        items = tuple(Item(f"i{code}", f"Mug {code}", "") for code in range(N_ITEMS))
        self.dataset = Dataset("made up", items, tuple(f"u{user}" for user in users), log_of_all)
        self.questions, self.block_size, self.available = Questions(self.dataset), BLOCK, np.ones(N_ITEMS, dtype=bool)
        recipe = SimpleNamespace(model_dump=lambda **how: {})
        self.run_folder = SimpleNamespace(folder=Path("nowhere"), recipe=recipe)
        self.log, self.seconds = log, seconds

    def answer_function(self, k: int = 10) -> Callable[..., list[Recommendations]]:
        def ask(questions: Sequence[Who], done: Callable[[], None]) -> list[Recommendations]:
            if self.log:
                with self.log.open("a") as file:
                    file.writelines(f"{who['user']} {os.getpid()}\n" for who in questions)
            time.sleep(self.seconds)
            for _ in questions:
                done()
            return [
                Recommendations([Recommendation(f"{who['user']} {k}", "", 0.1, None, (), ("a",))]) for who in questions
            ]

        return ask


@dataclass(frozen=True)
class AnswererSource(RunSource):
    """Loads an answerer in the place of a run, whose every block is a part."""

    def load(self) -> "Recommender":
        batch_file.PART_SECONDS = 0.0
        return cast("Recommender", Answerer(self.run / "log", 0.2))


def joined(out: Path, users: Sequence[str] | None = None, **how: Any) -> tuple[pl.DataFrame, list[str]]:
    """The table that a last call makes, and what it says."""
    lines: list[str] = []

    def write(table: pl.LazyFrame, path: Path) -> None:
        table.collect().write_parquet(path)

    answerer = cast("Recommender", Answerer())
    batch_file.recommend_file(answerer, users, out, write, Progress.of(lines.append), **how)
    return pl.read_parquet(out), lines


def test_shares_are_answered_into_parts_that_a_last_call_joins(tmp_path: Path) -> None:
    expected, _ = joined(tmp_path / "one.parquet", k=3)
    work = ShareWork(None, tmp_path / "many.parquet", 3, {"k": 3})
    answerer = Answerer(tmp_path / "log")
    assert [work(cast("Recommender", answerer), share) for share in range(3)] == [12, 14, 14]
    found, lines = joined(tmp_path / "many.parquet", k=3)
    assert found.equals(expected)
    assert lines[0].startswith(f"{N_USERS} of {N_USERS} users were answered by an earlier call")
    with pytest.raises(UnknownIdError):
        ShareWork(["nobody"], tmp_path / "x.parquet", 1, {})(cast("Recommender", answerer), 0)


def test_without_ray_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mmsrarec.models.ray_workers.find_spec", lambda name: None)
    many = ["--users", "all", "--out", str(tmp_path / "x.parquet")]
    assert commands.call(["recommend", str(tmp_path), *many, "--ray"]) == 2
    assert "pip install 'mmsrarec[ray]'" in capsys.readouterr().err
    assert commands.call(["recommend", str(tmp_path), *many, "--ray", "--shard", "1/2"]) == 2
    assert commands.call(["recommend", str(tmp_path), "--user", "u1", "--ray"]) == 2
    assert "it goes with --users and --out" in capsys.readouterr().err


@pytest.mark.slow
def test_a_killed_workers_share_goes_on_behind_its_parts(tmp_path: Path) -> None:
    cloudpickle = pytest.importorskip("ray.cloudpickle", reason="needs the extra ray")
    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the workers cannot import a test
    expected, _ = joined(tmp_path / "one.parquet", k=3)
    out, log, killed = tmp_path / "many.parquet", tmp_path / "log", list[int]()

    def kill_two() -> None:
        deadline = time.monotonic() + 120
        while len(killed) < 2 and time.monotonic() < deadline:
            rows = log.read_text().split("\n")[:-1] if log.exists() else []
            begun = Counter(int(row.split()[1]) for row in rows)
            alive = [process for process, n in begun.items() if n >= 3 * BLOCK and process not in killed]
            if alive:
                killed.append(alive[0])
                os.kill(alive[0], signal.SIGKILL)
            time.sleep(0.01)

    killer = threading.Thread(target=kill_two)
    killer.start()
    lines: list[str] = []
    answer_shares_on_ray(AnswererSource(tmp_path), None, out, 2, Progress.of(lines.append), k=3)
    killer.join()
    found, said = joined(out, k=3)
    assert found.equals(expected)
    assert said[0].startswith(f"{N_USERS} of {N_USERS} users were answered by an earlier call")
    assert len(killed) == 2
    times = Counter(row.split()[0] for row in log.read_text().splitlines())
    assert set(times) == set(Answerer().dataset.user_ids)
    assert sum(times.values()) <= N_USERS + 2 * BLOCK  # the block that each of them had begun
    assert lines[-1] == "2 workers of Ray died, and others went on behind their parts"
