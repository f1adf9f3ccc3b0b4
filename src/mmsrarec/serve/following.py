"""Hears what other servers of the same database changed, and answers accordingly.

Ten times a second one number is read, without a lock. Where it rose, the changes since are read in the thread of the
database, so that no state of a user is held that is older than a change that was heard. An event, an item or an
erasure that another server acknowledged counts here after `SECONDS`, and the time that loading an item takes.
"""

import asyncio
import logging
import threading

from sqlalchemy import Connection

from mmsrarec.serve.changes import Changes
from mmsrarec.serve.state.change_log import Heard, Watcher, erasures, heard_since, newest_change
from mmsrarec.serve.state.database import is_shared
from mmsrarec.serve.state.item_rows import ItemRow, load_items

SECONDS = 0.1
"""Between two looks at the database."""
SECONDS_AFTER_FAILURE = 2.0

log = logging.getLogger("mmsrarec.serve")


class Follower:
    """Follows the other servers of one database.

    Attributes:
        changes: What changes this server.
        seen: The number of the newest change that was heard.
    """

    def __init__(self, changes: Changes) -> None:
        self.changes, self.service = changes, changes.service
        self.seen = self.service.state.submit(newest_change).result()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Follow in a thread of its own, until `close`. Of a database in memory there is nobody to follow."""
        if not is_shared(self.service.state.engine):
            return
        self._thread = threading.Thread(target=self._run, args=(loop,), name="following", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Hear no more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(30)

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        watcher, failing = Watcher(self.service.state.engine), False
        while not self._stop.wait(SECONDS_AFTER_FAILURE if failing else SECONDS):
            try:
                if watcher.look() > self.seen:
                    self._hear(loop)
                failing = False
            except Exception as error:  # the database is away, or a queue is full: the next look hears of it
                if not failing:
                    log.warning("the changes of other servers are not heard for now: %s", type(error).__name__)
                failing = True
        watcher.close()

    def _hear(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take over what changed since the last time."""
        heard, rows = self.service.state.submit(self._read).result()
        if heard.erased or heard.missed:
            loop.call_soon_threadsafe(self.service.cache.clear)
        if self.service.served is not None:
            if heard.files or heard.missed:
                self.changes.worker.submit(self.changes.reload).result()
            if rows:
                self.changes.worker.submit(lambda: self.changes.take_items(rows)).result()
            self.seen = heard.newest
        elif not rows and not heard.files:  # else they count once the run is loaded
            self.seen = heard.newest

    def _read(self, connection: Connection) -> tuple[Heard, list[ItemRow]]:
        """What is other, in the thread of the database; states of users that are other are dropped at once."""
        heard, users = heard_since(connection, self.seen, self.service.server), self.service.users
        for user in heard.users:
            users.forget(user)
        if heard.erased or heard.missed:
            users.clear()
            self.service.erasures = erasures(connection)
        rows = load_items(connection, None if heard.missed else heard.items) if heard.items or heard.missed else []
        return heard, rows
