"""Answers many users by workers of Ray: each answers shares into parts of the file, which a last call joins.

The share of a killed worker is taken up by another one behind the parts that are there. On a cluster of several
machines, the run, its data and the file must lie in a folder that all of them share.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from mmsrarec.core.progress import Progress
from mmsrarec.models.ray_workers import RayWorkers
from mmsrarec.runs.batch_file import recommend_file

if TYPE_CHECKING:  # brings torch along
    from mmsrarec.runs.recommender import Recommender


@dataclass(frozen=True)
class RunSource:
    """Where a worker loads the run from.

    Attributes:
        run: The folder of the run.
        data: Where its data folder lies now; None where it was.
        device: A device instead of the recipe's; None for the recipe's.
    """

    run: Path
    data: Path | None = None
    device: str | None = None

    def load(self) -> "Recommender":
        """Load the run.

        Raises:
            MmsrarecError: It cannot be loaded.
        """
        from mmsrarec.runs.recommender import Recommender

        return Recommender.load(self.run, self.data, self.device)


@dataclass(frozen=True)
class ShareWork:
    """How a worker answers a share.

    Attributes:
        users: User ids; None: everybody in the run's data.
        out: The file.
        shares: How many shares there are.
        how: As the arguments of `Recommender.answer_function`.
    """

    users: Sequence[str] | None
    out: Path
    shares: int
    how: dict[str, Any]

    def __call__(self, recommender: "Recommender", share: int) -> int:
        """Answer a share into parts.

        Returns:
            How many users it has.

        Raises:
            MmsrarecError: A user is not there, or the place cannot be written.
        """
        quiet = Progress.of(False)
        shard = (share, self.shares)
        return recommend_file(recommender, self.users, self.out, _refuse_to_write, quiet, shard, **self.how)["users"]


def answer_shares_on_ray(
    source: RunSource, users: Sequence[str] | None, out: Path, workers: int, say: Progress, **how: Any
) -> None:
    """Answer all shares into parts of a file; `recommend_file` joins them.

    Args:
        source: The run.
        users: User ids, in the order of the file; None: everybody in the run's data.
        out: The file.
        workers: How many workers there are, and shares.
        say: Is told how far it is.
        **how: As the arguments of `Recommender.answer_function`.

    Raises:
        MmsrarecError: Ray is not installed or does not start, or a share fails; finished parts stay.
    """
    absolute = replace(source, run=source.run.resolve(), data=source.data and source.data.resolve())
    work = ShareWork(users, Path(os.path.abspath(out)), workers, how)
    gpus = int((source.device or "").startswith("cuda"))
    with RayWorkers(absolute.load, workers, gpus) as ray_workers:
        say(f"{workers} workers of Ray answer, each of which loads the run")
        for share, n_users in ray_workers.run(range(workers), work):
            say(f"share {share + 1} of {workers}: {n_users} users are answered")
        if ray_workers.deaths:
            say(f"{ray_workers.deaths} workers of Ray died, and others went on behind their parts")


def _refuse_to_write(table: pl.LazyFrame, out: Path) -> None:
    """A share writes no table."""
    raise AssertionError(out)
