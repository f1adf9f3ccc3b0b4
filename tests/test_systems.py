"""Nothing of this package needs POSIX when it is imported. On systems without it, it has not been run by us."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import mmsrarec
from mmsrarec.data.dataset import Dataset
from mmsrarec.rankers.registry.built_in import BUILT_IN
from mmsrarec.recommend.ablations import VARIANTS
from mmsrarec.runs.run_folder import MSR
from mmsrarec.study.model_names import CONTEXT, TRAINED

PACKAGE = Path(mmsrarec.__file__).parent
POSIX = {"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "posix", "syslog", "crypt", "spwd", "nis"}
SOURCES = sorted(PACKAGE.rglob("*.py"))
CALLS = {"fork", "getuid", "sched_getaffinity", "sysconf", "mkfifo", "chown", "setsid", "killpg", "link", "execve"}
"""Functions of `os` that are missing, or mean something else, on other systems."""
GUARDS = ("hasattr", "OSError", "platform", "os.name")
ILLEGAL = set('<>:"/\\|?*')


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").partition(".")[0]


def test_no_module_imports_what_only_posix_has() -> None:
    found = {file.relative_to(PACKAGE).as_posix(): set(imported(ast.parse(file.read_bytes()))) for file in SOURCES}
    assert len(found) > 100
    assert {file: names & POSIX for file, names in found.items() if names & POSIX} == {}


def test_what_only_some_systems_can_do_is_asked_for_first() -> None:
    """Each function around such a call names what it does elsewhere."""
    without = []
    for file in SOURCES:
        for function in ast.walk(ast.parse(file.read_bytes())):
            if not isinstance(function, ast.FunctionDef):
                continue
            used = {
                node.attr
                for node in ast.walk(function)
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os"
            }
            if used & CALLS and not any(guard in ast.unparse(function) for guard in GUARDS):
                without.append(f"{file}: {function.name}")
    assert without == []


def elsewhere(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line where the modules of POSIX cannot be imported (but posix, which Python itself wants here)."""
    blocked = sorted(POSIX - {"posix"})
    program = f"import sys; sys.modules.update(dict.fromkeys({blocked}))\nfrom mmsrarec.cli.commands import call\n"
    program += "sys.exit(call(sys.argv[1:]))"
    mine = {**os.environ, "PYTHONPATH": str(PACKAGE.parent), "MMSRAREC_CACHE": str(folder / "cache")}
    command = [sys.executable, "-W", "ignore", "-c", program, *arguments]
    return subprocess.run(command, env=mine, cwd=folder, capture_output=True, text=True)


def test_commands_do_without_posix(drawn: Dataset, tmp_path: Path) -> None:
    for arguments in (["doctor", "--json"], ["sample", "--out", "s"], ["check", "s"], ["run", "--help"]):
        done = elsewhere(tmp_path, *arguments)
        errors = [line for line in done.stderr.splitlines() if not line.startswith("pictures: ")]  # progress
        assert (done.returncode, errors) == (0, []), arguments


def test_names_of_parts_are_names_on_every_system() -> None:
    from mmsrarec.runs.run_folder import adapter_part, fusion_part

    parts = [adapter_part("leave-one-out", variant) for variant in VARIANTS]
    parts += [fusion_part("leave-one-out", kind) for kind in ("published", "full")]
    for name in [*(name for part in parts for name in part.split("/")), *BUILT_IN, CONTEXT, *TRAINED, MSR]:
        assert not set(name) & ILLEGAL
        assert name == name.strip(" .")
        assert name.lower() not in ("con", "prn", "aux", "nul")
