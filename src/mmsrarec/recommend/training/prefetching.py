"""Makes the next values while the last one is used."""

import queue
import threading
from collections.abc import Generator, Iterable
from typing import TypeVar

T = TypeVar("T")

DEPTH = 4
"""Values that are made ahead, at most."""


def ahead(values: Iterable[T], depth: int = DEPTH) -> Generator[T]:
    """Make values in a thread of their own, ahead of who reads them.

    Args:
        values: Makes the values. An error that it raises is raised where its value is read.
        depth: Values that are made ahead, at most.

    Yields:
        The values in their order.
    """
    buffer: queue.Queue[tuple[bool, T | BaseException | None]] = queue.Queue(depth)
    stopped = threading.Event()

    def put(is_value: bool, value: T | BaseException | None) -> None:
        while not stopped.is_set():
            try:
                return buffer.put((is_value, value), timeout=0.1)
            except queue.Full:
                continue

    def make() -> None:
        try:
            for value in values:
                put(True, value)
                if stopped.is_set():
                    return
            put(False, None)
        except BaseException as error:  # raised again by the reader
            put(False, error)

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    try:
        while True:
            is_value, value = buffer.get()
            if is_value:
                yield value  # pyright: ignore[reportReturnType]
            elif isinstance(value, BaseException):
                raise value
            else:
                return
    finally:
        stopped.set()
        thread.join()
