"""Kills a process that writes a server's state (SIGKILL), again and again: what was acknowledged must be there.

    python benchmarks/serving/kill_writes.py --database sqlite --times 100 --log kills.log
    python benchmarks/serving/kill_writes.py --database postgresql --times 100 --log kills.log

Each child writes events, items and kept answers to the same database from four threads, and notes an event once it was
acknowledged. After each kill the database is opened again: every noted event is there once, every transaction whole,
the file of SQLite sound. A line for each kill is added to the log, which an earlier call may have begun: kills that it
counts are not made again. PostgreSQL is a server of its own, from Debian's packages.
"""

import argparse
import json
import random
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TESTS = Path(__file__).parents[2] / "tests"
sys.path += [str(TESTS), str(TESTS / "serve" / "state")]

import kills  # noqa: E402
import postgres  # noqa: E402
from test_state_kills import check, write_without_end  # noqa: E402


@contextmanager
def place_of(database: str, folder: Path) -> Iterator[str]:
    """An empty database."""
    if database == "sqlite":
        yield str(folder / "state.sqlite")
        return
    with postgres.server() as url:
        yield url


def counted(log: Path, database: str) -> int:
    """How many kills of a database a log counts."""
    lines = log.read_text().splitlines() if log.is_file() else []
    return sum(json.loads(line)["database"] == database for line in lines if line.startswith("{"))


def kill_once(place: str, notebook: Path, number: int, rng: random.Random) -> int:
    """Kill one child at a random time after its first acknowledged events; how many events are noted by now."""
    child = kills.start(write_without_end, (place, str(notebook), number))
    while not (notebook.exists() and f"\n{number}-" in "\n" + notebook.read_text()[-100_000:]):
        if not child.is_alive():
            raise SystemExit(f"the child ended by itself with {child.exitcode}")
        child.join(0.01)
    child.join(rng.uniform(0, 0.4))
    child.kill()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    return check(place, notebook)


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill a writer of the state, and look at the database.")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), required=True)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--log", type=Path, required=True, help="a line for each kill; it may hold earlier ones")
    arguments = parser.parse_args()
    before = counted(arguments.log, arguments.database)
    rng = random.Random(before)
    with (
        tempfile.TemporaryDirectory(prefix="mmsrarec-kills-") as folder,
        place_of(arguments.database, Path(folder)) as place,
    ):
        for number in range(before, arguments.times):
            noted = kill_once(place, Path(folder) / "noted", number, rng)
            record = {"database": arguments.database, "kill": number + 1, "events_acknowledged": noted, "sound": True}
            with open(arguments.log, "a") as log:
                log.write(json.dumps(record) + "\n")
    print(json.dumps({"database": arguments.database, "kills": counted(arguments.log, arguments.database)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
