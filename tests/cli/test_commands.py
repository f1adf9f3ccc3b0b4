"""The command line keeps its promises: one JSON object, one line for wrong use, 0 and 2."""

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import polars as pl
import pytest

from mmsrarec import __version__
from mmsrarec.cli import commands
from mmsrarec.errors import MmsrarecError

VERBS = (
    *("demo", "fit", "import", "sample", "check", "images", "run", "summarize", "retrieve", "train", "evaluate"),
    *("update", "recommend", "explain", "export", "doctor", "map", "plan"),
)


@dataclass(frozen=True)
class Answer:
    item_id: str
    score: float
    keywords: tuple[str, ...]


class GroundTruth(list[Answer]):
    left_out, notes = (), ()


class StubRecommender:
    """Stands for a finished run, which takes minutes to make."""

    notes = ()
    dataset = SimpleNamespace(item_code={"a,b": 0}, user_ids=("7", "8", "9"))
    questions = SimpleNamespace(query=lambda *who: None)
    block_size = 2

    @classmethod
    def load(
        cls, run: Path, data: Path | None = None, device: str | None = None, late: bool = False
    ) -> "StubRecommender":
        if run.name == "nothing":
            raise MmsrarecError(f"{run} is not a finished run:\n make it with mmsrarec run")
        return cls()

    def recommend(
        self,
        user: str | None = None,
        history: list[str] | None = None,
        k: int = 10,
        reasons: bool = True,
        allow_seen: bool | None = None,
        strict: bool = False,
        **preferences: list[str],
    ) -> Any:
        print("chatter of a library")
        asked = [f"{kind} {word}" for kind, words in preferences.items() for word in words]
        return GroundTruth([Answer(f"{user}{history}", float("nan"), ("red", "mug", *asked))] * k)

    def answer_function(self, k: int, reasons: bool, allow_seen: bool | None, **preferences: list[str]) -> Any:
        from mmsrarec.runs.answers.recommendations import Recommendation, Recommendations

        def answer(questions: Any, done: Any) -> Any:
            for _ in questions:
                done()
            words = tuple(f"{kind} {word}" for kind, words in preferences.items() for word in words)
            return [Recommendations([Recommendation("i", "", 0.5, None, (), words)] * k) for _ in questions]

        return answer

    def explain(
        self, user: str | None = None, history: list[str] | None = None, item: str = "", **preferences: list[str]
    ) -> Answer:
        return Answer(item, 0.5, tuple(preferences))


@pytest.fixture(autouse=True)
def stubs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """A stub of the recommender and of `run`, whose calls are kept."""
    calls: list[tuple[Any, ...]] = []

    def run(
        recipe: Any, out: Path, stages: tuple[str, ...] | None, progress: Any, shard: Any, retune: bool
    ) -> dict[str, Any]:
        calls.append((recipe, out, stages, shard, retune))
        progress("working")
        return {"run": out, "report": out / "evaluate/report.html"}

    for name, member, value in (("runs.recommender", "Recommender", StubRecommender), ("pipeline.run", "run", run)):
        module = ModuleType(f"mmsrarec.{name}")
        setattr(module, member, value)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return calls


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    (tmp_path / "mine.toml").write_text('name = "mine"\ndata = "data"\n')
    return tmp_path / "mine.toml"


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.call(["--version"]) == 0
    assert capsys.readouterr().out == f"mmsrarec {__version__}\n"
    assert commands.call([]) == 0
    shown = capsys.readouterr().out
    assert all(verb in shown for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_and_json(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.call([verb, "--help"]) == 0
    assert "--json" in re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)


def test_json_is_one_object_and_chatter_goes_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.call(["recommend", "run", "--user", "7", "--k", "2", "--json"]) == 0
    captured = capsys.readouterr()
    answer = {"item_id": "7None", "score": None, "keywords": ["red", "mug"]}
    told = {"user": "7", "left_out": [], "notes": [], "recommendations": [answer, answer]}
    assert json.loads(captured.out) == told
    assert captured.out.count("\n") == 1
    assert "chatter" in captured.err


def test_a_history_is_a_list_of_ids_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.call(["recommend", "run", "--history", "007, 12", "--k", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["history"] == ["007", "12"]
    assert commands.call(["explain", "run", "--history", "007", "--item", "3", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"item_id": "3", "score": 0.5, "keywords": []}


def test_wishes_are_lists_that_may_be_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--more", "space opera, oak", "--more", "red", "--less", "horror"]
    assert commands.call(["recommend", "run", "--user", "7", "--k", "1", *asked, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["more"], answer["less"]) == (["space opera", "oak", "red"], ["horror"])
    words = answer["recommendations"][0]["keywords"]
    assert words == ["red", "mug", "more space opera", "more oak", "more red", "less horror"]
    assert commands.call(["explain", "run", "--user", "7", "--item", "3", "--less", "a,b", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["keywords"] == ["less"]
    assert commands.call(["explain", "run", "--user", "7", "--item", "3", "--more", " , ", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["keywords"] == []


def test_people_get_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.call(["recommend", "run", "--user", "7", "--k", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[-2:]] == [["rank", "item_id", "because"], ["1", "7None", "-"]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonsense"], "nonsense"),
        (["recommend"], "RUN"),
        (["recommend", "run"], "--user U, --history A,B,C, or --history-file FILE"),
        (["recommend", "run", "--user", "1", "--history", "2"], "one of them"),
        (["recommend", "run", "--user", "1", "--k", "0"], "--k"),
        (["recommend", "nothing", "--user", "1"], "not a finished run: make it with"),
        (["explain", "run", "--user", "1"], "--item"),
        (["import", "word", "a", "--out", "b"], "unknown format word"),
        (["run", "nowhere.toml"], "no recipe nowhere.toml"),
        (["run", "x", "--bogus"], "--bogus"),
    ],
)
@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_wrong_use_is_one_line_and_2(
    arguments: list[str], message: str, flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.call(arguments + flags) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("mmsrarec: ")
    assert captured.err.count("\n") == 1
    assert message in captured.err


@pytest.mark.parametrize(
    ("verb", "stages"),
    [
        ("run", None),
        ("summarize", ("summarize",)),
        ("retrieve", ("retrieve",)),
        ("train", ("recommend",)),
        ("evaluate", ("evaluate",)),
    ],
)
def test_a_recipe_reaches_its_stages(
    verb: str,
    stages: Any,
    recipe_file: Path,
    stubs: list[tuple[Any, ...]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert commands.call([verb, str(recipe_file), "--set", "seed=3", "--set", "evaluate.negatives=5", "--json"]) == 0
    recipe, out, called, shard, retune = stubs[0]
    assert (recipe.seed, recipe.evaluate.negatives, called, shard, retune) == (3, 5, stages, None, False)
    assert out == Path("runs/mine")
    captured = capsys.readouterr()
    assert json.loads(captured.out)["run"] == "runs/mine"
    assert "working" in captured.err


def test_tuning_and_shards_reach_the_run(recipe_file: Path, stubs: list[tuple[Any, ...]]) -> None:
    assert commands.call(["summarize", str(recipe_file), "--tune", "--shard", "2/3"]) == 0
    recipe, _, stages, shard, retune = stubs[0]
    assert recipe.summarize.tune is not None
    assert (stages, shard, retune) == (("summarize",), (1, 3), True)
    assert commands.call(["summarize", str(recipe_file), "--tune", "--set", "summarize.tune.steps=7"]) == 0
    assert stubs[1][0].summarize.tune.steps == 7


@pytest.mark.parametrize("shard", ["0/3", "4/3", "1", "a/b", "1/2/3", "-1/2"])
def test_a_shard_that_is_none_is_one_line(
    shard: str, recipe_file: Path, stubs: list[tuple[Any, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.call(["summarize", str(recipe_file), "--shard", shard]) == 2
    assert "expected I/N with I from 1 to N" in capsys.readouterr().err
    assert not stubs


def test_a_wrong_key_of_the_recipe_is_wrong_use(recipe_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.call(["run", str(recipe_file), "--set", "sed=3"]) == 2
    assert "did you mean seed?" in capsys.readouterr().err


def test_a_file_that_cannot_be_read_is_wrong_use(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def refuse(run: Path, *more: object) -> None:
        raise PermissionError(13, "Permission denied", str(run / "model"))

    monkeypatch.setenv("MMSRAREC_CACHE", str(tmp_path))
    monkeypatch.setattr(StubRecommender, "load", refuse)
    assert commands.call(["recommend", "run", "--user", "1"]) == 2
    (log,) = (tmp_path / "logs").iterdir()
    line = f"mmsrarec: run/model: Permission denied (how it came to it: {log})\n"
    assert capsys.readouterr().err == line
    assert "test_commands.py" in log.read_text()


def test_the_stop_key_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def stop(run: Path, *more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(StubRecommender, "load", stop)
    assert commands.call(["recommend", "run", "--user", "1"]) == 130
    assert "goes on" in capsys.readouterr().err


def test_doctor_names_what_a_bug_report_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.call(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["mmsrarec"] == __version__
    assert report["packages"]["numpy"]
    assert report["processor"]["cores"] >= 1
    assert report["precision"]["choice"] in ("float32", "bfloat16")
    assert report["precision"]["float32_gflops"] > 0 < report["precision"]["bfloat16_gflops"]
    assert isinstance(report["advice"], list)


def test_the_command_itself_exits_with_2() -> None:
    done = subprocess.run([sys.executable, "-m", "mmsrarec", "check"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("mmsrarec: ")


@pytest.fixture
def one_question(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stub has no run whose question could be hashed."""
    monkeypatch.setattr("mmsrarec.runs.batch_file.question_key", lambda *question: "the same")


@pytest.mark.usefixtures("one_question")
def test_many_users_are_answered_into_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "users.txt").write_text("7\n8\n")
    out = tmp_path / "deep" / "answers.parquet"
    line = ["recommend", "run", "--users", str(tmp_path / "users.txt"), "--out", str(out), "--k", "2", "--json"]
    assert commands.call([*line, "--more", "red, blue"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"out": str(out), "users": 2, "rows": 4}
    assert captured.err.splitlines()[0] == "opening run"
    assert "recommending: 2/2" in captured.err  # though it is no terminal
    assert pl.read_parquet(out)["user_id"].to_list() == ["7", "7", "8", "8"]
    assert pl.read_parquet(out)["because"].to_list() == [["more red", "more blue"]] * 4


@pytest.mark.usefixtures("one_question")
def test_everybody_is_answered_in_shares_that_are_joined(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["recommend", "run", "--users", "all", "--out", str(tmp_path / "all.csv"), "--k", "1", "--json"]
    assert commands.call([*line, "--shard", "2/2"]) == 0
    assert json.loads(capsys.readouterr().out) == {"out": str(tmp_path / "all.csv"), "shard": "2/2", "users": 1}
    assert commands.call(line) == 0
    captured = capsys.readouterr()
    assert "1 of 3 users were answered by an earlier call" in captured.err
    assert pl.read_csv(tmp_path / "all.csv", infer_schema=False)["user_id"].to_list() == ["7", "8", "9"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--users", "users.txt"], "go together"),
        (["--out", "a.csv", "--user", "7"], "go together"),
        (["--users", "users.txt", "--out", "a.csv", "--history", "1"], "go together"),
        (["--users", "nowhere.txt", "--out", "a.csv"], "cannot be read"),
        (["--users", "all", "--out", "a.xlsx"], "choose .parquet, .csv, .jsonl"),
        (["--users", "all", "--out", "a.csv", "--shard", "3/2"], "--shard 3/2: expected I/N"),
        (["--user", "7", "--shard", "1/2"], "goes with --users and --out"),
    ],
)
def test_a_wrong_question_about_many_is_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.call(["recommend", "run", *arguments]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_fit_hands_on_what_is_asked_and_tells_what_was_chosen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    asked: list[Any] = []

    def fitted(*arguments: Any) -> dict[str, Any]:
        asked.extend(arguments)
        return {"run": "r", "reasons": ["six layers rank"], "evaluation": "not measured"}

    module = ModuleType("mmsrarec.pipeline.fit")
    module.fitted = fitted  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    assert commands.call(["fit", str(tmp_path), "--out", "runs/x", "--minutes", "2", "--seed", "3"]) == 0
    assert asked[:3] == [tmp_path, Path("runs/x"), 2.0]
    assert asked[4:] == [3, "auto", "embedded"]
    assert capsys.readouterr().out == "run: r\nsix layers rank\nnot measured\n"
