"""The answers of stage 1 on disk: each question is asked once, even where the work is killed and started again.

The key of a row is everything that decides its answer, never the item's id. So a changed text is asked about anew, two
items with one text share an answer, and an unchanged catalogue costs nothing.
"""

import sqlite3
from collections.abc import Generator, Iterable
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, TypeAlias

from mmsrarec.engines.protocol import Answer, Usage
from mmsrarec.errors import MmsrarecError

ANSWER_TABLE = """
CREATE TABLE IF NOT EXISTS answers (
    modality TEXT, model TEXT, prompt TEXT, decoding TEXT, content TEXT,
    answer TEXT, reason TEXT, created TEXT DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (modality, model, prompt, decoding, content)
) WITHOUT ROWID
"""
SUPPORT_TABLE = """
CREATE TABLE IF NOT EXISTS support (
    model TEXT, prompt TEXT, content TEXT, keyword TEXT, value REAL,
    PRIMARY KEY (model, prompt, content, keyword)
) WITHOUT ROWID
"""
USAGE_TABLE = """
CREATE TABLE IF NOT EXISTS usage (
    modality TEXT, model TEXT, prompt TEXT, decoding TEXT, content TEXT,
    prompt_tokens INTEGER, completion_tokens INTEGER, pictures INTEGER,
    PRIMARY KEY (modality, model, prompt, decoding, content)
) WITHOUT ROWID
"""
"""What an answer cost, where an engine counts it."""
ANSWER_COLUMNS = "modality, model, prompt, decoding, content, answer, created"
USAGE_COLUMNS = "modality, model, prompt, decoding, content, prompt_tokens, completion_tokens, pictures"
SUPPORT_COLUMNS = "model, prompt, content, keyword, value"
AnswerRow: TypeAlias = tuple[str, str, str, str, str, str, str]
"""A row of ANSWER_COLUMNS."""
UsageRow: TypeAlias = tuple[str, str, str, str, str, int, int, int]
"""A row of USAGE_COLUMNS."""
SupportRow: TypeAlias = tuple[str, str, str, str, float]
"""A row of SUPPORT_COLUMNS."""


@dataclass(frozen=True)
class Job:
    """The part of a row's key that many answers share.

    Attributes:
        modality: "text" or "picture".
        model: The model's fingerprint.
        prompt: A hash of the prompt's template.
        decoding: A hash of the settings of decoding.
    """

    modality: str
    model: str
    prompt: str
    decoding: str


class Store:
    """An SQLite file of answers with one writer; a context manager."""

    def __init__(self, path: str | Path):
        """Open or create the file.

        Raises:
            MmsrarecError: If the file cannot be written, is no store, or another process has it open.
        """
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=1, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise MmsrarecError(f"cannot open {path}: {error}") from None
        try:
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")  # held until the file is closed or the process dies
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute(ANSWER_TABLE)
            for table in (SUPPORT_TABLE, USAGE_TABLE):  # files of earlier versions lack them
                self._db.execute(table)
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
        """The answers by content hash. Failed questions are missing here, so they are asked again."""
        rows = self._db.execute(
            "SELECT content, answer FROM answers"
            " WHERE (modality, model, prompt, decoding) = (?, ?, ?, ?) AND answer IS NOT NULL",
            astuple(job),
        )
        return dict(rows)

    def failures(self, job: Job) -> dict[str, str]:
        """The reasons of failed questions by content hash."""
        rows = self._db.execute(
            "SELECT content, reason FROM answers"
            " WHERE (modality, model, prompt, decoding) = (?, ?, ?, ?) AND answer IS NULL",
            astuple(job),
        )
        return dict(rows)

    def add(self, job: Job, answers: Iterable[Answer]) -> None:
        """Write answers, and what they cost, in one transaction.

        Args:
            job: The shared part of their key.
            answers: What became of each question.

        Raises:
            MmsrarecError: If the file cannot be written.
        """
        answers = list(answers)
        with self._transaction("answers"):
            self._db.executemany(
                "INSERT OR REPLACE INTO answers (modality, model, prompt, decoding, content, answer, reason)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(*astuple(job), answer.content, answer.text, answer.reason) for answer in answers],
            )
            self._insert_usage(
                (*astuple(job), answer.content, *astuple(answer.usage)) for answer in answers if answer.usage
            )

    def usage(self, job: Job) -> tuple[int, Usage]:
        """The number of answers whose cost is known, and what they cost together."""
        row = self._db.execute(
            "SELECT count(*), total(prompt_tokens), total(completion_tokens), total(pictures) FROM usage"
            " WHERE (modality, model, prompt, decoding) = (?, ?, ?, ?)",
            astuple(job),
        ).fetchone()
        count, *totals = map(int, row)
        return count, Usage(*totals)

    def support(self, model: str, prompt: str) -> dict[tuple[str, str], float]:
        """Log P of keywords after the keywords before them, by (content hash, answer up to the keyword)."""
        rows = self._db.execute(
            "SELECT content, keyword, value FROM support WHERE (model, prompt) = (?, ?) AND value IS NOT NULL",
            (model, prompt),  # SQLite keeps no NaN
        )
        return {(content, keyword): value for content, keyword, value in rows}

    def add_support(self, model: str, prompt: str, rows: Iterable[tuple[str, str, float]]) -> None:
        """Write rows in one transaction; rows that exist stay as they are.

        Args:
            model: The model's fingerprint.
            prompt: A hash of the prompt's template.
            rows: (content hash, answer up to a keyword, log P of the keyword).

        Raises:
            MmsrarecError: If the file cannot be written.
        """
        with self._transaction("support"):
            self._insert_support((model, prompt, *row) for row in rows)

    def adopt(self, other: str | Path) -> dict[str, int]:
        """Copy the answers that another store has and this one lacks, in one transaction.

        Returns:
            The number of copied rows of each table.

        Raises:
            MmsrarecError: If the other file is missing, damaged, no store, or being written.
        """
        answers, support, usage = read(other)
        with self._transaction("answers"):
            n_before = self._db.total_changes
            self._db.executemany(
                f"INSERT INTO answers ({ANSWER_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET answer = excluded.answer, reason = NULL, created = excluded.created"
                " WHERE answers.answer IS NULL",
                answers,
            )
            n_with_answers = self._db.total_changes
            self._insert_support(support)
            n_with_support = self._db.total_changes
            self._insert_usage(usage)
            return {"answers": n_with_answers - n_before, "support": n_with_support - n_with_answers}

    def _insert_support(self, rows: Iterable[SupportRow]) -> None:
        """Write rows that do not exist yet."""
        self._db.executemany(f"INSERT OR IGNORE INTO support ({SUPPORT_COLUMNS}) VALUES (?, ?, ?, ?, ?)", rows)

    def _insert_usage(self, rows: Iterable[UsageRow | tuple[Any, ...]]) -> None:
        """Write what answers cost; an answer that is asked for again costs what it costs last."""
        self._db.executemany(f"INSERT OR REPLACE INTO usage ({USAGE_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)

    @contextmanager
    def _transaction(self, what: str) -> Generator[None]:
        """A transaction: all writes in it are kept or, where it fails or is killed, none."""
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


def read(other: str | Path) -> tuple[list[AnswerRow], list[SupportRow], list[UsageRow]]:
    """Read the answers, the support and the costs in a store, without writing to its file.

    Raises:
        MmsrarecError: If the file is missing, damaged, no store, or being written.
    """
    try:
        with closing(sqlite3.connect(f"{Path(other).resolve().as_uri()}?mode=ro", uri=True, timeout=1)) as db:
            # the types are part of the query, because any column of an SQLite file may hold any type
            answers: list[AnswerRow] = db.execute(
                f"SELECT {ANSWER_COLUMNS} FROM answers WHERE typeof(answer) = 'text'"
            ).fetchall()
            tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
            support: list[SupportRow] = []
            usage: list[UsageRow] = []
            if "support" in tables:  # files of earlier versions lack it
                query = f"SELECT {SUPPORT_COLUMNS} FROM support WHERE typeof(value) = 'real'"
                support = db.execute(query).fetchall()
            if "usage" in tables:
                counts = ("prompt_tokens", "completion_tokens", "pictures")
                typed = " AND ".join(f"typeof({name}) = 'integer'" for name in counts)
                usage = db.execute(f"SELECT {USAGE_COLUMNS} FROM usage WHERE {typed}").fetchall()
            return answers, support, usage
    except sqlite3.Error as error:
        hint = (
            "another process is writing it; wait for it"
            if "locked" in str(error)
            else f"{error}; name the file that summarizing a shard wrote, or summarize that shard again"
        )
        raise MmsrarecError(f"cannot adopt the answers in {other}: {hint}") from None
