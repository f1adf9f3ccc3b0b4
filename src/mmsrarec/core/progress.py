"""Progress on standard error: a live bar on a terminal, a plain line every ten seconds elsewhere."""

import io
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sized
from contextlib import ExitStack, contextmanager
from typing import TextIO, TypeAlias, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from mmsrarec.core.terminal import fitting, printable, to_nowhere
from mmsrarec.errors import MmsrarecError

T = TypeVar("T")
Reported: TypeAlias = "bool | Callable[[str], None] | Progress"
"""What a Python caller may give as `progress`: True shows it on standard error, False is silent, a function is given
each line, and a `Progress` is used as it is."""
Count = Callable[[int, int, str], None]
"""Is told (done, total, label) as the parts of a piece of work get done."""


class Task:
    """One piece of work: `advance` it as parts get done; `text` says where it stands.

    Attributes:
        label: Names the work on the screen.
        total: How many parts it has; None if nobody knows.
        done: How many parts are done.
        note: The latest note.
    """

    def __init__(self, label: str, total: int | None, changed: Callable[["Task"], None], clock: Callable[[], float]):
        self.label, self.total, self.done, self.note = label, total, 0, ""
        self._changed, self._clock, self._start = changed, clock, clock()

    def advance(self, n: int = 1, note: str = "") -> None:
        """Count parts that are done.

        Args:
            n: How many more are done.
            note: Shown beside the count, such as the loss.
        """
        self.done += n
        self.note = note or self.note
        self._changed(self)

    @property
    def rate(self) -> float:
        """Done per second, over all the time so far."""
        return self.done / max(self._clock() - self._start, 1e-9)

    @property
    def text(self) -> str:
        """The line that is shown: label, count, rate, time left, note."""
        count = f"{self.done}" if self.total is None else f"{self.done}/{self.total}"
        parts = [f"{self.label}: {count}", f"{self.rate:.3g}/s"]
        if self.total is not None and 0 < self.done < self.total:
            parts.append(f"{_clock_text((self.total - self.done) / self.rate)} left")
        return ", ".join(parts + [self.note] * bool(self.note))


class Progress:
    """Where stages tell how far they are. Calling it says one line; `task` and `track` count."""

    def __init__(self, stream: TextIO | None = None, every: float = 10.0, clock: Callable[[], float] = time.monotonic):
        """A progress display.

        Args:
            stream: Where lines go; standard error unless given.
            every: Seconds between plain lines.
            clock: Seconds that only grow.
        """
        self._stream = stream or sys.stderr or io.StringIO()  # a process may have been started without any
        self._every, self._clock = every, clock
        self._console = _Console(file=self._stream, highlight=False, soft_wrap=True, emoji=False)
        self._heard, self._latest, self._bars = clock(), "", 0
        self._task: Task | None = None  # the innermost one that is shown by lines

    @classmethod
    def of(cls, progress: Reported) -> "Progress":
        """The `Progress` that a caller's argument means.

        Raises:
            MmsrarecError: The argument is none of the kinds that `Reported` names.
        """
        if isinstance(progress, Progress):
            return progress
        if isinstance(progress, bool):
            return cls() if progress else _Lines(lambda line: None)
        if callable(progress):
            return _Lines(progress)
        raise MmsrarecError("progress: give True, False, or a function that takes one line of text")

    def __call__(self, text: str) -> None:
        """Show one line."""
        self._heard, self._latest = self._clock(), text
        self._show(text)

    def _show(self, text: str) -> None:
        self._console.print(self._shown(text), markup=False)

    @contextmanager
    def heartbeat(self, seconds: float = 4.0) -> Generator[None]:
        """Show a line whenever nothing was shown for so long while the block runs; a live bar counts as shown.

        The line says where the present task stands, or what was shown last.

        Args:
            seconds: At most so long is nothing shown, about.
        """
        stop, began = threading.Event(), self._clock()

        def beat() -> None:
            while not stop.wait(min(seconds / 8, 0.25)):
                if not self._bars and self._clock() - self._heard >= seconds:
                    latest, so_far = self._latest, f"{_clock_text(self._clock() - began)} so far"
                    if self._task:
                        self(f"{self._task.text}; {so_far}")
                    else:
                        self(f"still at work, {so_far}" + f"; before: {latest}" * bool(latest))
                    self._latest = latest

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _shown(self, text: str) -> str:
        """What the stream can encode and no terminal obeys."""
        return fitting(printable(text), self._stream)

    @contextmanager
    def task(self, label: str, total: int | None = None) -> Generator[Task]:
        """Show a piece of work while the block runs.

        Args:
            label: Names the work on the screen.
            total: How many parts it has; None if nobody knows.
        """
        with self._bar(label, total) if self._console.is_terminal else self._lines(label, total) as task:
            yield task

    def track(self, things: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
        """Pass the things on, counting each as done when the next is asked for."""
        if total is None and isinstance(things, Sized):
            total = len(things)
        with self.task(label, total) as task:
            for thing in things:
                yield thing
                task.advance()

    @contextmanager
    def counting(self, title: str | None = None) -> Generator[Count]:
        """Show what is counted while the block runs; a new label starts a new task.

        Args:
            title: Shown in place of all labels.
        """
        display, task = ExitStack(), None

        def count(done: int, total: int, label: str) -> None:
            nonlocal task
            label = title or label
            if task is None or (label, total) != (task.label, task.total) or done < task.done:
                display.close()
                task = display.enter_context(self.task(label, total))
            task.advance(done - task.done)

        try:
            yield count
        finally:
            display.close()

    @contextmanager
    def _lines(self, label: str, total: int | None) -> Generator[Task]:
        started, outer = self._clock(), self._task

        def changed(task: Task) -> None:
            if self._clock() - max(started, self._heard) >= self._every:
                self(task.text)

        self._task = task = Task(label, total, changed, self._clock)
        try:
            yield task
        finally:
            self._task = outer
        self(task.text)

    @contextmanager
    def _bar(self, label: str, total: int | None) -> Generator[Task]:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with Bars(*columns, TextColumn("{task.fields[note]}", markup=False), console=self._console) as bars:
            row = bars.add_task(self._shown(label), total=total, note="")
            self._bars += 1

            def changed(task: Task) -> None:
                bars.update(row, completed=task.done, note=self._shown(f"{task.rate:.3g}/s {task.note}"))

            try:
                yield Task(label, total, changed, self._clock)
            finally:
                self._bars -= 1
                self._heard, self._latest = self._clock(), label


class _Lines(Progress):
    """Progress that is given to a function line by line, and shown nowhere."""

    def __init__(self, tell: Callable[[str], None]):
        super().__init__(io.StringIO())
        self._tell = tell

    def _show(self, text: str) -> None:
        self._tell(printable(text))


class _Console(Console):
    """A console whose reader may go away: the work goes on without a word."""

    def on_broken_pipe(self) -> None:
        """Write nothing more, instead of ending the process."""
        self.quiet = True
        to_nowhere(self.file)


def _clock_text(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
