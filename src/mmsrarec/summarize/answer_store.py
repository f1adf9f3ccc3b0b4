"""Answers on disk: what was asked is asked once, however often the work is killed and started again.

A row is known by everything that decides its answer, never by the item's id: a changed text is asked about anew, two
items with one text share an answer, and an unchanged catalogue costs nothing.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
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
SUPPORT = """
CREATE TABLE IF NOT EXISTS support (
    model TEXT, prompt TEXT, content TEXT, keyword TEXT, value REAL,
    PRIMARY KEY (model, prompt, content, keyword)
) WITHOUT ROWID
"""
ANSWER_COLUMNS = "modality, model, prompt, decoding, content, answer, created"
SUPPORT_COLUMNS = "model, prompt, content, keyword, value"


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
            self._db.execute(SUPPORT)  # files of earlier versions lack it
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
        with self._keeping("answers"):
            self._db.executemany(
                "INSERT OR REPLACE INTO answers (modality, model, prompt, decoding, content, answer, reason)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(*astuple(job), *row) for row in rows],
            )

    def support(self, model: str, prompt: str) -> dict[tuple[str, str], float]:
        """(content hash, answer up to a keyword) -> log P of the keyword after what stands before it."""
        rows = self._db.execute(
            "SELECT content, keyword, value FROM support WHERE (model, prompt) = (?, ?) AND value IS NOT NULL",
            (model, prompt),  # SQLite keeps no NaN
        )
        return {(content, keyword): value for content, keyword, value in rows}

    def add_support(self, model: str, prompt: str, rows: Iterable[tuple[str, str, float]]) -> None:
        """Keep (content hash, answer up to a keyword, log P) rows, all or none; what is there stays."""
        with self._keeping("support"):
            self._insert_support((model, prompt, *row) for row in rows)

    def adopt(self, other: str | Path) -> dict[str, int]:
        """Copy what another store answered and this one did not, all or none; how many rows of each table came over.

        Raises MmsrarecError where the other file is missing, damaged, none of ours, or being written.
        """
        answers, support = read(other)
        with self._keeping("answers"):
            at_first = self._db.total_changes
            self._db.executemany(
                f"INSERT INTO answers ({ANSWER_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET answer = excluded.answer, reason = NULL, created = excluded.created"
                " WHERE answers.answer IS NULL",
                answers,
            )
            between = self._db.total_changes
            self._insert_support(support)
            return {"answers": between - at_first, "support": self._db.total_changes - between}

    def _insert_support(self, rows: Iterable[tuple]) -> None:
        self._db.executemany(f"INSERT OR IGNORE INTO support ({SUPPORT_COLUMNS}) VALUES (?, ?, ?, ?, ?)", rows)

    @contextmanager
    def _keeping(self, what: str) -> Iterator[None]:
        """A transaction: all of what is written within is kept or, where it fails or is killed, none."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except BaseException as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise MmsrarecError(f"cannot keep {what}: {error}; free some disk and start again") from None
            raise


def read(other: str | Path) -> tuple[list[tuple], list[tuple]]:
    """The answered rows, as ANSWER_COLUMNS, and the support in a store; its file is not written to."""
    try:
        with closing(sqlite3.connect(f"{Path(other).resolve().as_uri()}?mode=ro", uri=True, timeout=1)) as db:
            # the types are asked for, because SQLite lets any file hold anything anywhere
            answers = db.execute(f"SELECT {ANSWER_COLUMNS} FROM answers WHERE typeof(answer) = 'text'").fetchall()
            older = not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'support'").fetchall()
            if older:
                return answers, []
            query = f"SELECT {SUPPORT_COLUMNS} FROM support WHERE typeof(value) = 'real'"
            return answers, db.execute(query).fetchall()
    except sqlite3.Error as error:
        hint = (
            "another process is writing it; wait for it"
            if "locked" in str(error)
            else f"{error}; name the file that summarizing a shard wrote, or summarize that shard again"
        )
        raise MmsrarecError(f"cannot adopt the answers in {other}: {hint}") from None
