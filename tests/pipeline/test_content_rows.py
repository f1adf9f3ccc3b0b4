"""Rows that read what the items are: the states are a part of the run, made once, and what leaks stays apart."""

from pathlib import Path

import numpy as np
import pytest
from finished import done, evaluated, go, prepare, report_of

from mmsrarec.data.folder import load
from mmsrarec.errors import NotFittedError
from mmsrarec.runs.run_folder import CONTENT_PART, STATES

TOWERS = ("vbpr", "freedom-style", "mllmrec-style", "mllmrec-leaky")
READERS = (*TOWERS, "mgrasrec-style")
SMALL = [
    *(f"evaluate.baselines.{name.replace('-', '_')}.epochs=2" for name in ("bpr", *TOWERS)),
    "evaluate.splits=['leave-one-out']",
    "evaluate.diagnosed_users=0",
    "evaluate.shown_users=0",
]


def rows(*names: str) -> str:
    return f"evaluate.rows={list(names)}"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("content")
    prepare(folder)
    return folder, go(folder, rows("popularity", "bpr", *READERS), *SMALL)[1]


def test_content_is_made_once_and_nothing_of_the_language_model_is_trained(made: tuple[Path, str]) -> None:
    folder, said = made
    assert CONTENT_PART in done(said)
    states = np.load(folder / "run" / CONTENT_PART / STATES)
    assert states.shape[0] == len(load(folder / "data").items)
    assert np.isfinite(states).all()
    assert not (folder / "run" / "recommend").exists()


def test_what_leaks_is_reported_apart(made: tuple[Path, str]) -> None:
    report = report_of(made[0])
    assert {"bpr", *READERS} <= {row["model"] for row in report["rows"]}
    assert any(note.startswith("mllmrec-leaky is no recommender") for note in report["notes"])
    assert not [pair for pair in report["pairs"] if "leaky" in pair["a"] + pair["b"]]
    assert "What a leak is worth" in (made[0] / "run" / "evaluate" / "report.html").read_text()


def test_without_such_rows_there_is_no_content_and_evaluating_alone_says_so(made: tuple[Path, str]) -> None:
    folder, _ = made
    _, said = go(folder, rows("popularity", "bpr"), *SMALL, out="plain")
    assert CONTENT_PART not in done(said)
    with pytest.raises(NotFittedError, match="is not a finished artefact"):
        go(folder, rows("popularity", "vbpr"), *SMALL, stages=("evaluate",), out="plain")


def test_a_row_with_other_settings_is_computed_anew_from_the_same_content(made: tuple[Path, str]) -> None:
    _, said = go(made[0], rows("popularity", "bpr", *READERS), *SMALL, "evaluate.baselines.vbpr.content_size=3")
    assert CONTENT_PART not in done(said)
    assert {line.partition(",")[0] for line in evaluated(said)} == {"vbpr"}


def test_the_generators_that_validation_chooses_rank_as_one_without_a_language_model(tmp_path: Path) -> None:
    prepare(tmp_path)
    names = ("sequential-rules", "item-knn", "ease", "ensemble")
    go(tmp_path, rows("popularity", *names), *SMALL)
    found = {(row["protocol"], row["model"]): row for row in report_of(tmp_path)["rows"]}
    for protocol in ("published", "full"):
        row = found[protocol, "ensemble"]
        assert set(row["variant"].split("+")) <= set(names)
        assert row["users"] == found[protocol, "popularity"]["users"]
    assert not (tmp_path / "run" / "summarize").exists()
