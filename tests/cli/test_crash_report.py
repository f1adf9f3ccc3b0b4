"""What nobody foresaw is one line with the place of a log that holds the traceback."""

import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from types import ModuleType

import pytest
from paths import SRC

from mmsrarec.cli import commands, crash_report
from mmsrarec.errors import MmsrarecError

NOWHERE = "/proc/nope" if Path("/proc").is_dir() else "/dev/null/nope"


@pytest.fixture(autouse=True)
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMSRAREC_CACHE", str(tmp_path))
    monkeypatch.delenv("MMSRAREC_DEBUG", raising=False)


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """`mmsrarec doctor` ends by that error."""

    def examine(*_: object) -> None:
        raise error

    monkeypatch.setattr("mmsrarec.cli.doctor.examine", examine)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (KeyError("\x1b[2Jtitle\n\u202eof it"), 1, "a fault of this program, KeyError"),
        (RuntimeError("x" * 5000), 1, "xxx ...): please report it with"),
        (RecursionError("maximum recursion depth exceeded"), 1, "RecursionError"),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "no surrogates"), 1, "UnicodeEncodeError"),
        (AssertionError(), 1, "a fault of this program, AssertionError: please report it with"),
        (MemoryError(), 2, "the memory is used up: lower runtime.score_tokens"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), 2, "the memory is used up"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), 2, "the memory is used up"),
        (ModuleNotFoundError("No module named 'torch'", name="torch"), 2, "the package torch is missing: pip"),
        (ModuleNotFoundError("No module", name="sentence_transformers.x"), 2, "sentence-transformers is missing"),
        (ModuleNotFoundError("No module", name="unheard_of"), 1, "a fault of this program, ModuleNotFoundError"),
        (OSError(28, "No space left on device", "run/a"), 2, "run/a: No space left on device (how it came to it"),
        (OSError("something"), 2, "something (how it came to it"),
    ],
)
def test_a_fault_is_one_line_and_a_log(
    error: Exception, code: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    failing(monkeypatch, error)
    assert commands.call(["doctor", "--json"]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("mmsrarec: ")
    assert captured.err.count("\n") == 1
    assert len(captured.err) < 800
    assert said in captured.err
    assert "\x1b" not in captured.err
    (log,) = (tmp_path / "logs").iterdir()
    assert str(log) in captured.err
    written = log.read_text(encoding="utf-8")
    for part in ("Traceback", type(error).__name__, "in examine", "'--json'", "'numpy': ", "system: "):
        assert part in written
    if os.name != "nt":
        assert log.stat().st_mode & 0o077 == 0


def test_wrong_use_writes_no_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, MmsrarecError("say what to check"))
    assert commands.call(["doctor"]) == 2
    failing(monkeypatch, KeyboardInterrupt())
    assert commands.call(["doctor"]) == 130
    assert list(tmp_path.iterdir()) == []


def test_logs_go_elsewhere_where_the_cache_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(monkeypatch, KeyError("x"))
    monkeypatch.setenv("MMSRAREC_CACHE", NOWHERE)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert commands.call(["doctor"]) == 1
    (log,) = tmp_path.glob("*/*.log")
    assert str(log) in capsys.readouterr().err
    monkeypatch.setattr(tempfile, "tempdir", NOWHERE)
    assert commands.call(["doctor"]) == 1
    assert "MMSRAREC_DEBUG=1 shows all" in capsys.readouterr().err


def test_old_logs_go(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    for day in range(crash_report.MAX_LOGS + 5):
        (tmp_path / "logs" / f"mmsrarec-2020{day:04}-000000-1.log").touch()
    (tmp_path / "logs" / "mine.txt").touch()
    log = crash_report.write_log(KeyError("x"), [])
    left = sorted((tmp_path / "logs").glob("*.log"))
    assert (len(left), left[-1]) == (crash_report.MAX_LOGS, log)
    assert (tmp_path / "logs" / "mine.txt").exists()


def test_for_programmers_the_error_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, KeyError("x"))
    monkeypatch.setenv("MMSRAREC_DEBUG", "1")
    with pytest.raises(KeyError, match="x"):
        commands.call(["doctor"])


def test_warnings_of_libraries_are_not_for_users(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def examine(*_: object) -> dict:
        warnings.warn("an old name", FutureWarning, stacklevel=1)
        return {}

    monkeypatch.setattr("mmsrarec.cli.doctor.examine", examine)
    monkeypatch.setattr(sys, "warnoptions", [])
    assert commands.call(["doctor"]) == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys, "warnoptions", ["error"])
    with pytest.warns(FutureWarning):
        commands.call(["doctor"])


def test_without_torch_a_run_says_what_to_install(tmp_path: Path) -> None:
    imports = "import sys; sys.modules['torch'] = None\nfrom mmsrarec.cli.commands import call"
    program = f"{imports}\nsys.exit(call(['run', 'sample']))"
    mine = {**os.environ, "PYTHONPATH": str(SRC)}
    done = subprocess.run([sys.executable, "-c", program], env=mine, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("mmsrarec: the package torch is missing: pip install")
    assert done.stderr.count("\n") == 1


def test_a_help_text_may_end_by_exit(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("mmsrarec.cli.doctor")
    module.examine = lambda *_: sys.exit(3)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mmsrarec.cli.doctor", module)
    assert commands.call(["doctor"]) == 3


def test_the_password_of_an_address_gets_into_no_log_and_no_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    url = "postgresql://me:s3cret@host/shop"
    failing(monkeypatch, RuntimeError(f"cannot reach {url}, see https://example.org/a:b@c"))
    assert commands.call(["doctor"]) == 1
    assert "postgresql://me:***@host/shop" in capsys.readouterr().err
    path = crash_report.write_log(RuntimeError(url), ["import", "sql", url])
    assert path is not None
    text = path.read_text(encoding="utf-8")
    assert "s3cret" not in text
    assert "arguments: ['import', 'sql', 'postgresql://me:***@host/shop']" in text
    assert crash_report.without_passwords("see https://example.org/a:b@c") == "see https://example.org/a:b@c"
