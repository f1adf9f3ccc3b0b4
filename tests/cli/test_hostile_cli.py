"""A hostile pass over the command line: whatever is typed ends with an answer or with one line, never a traceback."""

import functools
import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import hostile
import pytest
from hostile import AMAZON, ITEMS, PLACES, ROWS, ends_well, files, places, words
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmsrarec.data.dataset import Dataset

MANY = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
VERY_MANY = settings(MANY, max_examples=5000)
SOME = settings(MANY, max_examples=40)

flags = st.lists(st.sampled_from(["--json", "--bogus", "-x", "--help"]), max_size=1)
recipes = st.sampled_from(["mine.toml", "mine", "binary.toml", "deep.toml", "list.toml", "sample", *PLACES]) | words
keys = st.sampled_from(
    [
        *("name", "seed", "data", "model", "model.name", "model.dtype", "model.device", "evaluate", "evaluate.rows"),
        *("evaluate.splits", "evaluate.ablations", "evaluate.n_candidates", "evaluate.negatives", "evaluate.n_seeds"),
        *(
            "retrieve.epochs",
            "retrieve.index",
            "retrieve.n_vote_neighbours",
            "retrieve.encoder",
            "recommend.learning_rate",
        ),
        *(
            "recommend.prompt_fields.pictures",
            "recommend.tasks",
            "recommend.layer_selection",
            "recommend.history",
            "recommend.layers",
        ),
        *("summarize.tune", "summarize.tune.steps", "runtime.threads", "runtime", "bogus", "a.b.c", "."),
        *("model..name", "name.x", ""),
    ]
)
values = words | st.sampled_from(
    [
        *('""', "[]", "{}", "[1]", '["nobody"]', '["mmsrarec", 3]', "-1", "0", "1e400", "nan", "inf", "true", '"x"'),
        *(
            "1979-05-27",
            "[[]]",
            "{a=1}",
            "'''",
            '"\\u0000"',
            "0x7fffffffffffffffffff",
            '["leave-one-out"]',
            '"~no-such-user/x"',
        ),
    ]
)
overrides = st.lists(st.builds("{}={}".format, keys, values) | words, max_size=3).map(
    lambda found: [part for one in found for part in ("--set", one)]
)


def option(name: str, value: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    """The option with a value, or without, or not at all."""
    return st.one_of(st.just([]), value.map(lambda given: [name, given]), st.just([name]))


def line(*parts: st.SearchStrategy[list[str]]) -> st.SearchStrategy[list[str]]:
    return st.tuples(*parts, flags).map(lambda found: [*itertools.chain(*found)])


def one(part: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(part, min_size=1, max_size=1)


run_verbs = one(st.sampled_from(["run", "summarize", "retrieve", "train", "evaluate"]))
asking_verbs = one(st.sampled_from(["recommend", "explain", "update", "check"]))
USERS = [f"u{number:04}" for number in range(1, 9)]
who = (option("--user", words), option("--history", words), option("--k", words), option("--item", words))
LINES = st.one_of(
    st.lists(words, max_size=4),
    line(st.just(["check"]), st.lists(places, max_size=2), option("--leaks", places), option("--users", words)),
    # a place that can be written is not among these: a catalogue takes seconds to draw
    line(st.just(["sample", "--out"]), one(st.sampled_from(["/", ".", "file/x", "broken"])), option("--seed", words)),
    line(
        st.just(["import"]),
        one(st.sampled_from(["tables", "sequences", "amazon"]) | words),
        one(places),
        option("--out", st.sampled_from(["imported", "file", "file/x", ".", "/", "broken", "/dev/null/x", "x" * 300])),
        option("--titles", places),
        option("--products", places),
        option("--core", words),
        option("--max-rejects", words),
    ),
    line(run_verbs, one(recipes), option("--out", st.sampled_from(["file", "file/x", "/dev/null/x"])), overrides),
    line(st.just(["run", "good.toml", "--out", "made"]), overrides),
    line(one(st.sampled_from(["summarize", "evaluate", "train"])), st.just(["good.toml", "--out", "other"]), overrides),
    line(st.just(["summarize"]), one(recipes), option("--shard", words), st.sampled_from([[], ["--tune"]]), overrides),
    line(asking_verbs, one(places), *who, option("--more", words), option("--less", words)),
    line(one(words), one(words), st.lists(words, max_size=3)),
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, drawn: Dataset) -> Iterator[Path]:
    """The current folder of the hostile, with a good data folder in it."""
    here, before = tmp_path_factory.mktemp("hostile"), Path.cwd()
    hostile.furnish(here)
    assert drawn.folder is not None
    shutil.copytree(drawn.folder, here / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MMSRAREC_CACHE", str(here / "cache"))
        os.chdir(here)
        yield here
        os.chdir(before)


def try_files(place: Path, kind: str, first: bytes, second: bytes, rejects: str, as_json: bool) -> None:
    """Import a source that somebody else wrote, and look at what came of it."""
    source, out = place / "theirs", place / "mine"
    for folder in (source, out):
        shutil.rmtree(folder, ignore_errors=True)
    source.mkdir()
    names = {"tables": ("items.jsonl", "interactions.csv"), "sequences": ("titles.csv", "log.txt")}
    for name, content in zip(names.get(kind, ("meta.jsonl", "reviews.jsonl")), (first, second), strict=True):
        (source / name).write_bytes(content)
    paths = {
        "tables": [str(source)],
        "sequences": [str(source / "log.txt"), "--titles", str(source / "titles.csv")],
        "amazon": [str(source / "reviews.jsonl"), "--products", str(source / "meta.jsonl")],
    }
    flag = ["--json"] if as_json else []
    code = ends_well(["import", kind, *paths[kind], "--out", str(out), "--max-rejects", rejects, *flag])
    assert out.exists() == (code == 0)
    ends_well(["check", str(source if kind == "tables" else out), *flag])
    if code == 0:
        assert ends_well(["check", str(out), *flag]) == 0


sources = st.one_of(
    st.tuples(st.just("tables"), files(ITEMS), files(ROWS)),
    st.tuples(st.just("sequences"), files((b"item,title\n", *ROWS)), files(ROWS)),
    st.tuples(st.just("amazon"), files(AMAZON), files(AMAZON)),
)


@MANY
@given(LINES)
def test_a_command_line_ends_well(place: Path, arguments: list[str]) -> None:
    ends_well(arguments)


@settings(MANY, max_examples=100)
@given(sources, st.sampled_from(["0", "1", "0.5"]), st.booleans())
def test_files_of_others_end_well(place: Path, source: tuple[str, bytes, bytes], rejects: str, as_json: bool) -> None:
    try_files(place, *source, rejects, as_json)


@pytest.fixture(scope="module")
def asked(finished: Path, place: Path) -> Iterator[Path]:
    """A finished run that is loaded once."""
    from mmsrarec.runs.recommender import Recommender

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Recommender, "load", functools.cache(Recommender.load))
        yield finished / "run"


known = st.sampled_from(["001", "002", "059", "060"])


def with_value(name: str, value: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    return value.map(lambda given: [name, given])


somebody = st.one_of(
    with_value("--user", st.sampled_from(USERS)),
    with_value("--user", words),
    with_value("--history", st.lists(known, max_size=4).map(",".join)),
    with_value("--history", st.lists(known | words, max_size=3).map(",".join)),
    st.lists(st.sampled_from(["--user", "--history", "x"]), max_size=4),
)
wished = st.sampled_from([[], [], ["--more", "clay, red"], ["--less", "mug"], ["--less", "  "]])
preferences = wished | with_value("--more", words) | with_value("--less", words)
counts = st.sampled_from([[], ["--k", "1"], ["--k", "60"], ["--k", "1000"]]) | with_value("--k", words)
ASKING = st.one_of(
    line(st.just(["recommend", "RUN"]), somebody, counts, preferences, st.sampled_from([[], ["--no-reasons"]])),
    line(st.just(["explain", "RUN"]), somebody, with_value("--item", known) | with_value("--item", words), preferences),
)


def ask(run: Path, arguments: list[str]) -> int:
    return ends_well([str(run) if word == "RUN" else word for word in arguments])


@SOME
@given(ASKING)
def test_questions_to_a_finished_run_end_well(asked: Path, arguments: list[str]) -> None:
    ask(asked, arguments)


@pytest.mark.slow
@VERY_MANY
@given(LINES)
def test_thousands_of_command_lines_end_well(place: Path, arguments: list[str]) -> None:
    ends_well(arguments)


@pytest.mark.slow
@settings(MANY, max_examples=2000)
@given(sources, st.sampled_from(["0", "1", "0.5"]), st.booleans())
def test_thousands_of_files_end_well(
    place: Path, source: tuple[str, bytes, bytes], rejects: str, as_json: bool
) -> None:
    try_files(place, *source, rejects, as_json)


@pytest.mark.slow
@settings(MANY, max_examples=500)
@given(ASKING)
def test_hundreds_of_questions_end_well(asked: Path, arguments: list[str]) -> None:
    ask(asked, arguments)
