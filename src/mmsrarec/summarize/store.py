"""Answers on disk: what was asked is asked once, however often the work is killed and started again.

A row is known by everything that decides its answer, never by the item's id: a changed text is asked about anew, two
items with one text share an answer, and an unchanged catalogue costs nothing.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path

from mmsrarec.errors import MmsrarecError

TABLE = """
CREATE TABLE IF NOT EXISTS answers (
    modality TEXT, model TEXT, prompt TEXT, decoding TEXT, content TEXT,
    answer TEXT, reason TEXT, created TEXT DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (modality, model, prompt, decoding, content)
) WITHOUT ROWID
"""


@dataclass(frozen=True)
class Job:
    """What answers have in common. model: its fingerprint; prompt, decoding: hashes of template and settings."""

    modality: str
    model: str
    prompt: str
    decoding: str


class Store:
    """An SQLite file of answers with one writer. Use as a context manager.

    Raises MmsrarecError where the file cannot be written, is none of ours, or another process has it open.
    """

    def __init__(self, path: str | Path):
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=1, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise MmsrarecError(f"cannot open {path}: {error}") from None
        try:
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")  # held until the file is closed or the process dies
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute(TABLE)
        except sqlite3.Error as error:
            self._db.close()
            hint = (
                "another process is writing it"
                if "locked" in str(error)
                else f"{error}; name another place, or move it away"
            )
            raise MmsrarecError(f"cannot use the answers in {path}: {hint}") from None

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def answers(self, job: Job) -> dict[str, str]:
        """Content hash -> answer, for all that was answered. What failed is missing here, so it is asked again."""
        rows = self._db.execute(
            "SELECT content, answer FROM answers"
            " WHERE (modality, model, prompt, decoding) = (?, ?, ?, ?) AND answer IS NOT NULL",
            astuple(job),
        )
        return dict(rows)

    def failures(self, job: Job) -> dict[str, str]:
        """Content hash -> why there is no answer."""
        rows = self._db.execute(
            "SELECT content, reason FROM answers"
            " WHERE (modality, model, prompt, decoding) = (?, ?, ?, ?) AND answer IS NULL",
            astuple(job),
        )
        return dict(rows)

    def add(self, job: Job, rows: Iterable[tuple[str, str | None, str | None]]) -> None:
        """Keep (content hash, answer, reason of failure) rows: all of them or, where it is killed, none."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(
                "INSERT OR REPLACE INTO answers (modality, model, prompt, decoding, content, answer, reason)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(*astuple(job), *row) for row in rows],
            )
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise MmsrarecError(f"cannot keep answers: {error}; free some disk and start again") from None
