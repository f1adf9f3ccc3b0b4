"""Answers many users in several processes: each answers a share into parts, which a last call joins.

The language model is bound by the processor, and one prompt keeps several threads busy only in part; so as many
processes with a share of the cores each are faster than one with all of them.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack

from mmsrarec.core.terminal import one_line
from mmsrarec.core.threads import cores
from mmsrarec.errors import MmsrarecError


def answer_shares(command: Sequence[str], processes: int) -> None:
    """Call `mmsrarec` several times at once, each for a share; return when all are done.

    Args:
        command: The arguments of `mmsrarec`, without `--shard`.
        processes: How many.

    Raises:
        MmsrarecError: One of them failed; the parts that are finished stay, and the same call goes on behind them.
    """
    threads = str(max(1, cores() // processes))
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "OMP_WAIT_POLICY": "PASSIVE"}
    with ExitStack() as files:
        running: list[tuple[subprocess.Popen[bytes], int]] = []
        outputs = [files.enter_context(tempfile.TemporaryFile()) for _ in range(processes)]
        try:
            for number, file in enumerate(outputs, start=1):
                arguments = [sys.executable, "-m", "mmsrarec", *command, "--shard", f"{number}/{processes}"]
                stderr = None if number == 1 else file  # the first one tells how far all are
                child = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=stderr, env=environment)
                running.append((child, number))
            failed = [number for child, number in running if child.wait() != 0]
        finally:
            for child, _ in running:
                if child.poll() is None:
                    child.terminate()
                    child.wait()
        if failed:
            last = b""
            for number in failed:
                outputs[number - 1].seek(0)
                last = last or outputs[number - 1].read()[-300:]
            why = one_line(last.decode("utf-8", "replace").strip().rpartition("\n")[2])
            raise MmsrarecError(
                f"{len(failed)} of {processes} processes failed{f' ({why})' if why else ''}: the same command goes on "
                "where they were"
            )
