"""A worker thread with a bounded queue, which takes whatever waits as one batch."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, TypeVar

from mmsrarec.errors import MmsrarecError

Question = TypeVar("Question")
Answer = TypeVar("Answer")
SMOOTHING = 0.2
"""Weight of the newest batch in the mean seconds of a question."""


class BusyError(MmsrarecError):
    """The queue is full.

    Attributes:
        retry_after: Whole seconds after which a place should be free.
    """

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"too many questions are waiting: ask again in {retry_after} s")
        self.retry_after = retry_after


class ClosedError(MmsrarecError):
    """The worker takes no more questions, or died of one."""

    def __init__(self) -> None:
        super().__init__("the server is stopping, or its worker died")


@dataclass(frozen=True, eq=False)
class _Job(Generic[Question, Answer]):
    """A question that waits."""

    question: Question
    future: "Future[Answer]"


class Worker(Generic[Question, Answer]):
    """Answers questions one batch after another, in the order in which they came.

    Attributes:
        limit: Questions that may wait.
        batch: Questions of a batch, at most.
        batches: Batches so far.
        questions: Questions answered so far.
        seconds: Mean seconds of a question.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[Sequence[Question]], Sequence[Answer | Exception]],
        limit: int,
        batch: int,
    ) -> None:
        """Start the thread.

        Args:
            name: Of the thread.
            work: Answers a batch: an answer or an error for each question.
            limit: Questions that may wait.
            batch: Questions of a batch, at most.
        """
        self.limit, self.batch, self._work = limit, batch, work
        self.batches, self.questions, self.seconds = 0, 0, 0.0
        self._waiting: deque[_Job[Question, Answer]] = deque()
        self._condition = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether questions are still answered."""
        return self._thread.is_alive() and not self._closed

    @property
    def waiting(self) -> int:
        """How many questions wait."""
        return len(self._waiting)

    def submit(self, question: Question) -> "Future[Answer]":
        """Hand in a question.

        Raises:
            BusyError: The queue is full.
            ClosedError: The worker was closed, or it died.
        """
        with self._condition:
            if not self.alive:
                raise ClosedError
            if len(self._waiting) >= self.limit:
                raise BusyError(max(1, round(self.limit * self.seconds + 0.5)))
            job: _Job[Question, Answer] = _Job(question, Future())
            self._waiting.append(job)
            self._condition.notify()
        return job.future

    def close(self, timeout: float = 30) -> bool:
        """Answer what waits, take nothing more, and end; whether it ended within some seconds."""
        with self._condition:
            self._closed = True
            self._condition.notify()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        """Answer until the worker is closed; where it dies, nobody is left waiting."""
        jobs: list[_Job[Question, Answer]] = []
        try:
            while jobs := self._next():
                self._answer(jobs)
        finally:
            with self._condition:
                self._closed = True
                left = [*jobs, *self._waiting]
                self._waiting.clear()
            for job in left:
                if not job.future.done():
                    job.future.set_exception(ClosedError())

    def _answer(self, jobs: "Sequence[_Job[Question, Answer]]") -> None:
        started = time.perf_counter()
        try:
            answers = self._work([job.question for job in jobs])
        except Exception as error:
            answers = [error] * len(jobs)
        for job, answer in zip(jobs, answers, strict=True):
            if isinstance(answer, Exception):
                job.future.set_exception(answer)
            else:
                job.future.set_result(answer)
        of_one = (time.perf_counter() - started) / len(jobs)
        self.seconds = of_one if not self.batches else self.seconds + SMOOTHING * (of_one - self.seconds)
        self.batches, self.questions = self.batches + 1, self.questions + len(jobs)

    def _next(self) -> list[_Job[Question, Answer]]:
        """The next batch; questions whose askers went away are left out. Nothing once the worker is closed."""
        with self._condition:
            while True:
                self._condition.wait_for(lambda: self._waiting or self._closed)
                jobs = [self._waiting.popleft() for _ in range(min(self.batch, len(self._waiting)))]
                jobs = [job for job in jobs if job.future.set_running_or_notify_cancel()]
                if jobs or (self._closed and not self._waiting):
                    return jobs
