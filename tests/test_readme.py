"""What README.md shows is executed: Python blocks as they are, commands one by one, or at least their options are read.

A block is told apart by its first line. Whatever is excused from being executed is named in EXCUSED, with the reason.
"""

import inspect
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest
from paths import TESTS

import mmsrarec
from mmsrarec.cli import commands

README = TESTS.parent / "README.md"
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.M | re.S)
EXCUSED = {
    "pip ": "needs the package index",
    "uv ": "needs the package index",
    "make ": "is what runs these tests",
    "git ": "needs a network",
    "mmsrarec models install": "needs the package index",
}
"""What a line starts with -> why it is not executed."""
QUICK = ("recommend", "explain", "doctor", "check")
"""Verbs that are executed on the finished run of the tests; the others take minutes, so their options are read."""


@dataclass(frozen=True)
class Block:
    """A fenced block of the README."""

    language: str
    text: str

    @property
    def lines(self) -> list[str]:
        """Commands, without comments and with continued lines joined."""
        joined = self.text.replace("\\\n", " ")
        return [line for line in (part.split("  #")[0].strip() for part in joined.splitlines()) if line[:1] not in "#"]


def blocks_of(text: str, *languages: str) -> list[Block]:
    """The fenced blocks in some languages."""
    return [Block(language, body) for language, body in FENCE.findall(text) if language in languages]


TEXT = README.read_text(encoding="utf-8")
SHELL = [line for block in blocks_of(TEXT, "sh", "bash", "console") for line in block.lines]
PYTHON = [block.text for block in blocks_of(TEXT, "python")]


def excuse(line: str) -> str | None:
    """Why a command is not executed; None where it is."""
    return next((why for start, why in EXCUSED.items() if line.startswith(start)), None)


def placed(line: str, folder: Path) -> list[str]:
    """The arguments of `mmsrarec`, with the README's run and data replaced by those of the tests."""
    words = shlex.split(line.removeprefix("$ "))[1:]
    replaced = {"runs/mine": folder / "run", "data/mine": folder / "data", "42": "u0005", "318": "007"}
    return [str(replaced.get(word, word)) for word in (re.sub(r"^(\d+,)+\d+$", "001,002", word) for word in words)]


def test_there_is_something_to_execute() -> None:
    assert SHELL
    assert PYTHON


def test_blocks_are_found_with_their_lines() -> None:
    text = "```sh\nmmsrarec doctor   # a comment\n# alone\nmmsrarec run a \\\n  --out b\n```\n```python\nx = 1\n```\n"
    assert blocks_of(text, "sh")[0].lines == ["mmsrarec doctor", "mmsrarec run a    --out b"]
    assert blocks_of(text, "python")[0].text == "x = 1\n"


@pytest.mark.parametrize("line", dict.fromkeys(SHELL))
def test_a_command_works(
    line: str, finished: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if (why := excuse(line)) is not None:
        pytest.skip(why)
    assert line.removeprefix("$ ").startswith("mmsrarec "), f"{line}: execute it here, or excuse it with a reason"
    arguments = placed(line, finished)
    files_of_the_reader(finished, tmp_path)
    monkeypatch.chdir(tmp_path)
    if arguments[0] in QUICK and "--leaks" not in arguments:
        assert commands.call(arguments) == 0, capsys.readouterr().err
        return
    assert commands.call([arguments[0], "--help"]) == 0
    known = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    for word in arguments:
        if word.startswith("--"):
            assert word.partition("=")[0] in known, f"{line}: {arguments[0]} has no {word}"


def shortened(text: str, finished: Path) -> str:
    """A block with the run, the users and the items of the tests in the place of the README's."""
    text = re.sub(r'"runs/\w+"', repr(str(finished / "run")), text)
    text = re.sub(r"users=\[[^\]]*\]", 'users=["u0005", "u0006"]', text)
    text = re.sub(r'user="\w+"', 'user="u0005"', text)
    text = re.sub(r'item="\w+"', 'item="007"', text)
    return re.sub(r'\["\d+"(, "\d+")*\]', '["001", "002"]', text)


@pytest.mark.parametrize("text", PYTHON)
def test_python_works(text: str, finished: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`fit` would take minutes: in its place the finished run answers, after its arguments were bound."""
    from mmsrarec.pipeline import fit as module

    real = module.fit

    def answering(*arguments: object, **how: object) -> object:
        inspect.signature(real).bind(*arguments, **how)
        return mmsrarec.Recommender.load(finished / "run")

    monkeypatch.setattr(module, "fit", answering)
    files_of_the_reader(finished, tmp_path)
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "readme", **tables_of_the_reader(finished), "in_stock": ["003"]}
    exec(compile(shortened(text, finished), "README.md", "exec"), names)


def tables_of_the_reader(finished: Path) -> dict[str, pl.DataFrame]:
    """What a block may take for granted: the reader's own tables."""
    return {name: pl.read_parquet(finished / "data" / f"{name}.parquet") for name in ("items", "interactions")}


def files_of_the_reader(finished: Path, folder: Path) -> None:
    """The same as files, and a list of users."""
    for name, table in tables_of_the_reader(finished).items():
        table.write_parquet(folder / f"{name}.parquet")
    (folder / "users.txt").write_text("u0005\nu0006\n")
