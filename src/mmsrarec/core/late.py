"""A value that is costly to make, made once and not before it is first needed."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Late(Generic[Value]):
    """Makes a value when it is first asked for; whoever asks meanwhile waits for the same one.

    A failure is raised to whoever asked, and the next one tries again.
    """

    def __init__(self, make: Callable[[], Value]) -> None:
        """Of what makes it."""
        self._make, self._lock = make, threading.Lock()
        self._made: list[Value] = []

    @property
    def is_made(self) -> bool:
        """Whether the value is there."""
        return bool(self._made)

    def get(self) -> Value:
        """The value."""
        if not self._made:
            with self._lock:
                if not self._made:
                    self._made.append(self._make())
        return self._made[0]
