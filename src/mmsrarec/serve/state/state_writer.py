"""One thread that reads and writes the database: what waits together is one transaction, with one wait for the disk."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import Connection, Engine

from mmsrarec.serve.worker import Worker

Result = TypeVar("Result")
Step: TypeAlias = Callable[[Connection], Any]
BATCH = 128


class StateWriter:
    """Runs steps against the database in the order in which they come.

    A step is acknowledged once its transaction is on the disk. A step that fails leaves the others of its transaction
    alone.

    Attributes:
        engine: The database.
        worker: The thread.
    """

    def __init__(self, engine: Engine, limit: int, on_failure: Callable[[], None] = lambda: None) -> None:
        """Start the thread.

        Args:
            engine: The database.
            limit: Steps that may wait.
            on_failure: Called where a transaction failed as a whole.
        """
        self.engine, self._on_failure = engine, on_failure
        self.worker: Worker[Step, Any] = Worker("state", self._write, limit, BATCH)

    def submit(self, step: Callable[[Connection], Result]) -> "Future[Result]":
        """Hand in a step. Raises BusyError or ClosedError as `Worker.submit` does."""
        return self.worker.submit(step)

    def close(self) -> None:
        """Do what waits, and close the database."""
        self.worker.close()
        self.engine.dispose()

    def _write(self, steps: Sequence[Step]) -> list[Any]:
        try:
            with self.engine.begin() as connection:
                if len(steps) == 1:  # no need to part it from others
                    return [steps[0](connection)]
                return [_apart(connection, step) for step in steps]
        except Exception:
            self._on_failure()
            raise


def _apart(connection: Connection, step: Step) -> Any:
    """What a step returns, or the error by which it failed and left the others alone."""
    try:
        with connection.begin_nested():
            return step(connection)
    except Exception as error:
        return error
