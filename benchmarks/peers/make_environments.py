"""Make a virtual environment for each library, outside the checkout, from the pinned packages of requirements/.

    python benchmarks/peers/make_environments.py ENVIRONMENTS --torch-from .venv

A library that is not installed in five minutes is left out; ENVIRONMENTS/installed.json says why, and so does the
table. `--torch-from` names a virtual environment whose torch the others use, by a link and a line in a .pth file: that
saves most of a gigabyte for each, and no other package is shared. Without it pip installs torch; name an index with a
CPU build by `--pip-args`.
"""

import argparse
import json
import shlex
import subprocess
import sys
import time
import venv
from pathlib import Path
from typing import Any

REQUIREMENTS = Path(__file__).parent / "requirements"
LIBRARIES = ("implicit", "lenskit", "cornac", "rectools", "recbole")
LIMIT = 300
"""Seconds that the installation of a library may take."""


def python_of(environment: Path) -> Path:
    """The interpreter of a virtual environment."""
    return environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def packages_of(environment: Path) -> Path:
    """The folder that a virtual environment installs packages into."""
    query = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    asked = subprocess.run([python_of(environment), "-c", query], capture_output=True, text=True, check=True)
    return Path(asked.stdout.strip())


def share_torch(source: Path, folder: Path) -> None:
    """Link the torch of an environment, and nothing else of it, into a folder.

    Raises:
        SystemExit: There is none.
    """
    folder.mkdir(parents=True, exist_ok=True)
    packages = packages_of(source)
    found = [packages / "torch", packages / "torchgen", packages / "functorch", *packages.glob("torch-*.dist-info")]
    if not found[0].is_dir():
        raise SystemExit(f"{source} has no torch: leave --torch-from out")
    for path in found:
        if path.is_dir() and not (folder / path.name).exists():
            (folder / path.name).symlink_to(path.resolve())


def install(library: str, folder: Path, torch: Path | None, pip_args: str, limit: float = LIMIT) -> dict[str, Any]:
    """Make one environment; return seconds, and the reason where it failed."""
    environment, start = folder / library, time.perf_counter()
    venv.create(environment, with_pip=True)
    if torch is not None:
        (packages_of(environment) / "shared_torch.pth").write_text(f"{torch.resolve()}\n", encoding="utf-8")
    command = [python_of(environment), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += [*shlex.split(pip_args), "-r", REQUIREMENTS / f"{library}.txt"]
    reason = ""
    try:
        done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=limit)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["pip failed"])[-1]
    except subprocess.TimeoutExpired:
        reason = f"not installed in {limit:g} seconds"
    return {"seconds": round(time.perf_counter() - start, 1), "reason": reason}


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("environments", type=Path)
    options.add_argument("--library", action="append", choices=LIBRARIES, help="only these")
    options.add_argument("--torch-from", type=Path, metavar="VENV")
    options.add_argument("--pip-args", default="")
    args = options.parse_args()
    args.environments.mkdir(parents=True, exist_ok=True)
    torch = None
    if args.torch_from is not None:
        torch = args.environments / "shared_torch"
        share_torch(args.torch_from, torch)
    record = args.environments / "installed.json"
    installed = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
    for library in args.library or LIBRARIES:
        installed[library] = install(library, args.environments, torch, args.pip_args)
        print(library, installed[library])
        record.write_text(json.dumps(installed, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
