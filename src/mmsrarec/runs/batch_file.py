"""A file of answers to many users: parts are kept beside it as they are finished, and joined in the end.

A call that was stopped goes on from the parts that are there. Parts are of one question: the run, the users and the
options are hashed, and parts of another question are thrown away.
"""

import json
import shutil
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

import mmsrarec
from mmsrarec.core.artefacts import atomic_write, finished_under, key, read_manifest
from mmsrarec.core.files import sync, write_parquet
from mmsrarec.core.locks import holding
from mmsrarec.core.progress import Progress
from mmsrarec.data.identity import log_digest, text_digest
from mmsrarec.errors import MmsrarecError
from mmsrarec.runs.answers.batch import Asks, block_table, read_questions
from mmsrarec.runs.answers.questions import Who
from mmsrarec.runs.answers.recommendations import TABLE

if TYPE_CHECKING:  # brings torch along
    from mmsrarec.runs.recommender import Recommender

QUESTION = "question.json"
PART_SECONDS = 2.0
"""Blocks that take less are kept together in one part."""


@dataclass(frozen=True)
class Parts:
    """The parts of a file of answers, in a hidden folder beside it: FIRST-END.parquet, by places in the question.

    Attributes:
        folder: Where they lie.
    """

    folder: Path

    @classmethod
    def of(cls, out: Path) -> "Parts":
        """The parts of a file."""
        return cls(out.with_name(f".{out.name}.parts"))

    def open(self, question: str, say: Progress) -> None:
        """Make the folder ready for a question; parts of another one are removed, which is said.

        Args:
            question: What is asked, as a hash.
            say: Is told each line.
        """
        file, there = self.folder / QUESTION, any(self.folder.glob("*.parquet"))
        if (earlier := _read(file)) != question and (earlier is not None or there):
            if there:
                say("an earlier call asked something else, or the run has changed since: its parts are thrown away")
            shutil.rmtree(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)  # several shards may do so at once
        if _read(file) != question:
            atomic_write(file, json.dumps(question).encode())

    def ranges(self) -> dict[range, Path]:
        """The places in the question that are answered, in order, and the file of each range."""
        ranges: dict[range, Path] = {}
        for path in sorted(self.folder.glob("*.parquet")):
            first, _, end = path.stem.partition("-")
            with suppress(OSError, ValueError, pl.exceptions.PolarsError):  # a draft, or damaged: made again
                if _scanned(path).collect_schema() == TABLE:
                    ranges[range(int(first), int(end))] = path
        return ranges

    def keep(self, first: int, end: int, answers: pl.DataFrame) -> None:
        """Write the answers to the places from `first` up to `end`, whole or not at all."""
        path = self.folder / f"{first:09}-{end:09}.parquet"
        draft = path.with_suffix(".tmp")
        write_parquet(answers, draft)
        sync(draft)
        draft.replace(path)
        sync(self.folder)


def recommend_file(
    recommender: "Recommender",
    users: Sequence[str] | None,
    out: Path,
    write: Callable[[pl.LazyFrame, Path], None],
    say: Progress,
    shard: tuple[int, int] | None = None,
    **how: Any,
) -> dict[str, Any]:
    """Recommend to many users into a file. A call that was stopped goes on where it was.

    Args:
        recommender: Answers.
        users: User ids, in the order of the file; None: everybody in the run's data.
        out: The file.
        write: Writes the whole table.
        say: Is told how far it is.
        shard: (i, n): answer the i-th of n equal shares of the users only, into parts; a call without joins them.
        **how: As the arguments of `Recommender.answer_function`.

    Returns:
        The file, and how many users and rows it has; of a shard, how many of its users are answered.

    Raises:
        MmsrarecError: A user is not there, the place cannot be written, or another process is writing it.
    """
    ids = list(recommender.dataset.user_ids if users is None else users)
    ask, block = recommender.answer_function(**how), recommender.block_size
    question_list = read_questions(recommender.questions, ids, None, False)
    parts = Parts.of(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with _alone(out, shard):
            parts.open(question_key(recommender, ids, block, how), say)
            n_blocks = -(-len(question_list) // block)
            i, n = shard or (0, 1)
            first, end = (min(n_blocks * share // n * block, len(question_list)) for share in (i, i + 1))
            _answer(ask, question_list, range(first, end), block, parts, say)
            if shard is not None:
                return {"out": out, "shard": f"{i + 1}/{n}", "users": end - first}
            rows = _join(parts, out, write)
    except OSError as error:
        raise MmsrarecError(f"{out} cannot be written: {error.strerror or error}") from error
    return {"out": out, "users": len(ids), "rows": rows}


@contextmanager
def _alone(out: Path, shard: tuple[int, int] | None) -> Generator[None]:
    """Hold the file's lock, or that of a shard; who joins the shards waits for none of them, and is refused."""
    own = f".{out.name}.lock" if shard is None else f".{out.name}.{shard[0] + 1}-of-{shard[1]}.lock"
    shards = out.parent.glob(f".{escape(out.name)}.*-of-*.lock") if shard is None else ()
    with ExitStack() as locks:
        for lock in (out.with_name(own), *shards):
            locks.enter_context(holding(lock, f"another process is writing {out}: wait for it, or name another file"))
        yield


def question_key(recommender: "Recommender", ids: Sequence[str], block: int, how: dict[str, Any]) -> str:
    """The hash of all that the answers depend on: the run, its catalogue as it is now, the users, the options."""
    folder, dataset = recommender.run_folder.folder, recommender.dataset
    parts = {path.relative_to(folder).as_posix(): read_manifest(path)["key"] for path in finished_under(folder)}
    settings = recommender.run_folder.recipe.model_dump(mode="json", exclude={"name", "data", "runtime"})
    catalogue = [log_digest(dataset), text_digest(dataset.items), recommender.available]
    version = mmsrarec.__version__
    return key(parts=parts, settings=settings, catalogue=catalogue, users=ids, block=block, how=how, version=version)


def _answer(
    ask: Asks, question_list: Sequence[tuple[str, Who]], share: range, block: int, parts: Parts, say: Progress
) -> None:
    """Answer the places of a share that no part holds yet, block by block, and keep each part as it is finished."""
    there = {start for places in parts.ranges() for start in places[::block]}
    missing = [start for start in share[::block] if start not in there]
    left = sum(min(start + block, share.stop) - start for start in missing)
    if left < len(share):
        say(f"{len(share) - left} of {len(share)} users were answered by an earlier call: going on behind them")
    tables: list[pl.DataFrame] = []
    with say.task("recommending", left) as task:
        first, since = 0, time.monotonic()
        for number, start in enumerate(missing):
            end = min(start + block, share.stop)
            first = first if tables else start
            tables.append(block_table(ask, question_list[start:end], task.advance))
            is_last = number + 1 == len(missing) or missing[number + 1] != end
            if is_last or time.monotonic() - since >= PART_SECONDS:
                parts.keep(first, end, pl.concat(tables))
                tables, since = [], time.monotonic()


def _join(parts: Parts, out: Path, write: Callable[[pl.LazyFrame, Path], None]) -> int:
    """Write all parts as one file, and remove them; the number of its rows."""
    empty = pl.DataFrame(schema=TABLE).lazy()
    whole = pl.concat([empty, *map(_scanned, parts.ranges().values())])
    rows = int(whole.select(pl.len()).collect().item())
    write(whole, out)
    shutil.rmtree(parts.folder)
    return rows


def _scanned(path: Path) -> pl.LazyFrame:
    """A part; brackets in its name are part of the name."""
    return pl.scan_parquet(path, glob=False)


def _read(file: Path) -> Any:
    """JSON of a file; None where it is damaged."""
    with suppress(OSError, ValueError):
        return json.loads(file.read_bytes())
    return None
