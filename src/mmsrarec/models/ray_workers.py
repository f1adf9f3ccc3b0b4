"""Workers of Ray that each hold one large thing, such as a model, and do jobs with it.

The job of a killed worker is done again by another one, and no other job is. Ray is imported only where workers start.
Without `RAY_ADDRESS` in the environment, Ray runs on this machine while they do; with it, they run on the cluster that
it names.
"""

import logging
import os
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from typing import Any, Generic, TypeVar

from mmsrarec.core.terminal import one_line, remark
from mmsrarec.errors import EngineError, MissingDependencyError, MmsrarecError

ADDRESS_VARIABLE = "RAY_ADDRESS"
MOST_DEATHS = 5
"""Workers that may die over one job; then the work ends."""
_MAX_SHOWN = 200
H = TypeVar("H")
J = TypeVar("J")
R = TypeVar("R")


class Holder(Generic[H]):
    """What runs in a worker's process: it makes what it holds for its first job, and keeps it.

    Attributes:
        pid: The number of the process.
    """

    def __init__(self, make: Callable[[], H]):
        """Hold nothing yet.

        Args:
            make: Makes what the worker holds.
        """
        self._make, self._held = make, list[H]()
        self.pid = os.getpid()

    def process(self) -> int:
        """The number of the process, which ends where somebody kills it."""
        return self.pid

    def do(self, work: Callable[[H, J], R], job: J) -> R:
        """Do a job with what is held."""
        if not self._held:
            self._held.append(self._make())
        return work(self._held[0], job)


class RayWorkers(Generic[H]):
    """Workers of Ray; a context manager that starts and stops them, and Ray where it does not run yet.

    Attributes:
        count: How many workers there are.
        deaths: Workers that died since the start.
    """

    def __init__(self, make: Callable[[], H], count: int = 2, gpus: float = 0):
        """Prepare workers; nothing is started yet.

        Args:
            make: Makes what each worker holds, in the worker's process.
            count: How many workers.
            gpus: The GPUs that each worker needs.

        Raises:
            MissingDependencyError: Ray is not installed.
        """
        check_ray()
        import ray

        self._ray: Any = ray
        self._make, self.count, self._gpus = make, count, gpus
        self._workers: list[Any] = []
        self._started_ray = False
        self.deaths = 0

    def __enter__(self) -> "RayWorkers[H]":
        ray = self._ray
        if not ray.is_initialized():
            self._start_ray()
            self._started_ray = True
        try:
            there = ray.cluster_resources()
            for name, needed in (("CPU", self.count), ("GPU", self.count * self._gpus)):
                if there.get(name, 0) < needed:
                    raise EngineError(
                        f"Ray has {there.get(name, 0):g} {name}s for {self.count} workers: ask for fewer workers, or "
                        f"name a larger cluster by {ADDRESS_VARIABLE}"
                    )
            self._workers = [self._new() for _ in range(self.count)]
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            self._ray.kill(worker)
        self._workers = []
        if self._started_ray:
            self._ray.shutdown()
            self._started_ray = False

    def processes(self) -> list[int]:
        """The numbers of the workers' processes, on the machines where they run."""
        return self._ray.get([worker.process.remote() for worker in self._workers])

    def run(self, jobs: Sequence[J], work: Callable[[H, J], R]) -> Iterator[tuple[J, R]]:
        """Do jobs, each once: only a job whose worker died is done again.

        Args:
            jobs: The jobs.
            work: Is given what a worker holds, and a job, in the worker's process.

        Yields:
            Each job and what came of it, as it comes.

        Raises:
            EngineError: Workers die again and again over one job, or a job fails.
            MmsrarecError: A job raised it.
        """
        ray = self._ray
        shared, deaths = ray.put(work), Counter[int]()
        todo, free = deque(range(len(jobs))), list(range(self.count))
        running: dict[Any, tuple[int, int]] = {}
        results: list[tuple[J, R]] = []
        while todo or running:
            while todo and free:
                worker, number = free.pop(), todo.popleft()
                running[self._workers[worker].do.remote(shared, jobs[number])] = (worker, number)
            yield from results  # the workers go on meanwhile
            results = []
            for reference in ray.wait(list(running))[0]:
                worker, number = running.pop(reference)
                free.append(worker)
                try:
                    results.append((jobs[number], ray.get(reference)))
                except (ray.exceptions.RayActorError, ray.exceptions.OutOfMemoryError) as error:
                    deaths[number] += 1
                    self._replace(worker, error, deaths[number])
                    todo.appendleft(number)
                except ray.exceptions.RayTaskError as error:
                    raise _cause(error) from None
        yield from results

    def _new(self) -> Any:
        return self._ray.remote(num_cpus=1, num_gpus=self._gpus, max_restarts=0)(Holder).remote(self._make)

    def _replace(self, worker: int, error: Exception, deaths: int) -> None:
        """Start a worker in the place of a dead one. It may live where only the connection broke: it is ended."""
        if getattr(error, "actor_init_failed", False):
            last_line = str(error).strip().rpartition("\n")[2]
            raise EngineError(
                f"a worker of Ray cannot start: {_short(last_line)}: install the same packages on all machines"
            )
        self.deaths += 1
        self._ray.kill(self._workers[worker])
        self._workers[worker] = self._new()
        if deaths >= MOST_DEATHS:
            raise EngineError(
                f"{deaths} workers of Ray died over the same work ({_short(error)}): what is finished is kept, so "
                "start again with more memory, or with fewer workers"
            )
        remark("a worker of Ray died: its unfinished work goes to another one")

    def _start_ray(self) -> None:
        """Start Ray on this machine, or connect to the cluster that the environment names."""
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray would tell its makers
        own: dict[str, Any] = {"address": "local", "num_cpus": self.count, "include_dashboard": False}
        if os.environ.get(ADDRESS_VARIABLE):
            own = {}
        try:
            self._ray.init(logging_level=logging.ERROR, log_to_driver=False, **own)
        except (ConnectionError, OSError, RuntimeError, ValueError) as error:
            hint = f"look at {ADDRESS_VARIABLE}" if not own else "see that no firewall is between its processes"
            raise EngineError(f"Ray does not start ({_short(error)}): {hint}") from None


def check_ray() -> None:
    """See that Ray is installed, without importing it.

    Raises:
        MissingDependencyError: It is not.
    """
    if find_spec("ray") is None:
        raise MissingDependencyError("workers of Ray need the package ray: pip install 'mmsrarec[ray]'")


def _cause(error: Any) -> MmsrarecError:
    """What a job raised in its worker, in one line."""
    cause = error.cause
    if isinstance(cause, MmsrarecError):
        return type(cause)(*cause.args)
    return EngineError(f"a worker of Ray failed: {type(cause).__name__}: {_short(cause)}")


def _short(error: object) -> str:
    return one_line(error)[:_MAX_SHOWN]
