"""Requests that threads answer side by side."""

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from mmsrarec.engines.protocol import Answer, Request
from mmsrarec.errors import MmsrarecError


class ParallelRequests:
    """Requests that threads answer side by side: one thread at first, all of them once the caller widens.

    The threads are daemons, so a stopped program ends at once and does not wait for answers under way.
    """

    def __init__(self, requests: Sequence[Request], answer: Callable[[Request], Answer], workers: int):
        """Prepare; nothing is answered before the block begins.

        Args:
            requests: The requests.
            answer: Answers one of them; what it raises is an outcome. A MmsrarecError ends the work.
            workers: Threads, at most.
        """
        self._todo: queue.SimpleQueue[Request] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[str, Answer | Exception]] = queue.SimpleQueue()
        self._ended = threading.Event()
        self._answer, self._left, self._workers = answer, len(requests), workers
        self._threads = self._begun = 0
        self._count, self._lock = len(requests), threading.Lock()
        for request in requests:
            self._todo.put(request)

    def __enter__(self) -> "ParallelRequests":
        self._start(1)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()

    def widen(self) -> None:
        """Answer with all threads from now on."""
        self._start(min(self._workers, self._left))

    def outcomes(self) -> Iterator[list[tuple[str, Answer | Exception]]]:
        """What became of each request, as it comes; what comes at once stands together."""
        while self._left:
            outcomes = [self._done.get()]
            while not self._done.empty():
                outcomes.append(self._done.get())
            self._left -= len(outcomes)
            yield outcomes

    def last_outcomes(self, seconds: float) -> list[tuple[str, Answer | Exception]]:
        """Begin no further request, and wait so long for those under way: their answers are paid for."""
        with self._lock:
            self._ended.set()
            n_under_way = self._begun - (self._count - self._left)
        outcomes: list[tuple[str, Answer | Exception]] = []
        deadline = time.monotonic() + seconds
        while len(outcomes) < n_under_way and (wait := deadline - time.monotonic()) > 0:
            with suppress(queue.Empty):
                outcomes.append(self._done.get(timeout=wait))
        self._left -= len(outcomes)
        return outcomes

    def _start(self, threads: int) -> None:
        for _ in range(self._threads, threads):
            threading.Thread(target=self._work, daemon=True).start()
        self._threads = max(self._threads, threads)

    def _work(self) -> None:
        while True:
            with self._lock:
                if self._ended.is_set() or self._todo.empty():
                    return
                request = self._todo.get_nowait()
                self._begun += 1
            try:
                self._done.put((request.content, self._answer(request)))
            except Exception as error:  # it is raised where the answers are awaited
                if isinstance(error, MmsrarecError):  # no other request has a chance
                    self._ended.set()
                self._done.put((request.content, error))
