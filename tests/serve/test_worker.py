"""A worker answers in order and in batches, refuses what is too much, and survives questions that fail."""

import threading
from collections.abc import Sequence
from concurrent.futures import CancelledError

import pytest

from mmsrarec.serve.worker import BusyError, ClosedError, Worker


class Gated:
    """Work that waits until it is let go, and notes its batches."""

    def __init__(self, limit: int = 3, batch: int = 2):
        self.gate, self.started, self.batches = threading.Event(), threading.Event(), list[list[int]]()
        self.worker: Worker[int, int] = Worker("gated", self.work, limit, batch)

    def work(self, questions: Sequence[int]) -> list[int | Exception]:
        self.started.set()
        assert self.gate.wait(10)
        self.batches.append(list(questions))
        return [ValueError(question) if question < 0 else question * 2 for question in questions]

    def busy(self) -> "Gated":
        """With one question at work."""
        self.first = self.worker.submit(1)
        assert self.started.wait(10)
        return self


def test_what_waits_is_one_batch() -> None:
    gated = Gated().busy()
    futures = [gated.worker.submit(number) for number in (2, 3, 4)]
    assert gated.worker.waiting == 3
    gated.gate.set()
    assert [future.result(10) for future in (gated.first, *futures)] == [2, 4, 6, 8]
    assert gated.batches == [[1], [2, 3], [4]]
    assert (gated.worker.batches, gated.worker.questions) == (3, 4)


def test_a_full_queue_says_when_to_come_back() -> None:
    gated = Gated(limit=2).busy()
    for number in (2, 3):
        gated.worker.submit(number)
    with pytest.raises(BusyError) as refused:
        gated.worker.submit(4)
    assert refused.value.retry_after >= 1
    gated.gate.set()
    assert gated.worker.close(10)


def test_one_that_fails_leaves_the_others_alone() -> None:
    gated = Gated().busy()
    failing, good = gated.worker.submit(-1), gated.worker.submit(5)
    gated.gate.set()
    assert good.result(10) == 10
    with pytest.raises(ValueError, match="-1"):
        failing.result(10)


def test_work_that_fails_as_a_whole_is_the_error_of_each() -> None:
    def work(questions: Sequence[int]) -> list[int | Exception]:
        raise OSError("no disk")

    worker: Worker[int, int] = Worker("failing", work, 4, 4)
    with pytest.raises(OSError, match="no disk"):
        worker.submit(1).result(10)
    assert worker.alive
    with pytest.raises(OSError, match="no disk"):
        worker.submit(2).result(10)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("dies", ["of an error that ends threads", "of too few answers"])
def test_one_that_dies_leaves_nobody_waiting(dies: str) -> None:
    gate, started = threading.Event(), threading.Event()

    def work(questions: Sequence[int]) -> list[int | Exception]:
        started.set()
        assert gate.wait(10)
        if dies == "of too few answers":
            return []
        raise SystemExit

    worker: Worker[int, int] = Worker("dying", work, 4, 1)
    asked = worker.submit(1)
    assert started.wait(10)
    waiting, gone = worker.submit(2), worker.submit(3)
    assert gone.cancel()
    gate.set()
    for future in (asked, waiting):
        with pytest.raises(ClosedError, match="died"):
            future.result(10)
    assert not worker.alive
    with pytest.raises(ClosedError):
        worker.submit(4)


def test_whoever_went_away_is_not_answered() -> None:
    gated = Gated().busy()
    gone, here = gated.worker.submit(2), gated.worker.submit(3)
    assert gone.cancel()
    gated.gate.set()
    assert here.result(10) == 6
    assert gated.batches == [[1], [3]]
    with pytest.raises(CancelledError):
        gone.result(10)


def test_a_closed_worker_answers_what_waits_and_takes_nothing() -> None:
    gated = Gated().busy()
    waiting = gated.worker.submit(2)
    closing = threading.Thread(target=gated.worker.close)
    closing.start()
    gated.gate.set()
    closing.join(10)
    assert waiting.result(10) == 4
    assert not gated.worker.alive
    with pytest.raises(ClosedError):
        gated.worker.submit(3)
