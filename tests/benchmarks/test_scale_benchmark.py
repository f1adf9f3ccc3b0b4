"""The benchmarks of scale: the log is what it says whatever the chunks, every step runs, slopes are right."""

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest
from benchmark import FOLDER

from mmsrarec.data.dataset import Dataset


@pytest.fixture
def measure(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(FOLDER / "scale")
    return importlib.import_module("measure")


@pytest.fixture
def write_log(measure: ModuleType) -> ModuleType:
    return sys.modules[measure.write_log.__module__]


def test_a_log_is_a_data_folder_of_about_the_size_asked_for(write_log, tmp_path, monkeypatch):
    monkeypatch.setattr(write_log, "CHUNK_INTERACTIONS", 900)
    monkeypatch.setattr(write_log, "CHUNK_ITEMS", 70)
    written = write_log.write_log(tmp_path / "log", users=400, items=150, interactions=6000, seed=1)
    dataset = Dataset.load(tmp_path / "log")
    log = dataset.interactions
    assert written == {"users": 400, "items": 150, "interactions": len(log)}
    assert (log.n_users, len(dataset.items)) == (400, 150)
    assert 0.7 * 6000 < len(log) < 1.3 * 6000
    assert np.diff(log.offsets).min() >= 2
    assert dataset.has_clock
    counts = np.sort(log.counts)[::-1]
    assert counts[:15].mean() > 3 * counts[-75:].mean()  # some items are far more popular than most
    gaps = np.diff(log.time)[np.diff(log.user) == 0]
    assert 0.6 < (gaps < 3600).mean() < 0.98  # sessions, and time between them
    table = pl.read_parquet(tmp_path / "log" / "interactions.parquet")
    np.testing.assert_array_equal(table["timestamp"].to_numpy(), log.time)  # it is written in its order
    assert sorted(path.name for path in (tmp_path / "log").iterdir()) == [
        "images",
        "interactions.parquet",
        "items.parquet",
        "manifest.json",
    ]


def test_no_chunk_is_larger_than_it_may_be(write_log, monkeypatch):
    monkeypatch.setattr(write_log, "CHUNK_INTERACTIONS", 500)
    chunks = list(write_log.log_chunks(300, 50, 4000, 0))
    assert len(chunks) > 5
    assert max(map(len, chunks)) < 1000
    users = pl.concat(chunks)["user_id"].cast(pl.Int64)
    assert users.n_unique() == 300
    assert users.is_sorted()


def test_every_step_runs_and_says_what_it_took(measure, write_log, tmp_path):
    pytest.importorskip("implicit", reason="needs mmsrarec[baselines]")
    write_log.write_log(tmp_path / "log", users=60, items=40, interactions=800)
    for name in measure.STEPS:
        cell = measure.run_step(name, tmp_path / "log")
        assert cell["seconds"] >= 0
        assert cell["peak_mb"] > 10, name


def test_the_table_and_the_slopes(measure, tmp_path, monkeypatch, capsys):
    cells = {1000: {"seconds": 1, "cpu_s": 1.0, "peak_mb": 100.0}, 10_000: {"seconds": 9, "cpu_s": 10, "peak_mb": 400}}
    monkeypatch.setattr(measure, "write_log", lambda *_: None)
    monkeypatch.setattr(measure, "run_apart", lambda name, data, limit: cells[int(data.name.split("-")[1])])
    result = measure.measure([1000, 10_000], tmp_path, ["load"], 9)
    assert result["slopes"] == {"load": {"cpu_s": 1.0, "peak_mb": 0.6}}
    assert "| load | 1.00 | 100 | 10.00 | 400 | 1.0 | 0.6 |" in capsys.readouterr().out
    assert measure.slope([1, 2], [None, 3.0]) is None


def test_a_step_that_fails_or_takes_too_long_is_a_cell_of_the_table(measure, tmp_path):
    assert "failed" in measure.run_apart("load", tmp_path / "nothing", 60)
    assert measure.run_apart("load", tmp_path / "nothing", 0.01) == {"failed": "more than 0 s"}


def test_recall_is_of_what_the_exact_search_finds(measure, tmp_path):
    pytest.importorskip("faiss", reason="needs faiss-cpu")
    recall = importlib.import_module("recall")
    row = recall.compare(2000, Path(tmp_path), 10, 5, ["codes", "ivf"])
    for name in ("codes", "ivf"):  # few vectors: all are looked at
        assert row[name]["recall@5"] == pytest.approx(1)
        assert row[name]["from_the_future"] == 0
    assert json.loads(json.dumps(row)) == row


@pytest.mark.usefixtures("measure")
def test_one_query_is_timed_in_a_catalogue_of_any_size():
    one_query = importlib.import_module("one_query")
    times = one_query.measure(items=300, users=50, interactions=900, queries=20)
    assert set(times) == {
        "negatives",
        "popularity",
        "popularity_after_the_log",
        "keyword_overlap",
        "candidates_of_an_answer_p50",
    }
    assert all(spent >= 0 for spent in times.values())
    calls = []
    one_query.ms_each(lambda: calls.append(1), 3)
    assert len(calls) == 2  # what is kept is built before the clock starts


@pytest.fixture
def growth(measure: ModuleType) -> ModuleType:
    return importlib.import_module("growth")


def test_plots_are_drawn_from_what_was_measured(growth, tmp_path, monkeypatch):
    def result(sizes: list[int], cells: list[dict]) -> str:
        rows = {"load": cells, "check": cells[:1] * len(sizes), "once": [*cells[:1], {"failed": "not at this size"}]}
        return "| a table |\n" + json.dumps({"sizes": sizes, "rows": rows if len(cells[1]) > 1 else {"load": cells}})

    one, two = tmp_path / "one.json", tmp_path / "two.json"
    one.write_text(result([1000, 10_000], [{"cpu_s": 1.0, "peak_mb": 100.0}, {"cpu_s": 9.0, "peak_mb": 200.0}]))
    two.write_text(result([10_000, 100_000], [{"cpu_s": 10.0, "peak_mb": 400.0}, {"failed": "more than 9 s"}]))
    points = growth.read([one, two])
    assert points["cpu_s"]["load"] == [(1000, 1.0), (10_000, 10.0)]  # the later file counts; what failed is left out
    assert points["peak_mb"]["load"] == [(1000, 100.0), (10_000, 400.0)]
    monkeypatch.setattr(sys, "argv", ["growth.py", str(one), str(two), "--out", str(tmp_path)])
    growth.main()
    for name in ("scale-seconds.svg", "scale-memory.svg"):
        drawn = ElementTree.fromstring((tmp_path / name).read_text())
        texts = [element.text for element in drawn.iter() if element.tag.endswith("text")]
        assert {"load", "check", "interactions", "1,000", "10,000"} <= set(texts)
        assert "once" not in texts  # one size shows no growth


def test_names_of_curves_do_not_lie_over_each_other(growth):
    points = {f"step {number}": [(1000, 1.0), (10_000, 10.0 + number / 100)] for number in range(9)}
    drawn = ElementTree.fromstring(str(growth.plot(points, "title", "s")))
    at = sorted(float(e.get("y")) for e in drawn.iter() if (e.text or "").startswith("step "))
    assert len(at) == 9
    assert min(np.diff(at)) >= growth.LINE_HEIGHT - 0.11  # positions have one decimal
    assert at[-1] < growth.HEIGHT
    assert growth.spread_out([1.0, 2.0, 30.0], 5.0) == [1.0, 6.0, 30.0]
    assert growth.powers_of_ten([20, 90]) == [1.0, 2.0]
    assert growth.powers_of_ten([10.0]) == [1.0, 2.0]
