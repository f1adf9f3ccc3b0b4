"""Off a terminal, progress is a line now and then, with what is done, how fast, and how long still."""

import io
import threading
import time

import pytest

from mmsrarec.core.progress import Progress
from mmsrarec.errors import MmsrarecError


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_plain_lines_come_every_ten_seconds_and_at_the_end() -> None:
    stream, clock = io.StringIO(), Clock()
    for _ in Progress(stream, clock=clock).track(range(8), "items"):
        clock.now += 4.0
    lines = stream.getvalue().splitlines()
    assert lines == ["items: 3/8, 0.25/s, 0:20 left", "items: 6/8, 0.25/s, 0:08 left", "items: 8/8, 0.25/s"]


def test_a_task_of_unknown_length_counts_and_shows_its_note() -> None:
    stream, clock = io.StringIO(), Clock()
    with Progress(stream, clock=clock).task("steps") as task:
        clock.now = 7200.0
        task.advance(72, note="loss 0.5")
    assert stream.getvalue().splitlines()[-1] == "steps: 72, 0.01/s, loss 0.5"


def test_long_times_are_told_in_hours() -> None:
    clock = Clock()
    with Progress(io.StringIO(), clock=clock).task("steps", 10) as task:
        clock.now = 3661.0
        task.advance(5)
        assert task.text.endswith("1:01:01 left")


def test_said_lines_are_printed_as_they_are() -> None:
    stream = io.StringIO()
    Progress(stream)("summarize: [skipped] is up to date: /a/very/long/path/" + "x" * 200)
    assert stream.getvalue() == "summarize: [skipped] is up to date: /a/very/long/path/" + "x" * 200 + "\n"


def test_a_terminal_gets_a_bar_and_things_pass_through() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    assert list(Progress(stream).track("abc", "letters")) == ["a", "b", "c"]
    assert "letters" in stream.getvalue()


def test_what_is_counted_is_shown_label_by_label() -> None:
    stream = io.StringIO()
    with Progress(stream).counting() as count:
        for done, label in ((1, "seen"), (2, "seen"), (1, "read"), (2, "read"), (1, "read")):  # the last begins anew
            count(done, 2, label)
    shown = [line.partition(",")[0] for line in stream.getvalue().splitlines()]
    assert shown == ["seen: 2/2", "read: 2/2", "read: 1/2"]


def test_where_counted_work_broke_off_is_said() -> None:
    def work() -> None:
        with Progress(stream).counting("tuning") as count:
            count(1, 3, "steps")
            raise ZeroDivisionError

    stream = io.StringIO()
    with pytest.raises(ZeroDivisionError):
        work()
    assert stream.getvalue().startswith("tuning: 1/3")


def test_callers_choose_where_progress_goes(capsys: pytest.CaptureFixture[str]) -> None:
    lines: list[str] = []
    for progress in (Progress.of(False), Progress.of(lines.append)):
        progress("one \x1b[2J line")
        with progress.task("work", 2) as task:
            task.advance(2)
    assert capsys.readouterr() == ("", "")
    assert lines[0] == "one \ufffd[2J line"
    assert lines[1].startswith("work: 2/2")
    kept = Progress(io.StringIO())
    assert Progress.of(kept) is kept
    Progress.of(True)("said")
    assert "said" in capsys.readouterr().err
    with pytest.raises(MmsrarecError, match="True, False, or a function"):
        Progress.of("quiet")  # type: ignore[arg-type]


def test_a_heartbeat_speaks_where_nothing_was_shown_for_long_and_is_silent_after() -> None:
    stream = io.StringIO()
    say = Progress(stream, every=1000)
    say("reading")
    with say.heartbeat(0.1):
        time.sleep(0.35)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "reading"
    assert len(lines) > 1
    assert {line.split(" so far")[1] for line in lines[1:]} == {"; before: reading"}
    time.sleep(0.25)
    assert stream.getvalue().splitlines() == lines


def test_a_heartbeat_tells_where_the_present_task_stands_and_of_those_before_nothing() -> None:
    stream = io.StringIO()
    say = Progress(stream, every=1000)
    with say.heartbeat(0.1):
        with say.task("outer", 2) as outer, say.task("letters", 3) as inner:
            outer.advance()
            inner.advance()
            time.sleep(0.25)
        shown = len(stream.getvalue().splitlines())
        time.sleep(0.25)
    lines = stream.getvalue().splitlines()
    assert lines[0].startswith("letters: 1/3, ")
    assert lines[0].endswith(" so far")
    assert all(line.startswith("still at work, ") and "; before: outer: 1/2" in line for line in lines[shown:])
    assert len(lines) > shown


def test_a_heartbeat_holds_its_tongue_where_lines_come_or_a_bar_is_shown() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = io.StringIO()
    say = Progress(stream)
    with say.heartbeat(0.2):
        for number in range(8):
            say(f"line {number}")
            time.sleep(0.05)
    assert stream.getvalue().splitlines() == [f"line {number}" for number in range(8)]
    terminal = Terminal()
    say = Progress(terminal)
    with say.heartbeat(0.1), say.task("letters", 3):
        time.sleep(0.3)
    assert "still at work" not in terminal.getvalue()


def test_a_heartbeat_ends_with_an_error() -> None:
    before = threading.active_count()
    with pytest.raises(KeyError), Progress(io.StringIO()).heartbeat(10):
        raise KeyError
    assert threading.active_count() == before
