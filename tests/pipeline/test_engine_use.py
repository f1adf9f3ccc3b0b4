"""A run whose keywords another engine writes: asked once, kept, counted, reported, never keyed by an address."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from chat_server import ChatServer, Reply, completion, question_of
from finished import done, go, prepare, recipe_in

from mmsrarec.cli.commands import call
from mmsrarec.engines.protocol import COST_FIGURES, EngineFacts
from mmsrarec.engines.server_address import KEY_VARIABLE
from mmsrarec.errors import MmsrarecError
from mmsrarec.pipeline.engine_use import UNCHECKED, introduction
from mmsrarec.runs.run_folder import RunFolder

STAGE = ("pictures", "summarize")


def says(before: int, body: dict[str, Any]) -> Reply:
    """Words of the text, or two for a picture; no small model would say these."""
    content = body["messages"][-1]["content"]
    if not isinstance(content, str):
        return Reply(body=completion("Zebra, star", model="big-2026"))
    return Reply(body=completion(", ".join(question_of(body).split("\n")[1].split()[:3]), model="big-2026"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """data/, model/ and tiny.toml."""
    place = tmp_path_factory.mktemp("engines")
    prepare(place)
    return place


def asks(server: ChatServer, **more: Any) -> list[str]:
    settings = {"runtime.engine": "openai", "runtime.engine_url": server.url, "summarize.model": "big", **more}
    return [f"{name}={json.dumps(value)}" for name, value in settings.items()]


def test_keywords_come_from_the_server_once_and_are_counted(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "sk-secret-9")
    with ChatServer(says, models=("other",)) as server:
        facts, said = go(folder, *asks(server), stages=STAGE)
        n_asked = len(server.requests)
        assert f'engine: asking "big" at {server.url}, 8 requests at once; it lists 1 models, and not this one' in said
        assert UNCHECKED in said
        assert f"{n_asked} answers by big-2026 at {server.url}" in said
        summary = facts["summarize"]
        assert [summary[name] for name in COST_FIGURES[:3]] == [n_asked, 10 * n_asked, 3 * n_asked]
        keywords = pl.read_parquet(folder / "run" / "summarize" / "keywords.parquet")
        assert set(keywords["model"]) == {"big"}
        assert keywords.filter(pl.col("image_source") == "model")["image"].to_list()[0] == ["zebra", "star"]
        assert not [flag for flags in keywords["flags"] for flag in flags if flag.startswith("unsupported")]
        assert server.requests[0]["messages"][0]["role"] == "system"
        page = (folder / "run" / "evaluate" / "summaries.html").read_text()
        assert "tokens that the engine read" in page

        _, said = go(folder, *asks(server), stages=STAGE)
        assert not done(said)
        assert len(server.requests) == n_asked
    assert "sk-secret" not in capsys.readouterr().err + said
    for file in folder.rglob("*"):
        assert not file.is_file() or b"sk-secret" not in file.read_bytes(), file


def test_another_address_asks_nothing_and_another_model_everything(folder: Path) -> None:
    with ChatServer(says) as first:
        go(folder, *asks(first), stages=STAGE, out="moved")
        n_asked = len(first.requests)
    shutil.rmtree(folder / "moved" / "summarize")  # the part is lost, its answers are not
    with ChatServer(says) as second:
        _, said = go(folder, *asks(second, **{"runtime.engine_model": "served"}), stages=STAGE, out="moved")
        assert "summarize" in done(said)
        assert second.requests == []
        go(folder, *asks(second, **{"summarize.model": "other"}), stages=STAGE, out="moved")
        assert len(second.requests) == n_asked
    with closing(sqlite3.connect(folder / "moved" / "summaries.sqlite")) as db:
        assert {model for (model,) in db.execute("SELECT DISTINCT model FROM answers")} == {"big", "other"}


def test_the_key_of_a_run_of_this_process_knows_no_engine(folder: Path) -> None:
    plain, elsewhere = recipe_in(folder), recipe_in(folder, "runtime.engine_url='http://localhost:9/v1'")
    keys = {RunFolder(recipe, folder / "none").recipe.summarize.model for recipe in (plain, elsewhere)}
    assert keys == {None}


def test_what_is_wrong_is_said_before_any_work(folder: Path) -> None:
    with ChatServer(key="needed") as server:
        for overrides, message in (
            (asks(server), "wants a key"),
            (asks(server, **{"runtime.engine_url": "http://127.0.0.1:9/v1"}), "no engine answers at"),
            (asks(server)[:2], "needs to know which model answers"),
            ([*asks(server), "summarize.tune={}"], "cannot ask a tuned policy"),
        ):
            with pytest.raises(MmsrarecError, match=message):
                go(folder, *overrides, stages=STAGE, out="wrong")
    assert not (folder / "wrong").exists()
    with pytest.raises(MmsrarecError, match="name it with --engine openai"):
        go(folder, "summarize.model='big'", stages=STAGE, out="wrong")


def test_the_command_line_chooses_the_engine(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe, out = str(folder / "tiny.toml"), str(folder / "typed")
    with ChatServer(says) as server:
        sets = [part for text in asks(server)[1:] for part in ("--set", text)]
        assert call(["summarize", recipe, "--out", out, "--engine", "openai", *sets, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["summarize"]["engine_answers"] > 0
        assert call(["doctor", recipe, "--set", "runtime.engine='openai'", *sets, "--json"]) == 0
        engine = json.loads(capsys.readouterr().out)["engine"]
        assert engine["answers"]
        assert (engine["place"], engine["model"], engine["offers"]) == (server.url, "big", ["stand-in"])
    assert call(["doctor", recipe, "--set", "runtime.engine='openai'", *sets, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert not report["engine"]["answers"]
    assert any("no engine answers" in line for line in report["advice"])
    assert call(["summarize", recipe, "--out", out, "--engine", "cloud"]) == 2
    assert "runtime.engine" in capsys.readouterr().err


def test_the_introduction_names_the_model_and_the_place() -> None:
    assert introduction(EngineFacts("openai", "big", "http://a/v1", ("big",)), 4) == (
        'engine: asking "big" at http://a/v1, 4 requests at once'
    )
