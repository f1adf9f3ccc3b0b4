"""Write a synthetic log of any size as a data folder, in chunks: memory does not grow with the log.

    python benchmarks/scale/write_log.py --out /tmp/log-1m --interactions 1000000

Items have a Zipf popularity. Each user has one of 50 tastes, to which most of the user's items belong, and comes back
in sessions over two years; within a session, interactions are a few minutes apart. Users stand one after another, each
in time order, as an export of a database has them. The last line of the output is one JSON object.
"""

import argparse
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from mmsrarec.data.folder import INTERACTIONS, ITEM_SCHEMA, ITEMS, LOG_SCHEMA, writing_data

CHUNK_INTERACTIONS = 1_000_000
"""Interactions that are drawn together."""
CHUNK_ITEMS = 200_000
"""Items that are written together."""
EXPONENT = 0.9
"""The item of rank r is chosen in proportion to 1 / (r + 20) ** EXPONENT."""
TASTES, IN_TASTE = 50, 0.7
"""The number of tastes, and the share of a user's interactions that belong to the user's."""
FIRST_SECOND, SPAN_SECONDS = 1_600_000_000, 2 * 365 * 86_400
SESSION_LENGTH = 8
"""Interactions of a session, about."""
WORDS = ("oak", "red", "soft", "tall", "blue", "glass", "old", "small", "round", "bright", "plain", "warm")


def draw_users(first: int, lengths: np.ndarray, items: int, rng: np.random.Generator) -> pl.DataFrame:
    """The interactions of some users.

    Args:
        first: The number of the first user.
        lengths: How many interactions each user has.
        items: Size of the catalogue.
        rng: The random state.

    Returns:
        user_id, item_id, timestamp: a row for each interaction, by user, then time.
    """
    n, user = int(lengths.sum()), np.repeat(np.arange(len(lengths)), lengths)
    # the inverse of the sum of 1 / (r + 20) ** EXPONENT, taken as an integral
    low, high = 20 ** (1 - EXPONENT), (items + 20) ** (1 - EXPONENT)
    rank = np.minimum(((low + rng.random(n) * (high - low)) ** (1 / (1 - EXPONENT)) - 20).astype(np.int64), items - 1)
    taste = rng.integers(TASTES, size=len(lengths))[user]
    in_taste = np.minimum(rank // TASTES * TASTES + taste, items - 1)
    item = np.where(rng.random(n) < IN_TASTE, in_taste, rank)
    place = np.arange(n) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    session_start = rng.integers(SPAN_SECONDS, size=(len(lengths), int(lengths.max()) // SESSION_LENGTH + 1))
    seconds = session_start[user, place // SESSION_LENGTH] + place % SESSION_LENGTH * rng.integers(20, 600, size=n)
    order = np.lexsort((seconds, user))
    columns = {
        "user_id": pl.Series(first + user).cast(pl.String),
        "item_id": pl.Series(item[order]).cast(pl.String),
        "timestamp": pl.Series(FIRST_SECOND + seconds[order]),
    }
    return pl.DataFrame(columns, schema=LOG_SCHEMA)


def log_chunks(users: int, items: int, interactions: int, seed: int) -> Iterator[pl.DataFrame]:
    """The whole log in chunks of users. Every user has two interactions or more; their number is about right."""
    rng, mean = np.random.default_rng(seed), interactions / users
    step = max(1, int(CHUNK_INTERACTIONS / mean))
    for first in range(0, users, step):
        n = min(step, users - first)
        lengths = np.minimum(2 + rng.geometric(1 / max(mean - 1, 1), n) - 1, 50 * int(mean + 1))
        yield draw_users(first, lengths, items, rng)


def item_chunks(items: int, seed: int) -> Iterator[pl.DataFrame]:
    """The catalogue in chunks: a title and three words for each item."""
    rng = np.random.default_rng(seed)
    for first in range(0, items, CHUNK_ITEMS):
        codes = np.arange(first, min(first + CHUNK_ITEMS, items))
        words = np.array(WORDS)[rng.integers(len(WORDS), size=(len(codes), 3))]
        texts = [f"{' '.join(row)} thing {code}" for row, code in zip(words.tolist(), codes.tolist(), strict=True)]
        columns = {"item_id": pl.Series(codes).cast(pl.String), "title": texts, "description": texts}
        yield pl.DataFrame(columns).with_columns(
            pl.lit(None, dtype=ITEM_SCHEMA[name]).alias(name) for name in ITEM_SCHEMA if name not in columns
        )


def write_chunks(chunks: Iterator[pl.DataFrame], path: Path) -> int:
    """Write chunks as one Parquet file, through a file for each chunk; returns the number of rows."""
    rows = 0
    parts = Path(tempfile.mkdtemp(dir=path.parent))
    for number, chunk in enumerate(chunks):
        chunk.write_parquet(parts / f"{number:06}.parquet")
        rows += len(chunk)
    pl.scan_parquet(parts / "*.parquet").sink_parquet(path)
    shutil.rmtree(parts)
    return rows


def write_log(out: Path, users: int, items: int, interactions: int, seed: int = 0) -> dict[str, int]:
    """Write a data folder.

    Args:
        out: The folder.
        users: The number of users.
        items: Size of the catalogue.
        interactions: About how many interactions.
        seed: Of all draws.

    Returns:
        The numbers of users, items and interactions.
    """
    settings = {"users": users, "items": items, "interactions": interactions, "seed": seed}
    with writing_data(out, "write_log", times="seconds", **settings) as folder:
        (folder / "images").mkdir()
        write_chunks(item_chunks(items, seed), folder / ITEMS)
        rows = write_chunks(log_chunks(users, items, interactions, seed), folder / INTERACTIONS)
    return {"users": users, "items": items, "interactions": rows}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, required=True, help="the data folder to write")
    options.add_argument("--interactions", type=int, default=1_000_000, help="about how many")
    options.add_argument("--users", type=int, help="a twentieth of the interactions unless given")
    options.add_argument("--items", type=int, help="a fiftieth of the interactions unless given")
    options.add_argument("--seed", type=int, default=0)
    args = options.parse_args()
    users, items = args.users or max(args.interactions // 20, 10), args.items or max(args.interactions // 50, 50)
    written = write_log(args.out, users, items, args.interactions, args.seed)
    print(json.dumps({"benchmark": "write_log", "out": str(args.out), "seed": args.seed, **written}))


if __name__ == "__main__":
    main()
