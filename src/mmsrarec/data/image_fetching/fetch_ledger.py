"""Remembers which pictures were fetched and which failed, so that a stopped fetch goes on where it was.

The ledger and the files lie beside the data folder, in `.DATA.fetched`. An import that replaces the data folder leaves
them, and the next fetch finds them again. A file is written whole before the ledger names it.
"""

import hashlib
import os
import sqlite3
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from mmsrarec.errors import DataError, MmsrarecError

TABLE = """
CREATE TABLE IF NOT EXISTS pictures (
    address TEXT PRIMARY KEY, file TEXT, size INTEGER, reason TEXT, attempts INTEGER,
    recorded TEXT DEFAULT CURRENT_TIMESTAMP
) WITHOUT ROWID
"""
LEDGER, FILES = "ledger.sqlite", "files"


@dataclass(frozen=True)
class FailedPicture:
    """An address whose picture did not come.

    Attributes:
        address: The address.
        reason: Why.
        attempts: How often it was asked.
    """

    address: str
    reason: str
    attempts: int


def store_beside(folder: Path) -> Path:
    """The folder in which what was fetched for a data folder is kept."""
    folder = Path(os.path.realpath(folder))
    return folder.with_name(f".{folder.name}.fetched")


class FetchLedger:
    """A folder of fetched pictures and an SQLite file that names them, with one writer; a context manager.

    Attributes:
        files: The folder of the pictures.
    """

    def __init__(self, store: Path):
        """Open or create the ledger.

        Raises:
            MmsrarecError: It cannot be written, is broken, or another process fetches into it.
        """
        self.files = store / FILES
        try:
            self.files.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(store / LEDGER, timeout=1, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise MmsrarecError(f"cannot write {store}: {error}") from None
        try:
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")  # held until the file is closed or the process dies
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute(TABLE)
        except sqlite3.Error as error:
            self._db.close()
            locked = "locked" in str(error)
            hint = "another process fetches into it: wait for it" if locked else f"{error}; move it away"
            raise MmsrarecError(f"cannot use {store / LEDGER}: {hint}") from None

    def __enter__(self) -> "FetchLedger":
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def fetched(self, addresses: Iterable[str]) -> dict[str, str]:
        """Address -> file, for those that were fetched and whose file is there in full size."""
        rows = self._db.execute("SELECT address, file, size FROM pictures WHERE file IS NOT NULL").fetchall()
        known = {address: (file, size) for address, file, size in rows}
        return {
            address: known[address][0]
            for address in addresses
            if address in known and self._size(known[address][0]) == known[address][1]
        }

    def failures(self, addresses: Collection[str]) -> list[FailedPicture]:
        """Those of the addresses that failed, in alphabetical order."""
        wanted = set(addresses)
        rows = self._db.execute("SELECT address, reason, attempts FROM pictures WHERE file IS NULL ORDER BY address")
        return [FailedPicture(*row) for row in rows if row[0] in wanted]

    def keep(self, data: bytes, ending: str) -> str:
        """Write a picture under the hash of its content.

        Args:
            data: The picture.
            ending: Of its name.

        Returns:
            The name of its file, below `files`.

        Raises:
            DataError: It cannot be written.
        """
        digest = hashlib.sha256(data).hexdigest()
        name = f"{digest[:2]}/{digest}.{ending}"
        path = self.files / name
        try:
            if self._size(name) != len(data):
                path.parent.mkdir(exist_ok=True)
                draft = path.with_suffix(".tmp")
                draft.write_bytes(data)
                draft.replace(path)
        except OSError as error:
            raise DataError(f"cannot write {path.parent}: {error.strerror}; the same command goes on") from error
        return name

    def record(self, address: str, file: str, size: int, attempts: int) -> None:
        """Note a picture whose file is written."""
        self._write(address, file, size, None, attempts)

    def record_failure(self, failed: FailedPicture) -> None:
        """Note a picture that did not come."""
        self._write(failed.address, None, None, failed.reason, failed.attempts)

    def _write(self, *row: str | int | None) -> None:
        """Write a row, in its own transaction. Raises DataError."""
        try:
            self._db.execute(
                "INSERT OR REPLACE INTO pictures (address, file, size, reason, attempts) VALUES (?, ?, ?, ?, ?)", row
            )
        except sqlite3.Error as error:
            raise DataError(f"cannot write the ledger of fetched pictures: {error}; the same command goes on") from None

    def _size(self, name: str) -> int | None:
        """The size of a file in bytes; None where it is not there."""
        try:
            return (self.files / name).stat().st_size
        except OSError:
            return None
