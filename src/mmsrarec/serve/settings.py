"""How a server is run: where its state lies, and how much it takes on. Nothing of this changes an answer."""

import os
from dataclasses import dataclass
from pathlib import Path

from mmsrarec.errors import MmsrarecError

KEY_VARIABLE = "MMSRAREC_KEY"
"""The environment variable with the key that callers must send."""
KEY_FILE_VARIABLE = f"{KEY_VARIABLE}_FILE"
"""The environment variable that names a file with the key, as secrets of containers come."""
STATE_VARIABLE = "MMSRAREC_STATE"
"""The environment variable with the place of the state, for URLs whose password no list of processes should show."""
MIN_KEY_LENGTH = 16
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class ServeSettings:
    """Of one server.

    Attributes:
        run: The folder of the run that answers first.
        state: A file of SQLite or the URL of a database; beside the run unless given.
        data: Where the run's data folder lies now, if it was moved.
        device: A torch device instead of the recipe's.
        host: The address that is listened on.
        port: The port.
        key: What callers must send; None: nothing, which only the loopback address allows.
        queue: Questions that may wait for the model.
        batch: Questions that the model is asked at once, at most.
        cached_answers: Answers that are kept in memory.
        max_body: Bytes of a body, at most.
        max_item_body: Bytes of the body of an item with a picture, at most.
        drain: Seconds that requests in progress have when the server is stopped.
    """

    run: Path
    state: str | None = None
    data: Path | None = None
    device: str | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    key: str | None = None
    queue: int = 64
    batch: int = 8
    cached_answers: int = 10_000
    max_body: int = 2**20
    max_item_body: int = 28 * 2**20
    drain: int = 30

    def __post_init__(self) -> None:
        """Refuse an open door.

        Raises:
            MmsrarecError: An address beside the loopback is named without a key, or the key is short.
        """
        if self.key is not None and (len(self.key) < MIN_KEY_LENGTH or not self.key.isascii()):
            raise MmsrarecError(f"the key is short or not ASCII: {KEY_VARIABLE} needs {MIN_KEY_LENGTH} characters")
        if self.key is None and not self.is_local:
            raise MmsrarecError(f"--host {self.host} can be reached by others: set a key in {KEY_VARIABLE} first")

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the server."""
        return self.host in LOOPBACK

    @property
    def state_place(self) -> str:
        """Where the state is kept."""
        folder = self.run.expanduser().absolute()
        return self.state or str(folder.parent / f"{folder.name}.state.sqlite")


def key_from_environment() -> str | None:
    """The key, where one is set or a file holds it.

    Raises:
        MmsrarecError: The file cannot be read.
    """
    key, file = os.environ.get(KEY_VARIABLE), os.environ.get(KEY_FILE_VARIABLE)
    if key or not file:
        return key or None
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        raise MmsrarecError(f"no key can be read from {file}, which {KEY_FILE_VARIABLE} names") from None
