"""The diagnostics of a split: each table from rows whose answer is known by hand, and all of them from a whole run."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from finished import SEQUENCE, report_of

from mmsrarec.errors import MmsrarecError
from mmsrarec.recommend.ablations import variant_named
from mmsrarec.recommend.settings import RecommendSettings
from mmsrarec.study.diagnostics.diagnose import (
    Diagnosed,
    best_without_lm,
    diagnostics_record,
    headroom_record,
    histories_record,
    learning_curves,
    overlap_record,
    words_record,
)
from mmsrarec.study.diagnostics.learning_curve import LearningPoint
from mmsrarec.study.diagnostics.rescoring import HistoryResult, WordsResult
from mmsrarec.study.diagnostics.user_slices import Slicing
from mmsrarec.study.model_results import WITHOUT_LM
from mmsrarec.study.results import ModelResult


def metrics(*hits: float) -> dict[str, np.ndarray]:
    values = np.array(hits, dtype=float)
    return {"HR@5": values, "NDCG@5": values / 2, "MRR@5": values / 2, "AUC": 0.5 + values / 2}


def row(model: str, *hits: float, variant: str = "whole") -> ModelResult:
    return ModelResult("published", "leave-one-out", model, variant, 0, np.arange(len(hits)), metrics(*hits))


ROWS = [
    row("random", 0, 0, 0, 1),
    row("als", 1, 0, 0, 0),
    row("sasrec", 1, 1, 0, 0),
    row("mmsrarec", 0, 1, 1, 0),
]


def test_random_order_hits_nobody_that_counts() -> None:
    record = overlap_record(ROWS)
    assert record is not None
    assert (record["any"], record["any_without_lm"]) == (0.75, 0.5)
    assert record["rows"] == ["random", "als", "sasrec", "mmsrarec"]
    assert record["ours"] == [False, False, False, True]
    assert record["jaccard"][2] == [0, 0.5, 1, pytest.approx(1 / 3)]
    assert overlap_record(ROWS[:1]) is None
    assert overlap_record([]) is None


def test_an_ensemble_is_the_one_to_beat_where_there_is_one() -> None:
    assert best_without_lm(ROWS) is ROWS[2]
    ensemble = row("als+ease", 1, 0, 0, 0, variant=WITHOUT_LM)
    assert best_without_lm([*ROWS, ensemble]) is ensemble
    assert best_without_lm(ROWS[3:]) is None


def test_headroom_of_the_best_row() -> None:
    record = headroom_record(ROWS)
    assert record is not None
    assert (record["row"], record["ensemble"], record["HR@5"], record["errors"]) == ("sasrec", False, 0.5, 2)
    assert record["mended"] == 0.5
    assert [point["HR@5"] for point in record["points"]] == pytest.approx([0.55, 0.625, 0.75, 1])
    assert headroom_record(ROWS[:3])["mended"] is None  # type: ignore[index]
    assert headroom_record(ROWS[3:]) is None


def test_a_history_is_compared_with_the_true_one_of_the_same_model() -> None:
    hits, none = metrics(*[1.0] * 12), metrics(*[0.0] * 12)
    results = [
        HistoryResult("sasrec", 1.5, {"true": hits, "shuffled": hits, "empty": none}),
        HistoryResult("mmsrarec", 9.0, {"true": none, "shuffled": none}),
    ]
    record = histories_record(results, 0, 100)
    assert record is not None
    assert (record["users"], record["seconds"]) == (12, {"sasrec": 1.5, "mmsrarec": 9.0})
    changes = {
        (line["model"], line["history"]): {name: each["difference"] for name, each in line["differences"].items()}
        for line in record["lines"]
    }
    assert changes["sasrec", "true"] == {}
    assert changes["sasrec", "empty"] == {"HR@5": -1, "NDCG@5": -0.5, "AUC": -0.5}
    assert set(changes["sasrec", "shuffled"].values()) == set(changes["mmsrarec", "shuffled"].values()) == {0}
    tests = [each for line in record["lines"] for each in line["differences"].values()]
    assert all(each["p_holm"] >= each["p"] for each in tests)
    assert record["lines"][2]["differences"]["HR@5"]["p_holm"] < 0.05
    assert histories_record([], 0, 100) is None


def test_the_language_model_is_compared_with_the_words() -> None:
    words = WordsResult(7, {"popularity": {"nobody": -1.0}}, metrics(0, 0, 0, 0))
    record = words_record(words, ROWS[3], 0, 100)
    assert record is not None
    assert (record["name"], record["queries"]) == ("words-logit", 7)
    assert (record["metrics"]["HR@5"]["value"], record["ours"]["HR@5"]["value"]) == (0, 0.5)
    assert record["differences"]["HR@5"]["difference"] == 0.5
    assert words_record(None, ROWS[3], 0, 100) is words_record(words, None, 0, 100) is None
    with pytest.raises(MmsrarecError, match="other users"):
        words_record(words, row("mmsrarec", 1, 0), 0, 100)


def diagnosed(**more: Any) -> Diagnosed:
    slicing = Slicing("items of history", [("2", np.array([True, True, False, False]))])
    curves = {"whole": (12, [LearningPoint(6, 2.0, 0.5)])}
    return replace(Diagnosed("leave-one-out", ROWS, [slicing], [], None, curves), **more)


def test_a_record_has_every_part_and_is_json() -> None:
    record = json.loads(json.dumps(diagnostics_record(diagnosed(), resamples=100), allow_nan=False))
    assert (record["split"], record["users"]) == ("leave-one-out", 4)
    (slicing,) = record["slices"]
    (part,) = slicing["parts"]
    assert (slicing["by"], part["slice"], part["users"]) == ("items of history", "2", 2)
    assert part["rows"]["sasrec"]["HR@5"]["value"] == 1
    assert record["curves"] == [{"variant": "whole", "packs": 12, "points": [{"packs": 6, "loss": 2, "first": 0.5}]}]
    empty = diagnostics_record(Diagnosed("a", [], [], [], None, {}))
    assert (empty["users"], empty["overlap"], empty["headroom"], empty["histories"]) == (0, None, None, None)


def test_whatever_moves_a_diagnostic_makes_the_report_anew() -> None:
    words = WordsResult(7, {"popularity": {"nobody": -1.0}}, metrics(0, 0))
    history = HistoryResult("sasrec", 1.0, {"true": metrics(1, 0)})
    changes: list[dict[str, Any]] = [
        {},
        {"slicings": []},
        {"words": words},
        {"words": replace(words, queries=8)},
        {"histories": [history]},
        {"histories": [replace(history, metrics={"true": metrics(1, 1)})]},
        {"curves": {}},
    ]
    assert len({diagnosed(**change).key for change in changes}) == len(changes)
    assert diagnosed().key == diagnosed().key
    assert diagnosed(histories=[replace(history, seconds=2.0)]).key == diagnosed(histories=[history]).key


def test_curves_are_those_of_trainings_that_differ_in_packs_alone(tmp_path: Path) -> None:
    settings = RecommendSettings(n_examples=1200, epochs=2)
    variants = ["titles", "whole", "packs 300", "history 3", "packs 4800", "untrained"]
    for variant in variants[:4]:
        folder = tmp_path / "recommend" / "leave-one-out" / variant.replace(" ", "-")
        folder.mkdir(parents=True)
        curve = [{"step": 0, "task": "choose", "loss": 2.0, "first": 0.5}]
        (folder / "training.json").write_text(json.dumps({"curve": curve}))
    run_folder = SimpleNamespace(
        folder=tmp_path, recommend_settings=lambda variant: variant_named(variant).applied(settings)
    )
    comparison: Any = SimpleNamespace(run_folder=run_folder, name="leave-one-out")
    curves = learning_curves(comparison, variants)
    assert {variant: packs for variant, (packs, _) in curves.items()} == {"packs 300": 600, "whole": 2400}
    assert list(curves) == ["packs 300", "whole"]
    assert curves["whole"][1] == [LearningPoint(1200, 2.0, 0.5)]


def test_a_whole_run_has_diagnostics_of_each_split(finished: Path) -> None:
    first, second = report_of(finished)["diagnostics"]
    assert (first["split"], second["split"]) == ("leave-one-out", "user-8-1-1")
    assert second["histories"] is None
    for entry in (first, second):
        assert entry["overlap"]["rows"][0] == "random"
        assert entry["words_logit"]["metrics"].keys() == {"HR@5", "NDCG@5", "AUC"}
        assert [curve["variant"] for curve in entry["curves"]] == ["whole"]
        for slicing in entry["slices"]:
            assert sum(part["users"] for part in slicing["parts"]) == entry["users"]
    lines = first["histories"]["lines"]
    assert list(dict.fromkeys(line["model"] for line in lines)) == [*SEQUENCE, "mmsrarec"]
    assert [line["history"] for line in lines[:4]] == ["true", "shuffled", "empty", "another user's"]
    assert (finished / "run" / "evaluate" / "report.html").read_text().count("<h2>Diagnostics</h2>") == 2
