"""Nothing a terminal would obey reaches it, and no encoding stops an answer."""

import io
import json
import os
import subprocess
import sys
import textwrap
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from paths import SRC

from mmsrarec.cli.formats.plain_text import text
from mmsrarec.core.json_values import plain
from mmsrarec.core.progress import Progress
from mmsrarec.core.terminal import fitting, json_line, one_line, printable

HOSTILE = "\x1b[2J\x1b[31mred\x07 \x9b5m \u202egnirts\u2066 \x7f\ud800 \r\n粘土 Чайник 🔥 نیم\u200cفاصله 👩\u200d🍳"
ANY = st.text(st.characters() | st.sampled_from("\x1b\x9b\x07\r\n\t\u202e\u2028\u200d\u200f\ud800"))


def stream(encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding)


def obeyed(shown: str) -> set[str]:
    """Characters that a terminal may obey, or that turn the writing round."""
    return {letter for letter in shown if unicodedata.category(letter) in ("Cc", "Cf", "Cs")} - set("\n\t\u200c\u200d")


def test_escape_codes_become_signs_and_letters_stay() -> None:
    assert one_line(HOSTILE) == "�[2J�[31mred� �5m gnirts �� 粘土 Чайник 🔥 نیم\u200cفاصله 👩\u200d🍳"
    assert printable("two\nlines\tand \u200fa mark") == "two\nlines\tand a mark"


@given(ANY)
@example(HOSTILE)
def test_nothing_is_obeyed(anything: str) -> None:
    assert not obeyed(printable(anything))
    assert not obeyed(one_line(anything)) & set("\n\t")
    assert printable(printable(anything)) == printable(anything)
    assert not obeyed(
        printable(text(plain({anything: [{"title": anything, anything: [anything]}], "a": {anything: 1}})))
    )


@given(ANY, st.sampled_from(["utf-8", "cp1252", "ascii", "latin-1", "cp437", "gbk"]))
@example(HOSTILE, "ascii")
def test_every_encoding_takes_it(anything: str, encoding: str) -> None:
    fitting(printable(anything), stream(encoding)).encode(encoding)
    line = json_line({"title": anything}, stream(encoding))
    assert json.loads(line.encode(encoding).decode(encoding)) == {"title": anything}
    assert not obeyed(line)
    assert "\n" not in line


def test_json_keeps_letters_that_the_stream_has() -> None:
    assert json_line(["粘土", "\u202e"], stream("utf-8")) == '["粘土", "\\u202e"]'
    assert json_line(["粘土"], stream("cp1252")) == '["\\u7c98\\u571f"]'
    assert json_line(["粘土"], None) == '["粘土"]'


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_progress_goes_to_any_stream(encoding: str) -> None:
    to = stream(encoding)
    progress = Progress(to)
    progress(HOSTILE)
    with progress.task(HOSTILE, 2) as task:
        task.advance(2, note=HOSTILE)
    to.flush()
    shown = to.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]
    assert not obeyed(shown)
    assert shown.count("gnirts") >= 2


def test_a_bar_shows_a_label_as_it_is() -> None:
    class Screen(io.StringIO):
        encoding = "utf-8"

        def isatty(self) -> bool:
            return True

    screen = Screen()
    with Progress(screen).task("evaluating [bold]x[/] \x1b[2J") as task:
        task.advance(1, note="[/nothing]")
    assert "[bold]x[/]" in screen.getvalue()
    assert "\x1b[2J\x1b" not in screen.getvalue().split("evaluating")[1][:20]


def test_progress_goes_on_when_its_reader_went_away() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(32, "Broken pipe")

    progress = Progress(Gone())
    progress("one")
    assert [*progress.track("abc", "letters")] == ["a", "b", "c"]


DRIVER = """
    import sys
    from types import ModuleType, SimpleNamespace
    from mmsrarec.errors import MmsrarecError
    TITLE = {title!a}
    class Answers(list):
        left_out, notes = (), ()
    class Recommender:
        notes, dataset = (), SimpleNamespace(item_code={{}})
        @classmethod
        def load(cls, run, *more):
            return cls()
        def recommend(self, **asked):
            print(TITLE)  # chatter of a library
            if asked.get("user") == "nobody":
                raise MmsrarecError("no user " + TITLE)
            if asked.get("user") == "fault":
                raise KeyError(TITLE)
            return Answers([dict(item_id=TITLE, title=TITLE, because=[TITLE])] * 2)
    module = ModuleType("mmsrarec.runs.recommender")
    module.Recommender = Recommender
    sys.modules["mmsrarec.runs.recommender"] = module
    from mmsrarec.cli.commands import call
    sys.exit(call(["recommend", "run", *sys.argv[1:]]))
"""
PLACES = {
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
    "ascii": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "utf-8": {"PYTHONIOENCODING": "utf-8"},
}


def command(tmp_path: Path, place: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """The command line in a process of its own, on streams of that encoding."""
    program = textwrap.dedent(DRIVER.format(title=HOSTILE))
    mine = {name: value for name, value in os.environ.items() if name not in ("PYTHONIOENCODING", "PYTHONUTF8")}
    mine |= {"PYTHONPATH": str(SRC), "MMSRAREC_CACHE": str(tmp_path), "MMSRAREC_THREADS": "set"} | PLACES[place]
    return subprocess.run([sys.executable, "-c", program, *arguments], env=mine, capture_output=True)


@pytest.mark.parametrize("place", PLACES)
def test_an_answer_is_shown_on_every_terminal(place: str, tmp_path: Path) -> None:
    done = command(tmp_path, place, "--user", "u1", "--k", "1")
    shown = done.stdout.decode(place)
    assert (done.returncode, shown.count("gnirts")) == (0, 6), done.stderr
    assert not obeyed(shown)
    assert ("粘土" in shown) == (place == "utf-8")


@pytest.mark.parametrize("place", PLACES)
def test_json_loses_nothing_on_any_terminal(place: str, tmp_path: Path) -> None:
    done = command(tmp_path, place, "--user", "u1", "--k", "1", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.decode(place))["recommendations"][0]["title"] == HOSTILE
    assert done.stdout.count(b"\n") == 1


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("user", "code"), [("nobody", 2), ("fault", 1)])
def test_an_error_is_one_line_on_every_terminal(place: str, user: str, code: int, tmp_path: Path) -> None:
    done = command(tmp_path, place, "--user", user)
    said = [line for line in done.stderr.decode(place).splitlines() if line.startswith("mmsrarec: ")]
    assert (done.returncode, len(said), done.stdout) == (code, 1, b"")
    assert not obeyed(said[0])
    assert b"Traceback" not in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="shells of POSIX")
@pytest.mark.parametrize(
    ("how", "code", "said"),
    [
        ("| head -c 0", 141, ""),
        ("> /dev/full", 2, "could not be written: No space left"),
        (">&-", 0, ""),
        ("2>&-", 0, ""),
        (">&- 2>&-", 0, ""),
    ],
)
def test_streams_that_nobody_reads(how: str, code: int, said: str, tmp_path: Path) -> None:
    if "full" in how and not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    (tmp_path / "drive.py").write_text(textwrap.dedent(DRIVER.format(title="x" * 100_000)))
    mine = {**os.environ, "PYTHONPATH": str(SRC), "MMSRAREC_THREADS": "set"}
    line = f"set -o pipefail; '{sys.executable}' drive.py --user u1 {how}"
    done = subprocess.run(["bash", "-c", line], cwd=tmp_path, env=mine, capture_output=True, text=True)
    complaints = [text for text in done.stderr.splitlines() if not text.startswith("xxx")]
    assert done.returncode == code, done.stderr[-300:]
    assert len(complaints) == bool(said)
    assert said in "".join(complaints)
