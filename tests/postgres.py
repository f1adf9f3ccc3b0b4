"""A real PostgreSQL server for tests: its own user, folder and port, started for a test module and stopped after it."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

OWNER = "postgres"
"""PostgreSQL refuses to run as root; Debian's package makes this user."""


def programs() -> Path:
    """The folder of initdb and pg_ctl; the test is skipped where there is none."""
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not folders:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    return folders[-1]


@contextmanager
def server() -> Iterator[str]:
    """Start a server and give the URL of its database, with the password that it wants."""
    programs_folder = programs()
    as_owner = ["runuser", "-u", OWNER, "--"] if os.geteuid() == 0 else []
    if as_owner and shutil.which("runuser") is None:
        pytest.skip("PostgreSQL does not run as root, and there is no runuser to become somebody else")
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp") as name, socket.socket() as free:
        folder = Path(name)
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        (folder / "password").write_text("s3cret", encoding="utf-8")
        for path in (folder, folder / "password"):
            path.chmod(0o755)
        if as_owner:
            shutil.chown(folder, OWNER)

        def call(program: str, *arguments: str) -> None:
            command = [*as_owner, str(programs_folder / program), *arguments]
            subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL, timeout=60)

        data = str(folder / "data")
        call("initdb", "-D", data, "-U", "shop", "-A", "scram-sha-256", f"--pwfile={folder / 'password'}", "-E", "UTF8")
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off -c timezone=Asia/Tokyo"
        call("pg_ctl", "-D", data, "-l", str(folder / "log"), "-w", "-o", options, "start")
        try:
            yield f"postgresql://shop:s3cret@127.0.0.1:{port}/postgres"
        finally:
            call("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
