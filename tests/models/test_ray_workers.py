"""Workers of Ray do each job once, whoever kills them; faults are one line."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from mmsrarec.errors import DataError, EngineError, MissingDependencyError
from mmsrarec.models.ray_workers import MOST_DEATHS, RayWorkers, check_ray

JOBS = list(range(12))


def make() -> int:
    return 100


@pytest.fixture(scope="module")
def workers() -> Iterator[RayWorkers[int]]:
    cloudpickle = pytest.importorskip("ray.cloudpickle", reason="needs the extra ray")
    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the workers cannot import a test
    with RayWorkers(make, 2) as started:
        yield started


def test_without_ray_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmsrarec.models.ray_workers.find_spec", lambda name: None)
    for start in (check_ray, lambda: RayWorkers(make)):
        with pytest.raises(MissingDependencyError, match=r"need the package ray: pip install 'mmsrarec\[ray\]'"):
            start()


def test_ray_is_imported_only_where_workers_start() -> None:
    code = "import sys, mmsrarec.engines.engine_choice, mmsrarec.models.ray_workers; sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.slow
def test_each_job_is_done_once_by_several_processes(workers: RayWorkers[int]) -> None:
    done = dict(workers.run(JOBS, lambda held, job: (held + job, os.getpid(), os.environ.get("OMP_NUM_THREADS"))))
    assert {job: number for job, (number, _, _) in done.items()} == {job: 100 + job for job in JOBS}
    processes = {pid for _, pid, _ in done.values()}
    assert processes <= set(workers.processes())
    assert os.getpid() not in processes
    assert list(workers.run([], lambda held, job: held)) == []


def at_work(started: Path, done: Collection[int], killed: Collection[int], seconds: float = 60) -> int:
    """The process that began a job last which is not done; waits for one."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        rows = [line.split() for line in started.read_text().splitlines()] if started.exists() else []
        running = [int(process) for job, process in rows if int(job) not in done and int(process) not in killed]
        if running:
            return running[-1]
        time.sleep(0.01)
    raise AssertionError("no job began")


@pytest.mark.slow
def test_the_job_of_a_killed_worker_is_done_again_and_no_other(
    workers: RayWorkers[int], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    started = tmp_path / "started"

    def work(held: int, job: int) -> int:
        with started.open("a") as file:
            file.write(f"{job} {os.getpid()}\n")
        time.sleep(0.2)
        return held + job

    done: dict[int, int] = {}
    killed: list[int] = []
    for job, number in workers.run(JOBS, work):
        assert job not in done
        done[job] = number
        if len(done) in (2, 5):
            killed.append(at_work(started, done, killed))
            os.kill(killed[-1], signal.SIGKILL)
    assert done == {job: 100 + job for job in JOBS}
    jobs = [int(line.split()[0]) for line in started.read_text().splitlines()]
    assert len(jobs) <= len(JOBS) + 2
    assert len(killed) == workers.deaths == 2
    assert "its unfinished work goes to another one" in caplog.text


@pytest.mark.slow
def test_what_a_job_raises_is_one_line(workers: RayWorkers[int]) -> None:
    def wrong_data(held: int, job: int) -> int:
        raise DataError("the file is damaged: make it again")

    def breaks(held: int, job: int) -> int:
        raise ZeroDivisionError("a\nb" * 200)

    with pytest.raises(DataError, match=r"^the file is damaged: make it again$"):
        list(workers.run(JOBS, wrong_data))
    with pytest.raises(EngineError, match="a worker of Ray failed: ZeroDivisionError: a b") as error:
        list(workers.run(JOBS, breaks))
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_a_job_that_kills_its_workers_ends_the_work(workers: RayWorkers[int]) -> None:
    def kills(held: int, job: int) -> int:
        os.kill(os.getpid(), signal.SIGKILL)
        return job

    with pytest.raises(EngineError, match=f"{MOST_DEATHS} workers of Ray died over the same work") as error:
        list(workers.run([1], kills))
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_more_workers_than_processors_are_refused(workers: RayWorkers[int]) -> None:
    with pytest.raises(EngineError, match="Ray has 2 CPUs for 3 workers: ask for fewer"), RayWorkers(make, 3):
        pass
    assert len(workers.processes()) == 2  # what runs goes on


class Unreadable:
    """What no process but this one can make sense of."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return __import__, ("no_such_module",)


@pytest.mark.slow
def test_a_worker_that_cannot_start_is_one_line(workers: RayWorkers[int], monkeypatch: pytest.MonkeyPatch) -> None:
    def kills(held: int, job: int) -> int:
        os.kill(os.getpid(), signal.SIGKILL)
        return job

    monkeypatch.setattr(workers, "_make", Unreadable())
    with pytest.raises(EngineError, match=r"a worker of Ray cannot start: .*no_such_module") as error:
        list(workers.run([1, 2], kills))
    assert "\n" not in str(error.value)
