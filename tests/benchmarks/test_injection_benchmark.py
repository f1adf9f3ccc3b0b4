"""The benchmark of texts that attack counts places and changes, and writes each attack."""

from pathlib import Path
from types import ModuleType

import pytest
from benchmark import FOLDER, load_benchmark

pytest.importorskip("fastapi")
pytest.importorskip("httpx2")
from served import served


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(FOLDER / "serving")
    return load_benchmark("serving/injection")


def test_of_equal_scores_the_attacker_has_the_last_place(program: ModuleType) -> None:
    assert program.place({"a": 2.0, program.ATTACKER: 1.0, "b": 1.0, "c": 0.0}) == 3


def test_the_battery_writes_every_attack_and_looks_at_every_item(
    program: ModuleType, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attacks = program.ATTACKS[:2]
    monkeypatch.setattr(program, "ATTACKS", attacks)
    with served(finished / "run", tmp_path / "s.sqlite") as server:
        found = program.battery(server.client, 2)
        item = server.ok("GET", f"/v1/items/{program.ATTACKER}")
        n_items = len(server.recommender.dataset.items)
    assert (found["attacks"], found["users"], found["items"]) == (2, 2, n_items)
    assert item["text"] == attacks[-1].replace("\n", " ")
    assert found["change_of_others"] <= program.MOST
    assert 1 <= found["place_of_the_harmless"] <= n_items
    assert found["mean_gain"] <= found["largest_gain"] < n_items
