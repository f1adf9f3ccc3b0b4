"""The comparison as a whole: which rows are tested in pairs, which are served, and what the report is made from."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_inputs import row

from mmsrarec.core.artefacts import writing
from mmsrarec.data.dataset import Dataset
from mmsrarec.data.identity import KeptLog
from mmsrarec.recommend.ablations import SWEEPS
from mmsrarec.runs.recipe import Recipe
from mmsrarec.runs.run_folder import RunFolder
from mmsrarec.study.comparison import (
    LEAKS,
    TESTED_METRICS,
    answered_by,
    checked_parts,
    full_method_rows,
    leak_checks,
    paired_tests,
    report_key,
    seed_rows,
    served_rows,
    sweep_rows,
)
from mmsrarec.study.model_results import row_folder
from mmsrarec.study.results import ModelResult, save_row

FUSED = "fused with als"
RECIPE = Recipe.model_validate({"name": "a", "data": ".", "seed": 4, "evaluate": {"resamples": 100}})


def full_row(model: str = "mmsrarec", variant: str = "whole", **more: Any) -> ModelResult:
    """A row of full ranking, with its metrics."""
    values = np.random.default_rng(1).random(80)
    metrics = {"HR@10": (values > 0.5).astype(float), "NDCG@10": values}
    return ModelResult("full", "user-8-1-1", model, variant, 0, np.arange(80), metrics, **more)


row_lists = st.lists(
    st.tuples(
        st.sampled_from(["als", "random", "mmsrarec", "plain-fine-tuning"]),
        st.sampled_from(["whole", FUSED, "without pictures", "k 5"]),
        st.sampled_from(["published", "full"]),
    ),
    unique=True,
    max_size=8,
).map(lambda names: [(full_row if protocol == "full" else row)(model, variant) for model, variant, protocol in names])


@given(row_lists)
def test_a_table_has_one_served_row_at_most_and_it_is_of_the_full_method(rows: list[ModelResult]) -> None:
    served = served_rows(rows)
    for protocol in ("published", "full"):
        own = [one for one in rows if one.protocol == protocol and one.model == "mmsrarec"]
        whole = [one for one in own if one.variant in ("whole", FUSED)]
        assert [one for one in served if one.protocol == protocol] == whole[-1:]


@given(row_lists)
def test_rows_of_the_full_method_are_those_of_the_same_table(rows: list[ModelResult]) -> None:
    for one in rows:
        for other in full_method_rows(rows, one):
            assert (other.protocol, other.split, other.model) == (one.protocol, one.split, "mmsrarec")
            assert other.variant not in ("without pictures", "k 5")


@given(row_lists)
def test_no_two_rows_are_compared_twice_and_none_with_itself(rows: list[ModelResult]) -> None:
    pairs = [pair for one in rows for pair in paired_tests(rows, one, RECIPE)]
    names = [(pair["protocol"], pair["metric"], frozenset((pair["a"], pair["b"]))) for pair in pairs]
    assert len(set(names)) == len(names)
    assert all(len(labels) == 2 for _, _, labels in names)
    for protocol in TESTED_METRICS:
        table = [one for one in rows if one.protocol == protocol]
        n = len([one for one in table if one in full_method_rows(table, one)])
        expected = n * (len(table) - n) + n * (n - 1) // 2
        assert sum(pair["protocol"] == protocol for pair in pairs) == expected * len(TESTED_METRICS[protocol])


def test_the_full_method_stands_first_in_a_pair_and_the_difference_has_its_sign() -> None:
    rows = [row("als"), row(shift=0.2)]
    pairs = paired_tests(rows, rows[0], RECIPE)
    assert [(pair["a"], pair["b"], pair["metric"]) for pair in pairs] == [
        ("mmsrarec", "als", metric) for metric in ("HR@5", "NDCG@5", "AUC")
    ]
    assert all(pair["difference"] > 0 for pair in pairs)
    assert paired_tests(rows, rows[1], RECIPE) == []


def test_rows_of_another_split_are_another_table() -> None:
    other = ModelResult("published", "leave-one-out", "als", "whole", 0, np.arange(3), {"AUC": np.ones(3)})
    rows = [row(), other]
    assert paired_tests(rows, other, RECIPE) == []
    assert served_rows(rows) == rows[:1]


def test_points_of_a_sweep_are_in_order_and_the_recipe_has_its_own() -> None:
    rows = [row(), row(variant="k 9"), row(variant="k 1"), row(variant="without pictures"), row("als")]
    points = sweep_rows(rows, RECIPE, "user-8-1-1")
    assert points.keys() == {SWEEPS["k"]}
    values = [value for value, _ in points[SWEEPS["k"]]]
    assert values == sorted({1, 9, RECIPE.retrieve.k})
    labels = {value: point.variant for value, point in points[SWEEPS["k"]]}
    assert labels == {1: "k 1", 9: "k 9", RECIPE.retrieve.k: "whole"}


def test_at_the_value_of_the_recipe_the_whole_method_is_the_point() -> None:
    rows = [row(variant=f"history {RECIPE.recommend.history}"), row()]
    assert sweep_rows(rows, RECIPE, "user-8-1-1") == {SWEEPS["history"]: [(RECIPE.recommend.history, rows[1])]}


def test_the_learning_curve_in_packs_is_a_sweep() -> None:
    rows = [row(), row(variant="packs 19200"), row(variant="packs 300")]
    (points,) = sweep_rows(rows, RECIPE, "user-8-1-1").values()
    assert [packs for packs, _ in points] == [300, RECIPE.recommend.n_examples, 19_200]


@pytest.mark.parametrize(
    "rows", [[], [row()], [row("als", "k 3")], [full_row(variant="k 3")], [row(variant="without pictures")]]
)
def test_where_nothing_is_swept_there_is_no_sweep(rows: list[ModelResult]) -> None:
    assert sweep_rows(rows, RECIPE, "user-8-1-1") == {}
    assert sweep_rows([row(variant="k 3")], RECIPE, "leave-one-out") == {}


@pytest.mark.parametrize("text", [None, "", "{", "[]x", '{"rows": []}'])
def test_a_report_that_is_missing_or_damaged_has_no_key(tmp_path: Path, text: str | None) -> None:
    (tmp_path / "report.html").write_text("<html>")
    if text is not None:
        (tmp_path / "report.json").write_text(text)
    assert report_key(tmp_path) is None


def test_a_report_has_a_key_once_its_page_is_there(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text('{"manifest": "abc"}')
    assert report_key(tmp_path) is None
    (tmp_path / "report.html").write_text("<html>")
    assert report_key(tmp_path) == "abc"


def run_in(folder: Path, data: Dataset, **tables: Any) -> RunFolder:
    recipe = Recipe.model_validate({"name": "a", "data": data.folder} | tables)
    return RunFolder(recipe, folder, data)


def finish_part(folder: Path, part: str, key: str) -> None:
    (folder / part).parent.mkdir(parents=True, exist_ok=True)
    with writing(folder / part, kind="part", key=key) as draft:
        (draft / "file.txt").write_text(key)


def test_leak_checks_inspect_the_parts_that_are_finished(drawn: Dataset, tmp_path: Path) -> None:
    run_folder = run_in(tmp_path, drawn, evaluate={"splits": ["leave-one-out"]})
    assert checked_parts(run_folder).keys() == {"asked"}
    finish_part(tmp_path, "summarize", "first")
    finish_part(tmp_path, "retrieve/leave-one-out", "second")
    finish_part(tmp_path, "retrieve/time-cut", "of no split of the recipe")
    parts = checked_parts(run_folder)
    assert {name: key for name, key in parts.items() if name != "asked"} == {
        "summarize": "first",
        "retrieve/leave-one-out": "second",
    }
    other = run_in(tmp_path, drawn, evaluate={"splits": ["leave-one-out"]}, retrieve={"k": 7})
    assert checked_parts(other)["asked"] != parts["asked"]


def test_leak_checks_count_for_the_parts_that_they_were_made_on(drawn: Dataset, tmp_path: Path) -> None:
    run_folder = run_in(tmp_path, drawn)
    file, checks = tmp_path / LEAKS, [{"name": "a check", "passed": True}]
    assert leak_checks(run_folder) == []
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"parts": checked_parts(run_folder), "checks": checks}))
    assert leak_checks(run_folder) == checks
    finish_part(tmp_path, "summarize", "new")
    assert leak_checks(run_folder) == []  # of an earlier state
    file.write_text(json.dumps({"parts": checked_parts(run_folder), "checks": checks}))
    assert leak_checks(run_folder) == checks
    file.write_text("{")
    assert leak_checks(run_folder) == []


def test_rows_of_other_seeds_come_in_the_order_of_the_seeds_and_of_their_reports(
    drawn: Dataset, tmp_path: Path
) -> None:
    results = {6: [row("als", shift=0.1), row()], 7: [row(), full_row()]}
    for seed, rows in results.items():
        folder = tmp_path / "seeds" / str(seed)
        for one in rows:
            save_row(row_folder(folder, one.split, one.protocol, one.model, one.variant), one)
        names = [{key: getattr(one, key) for key in ("split", "protocol", "model", "variant")} for one in rows]
        (folder / "evaluate" / "report.json").write_text(json.dumps({"rows": names}))
    others = seed_rows(run_in(tmp_path, drawn, seed=5, evaluate={"n_seeds": 3}))
    labels = [[(one.protocol, one.model) for one in rows] for rows in others]
    assert labels == [
        [("published", "als"), ("published", "mmsrarec")],
        [("published", "mmsrarec"), ("full", "mmsrarec")],
    ]
    np.testing.assert_array_equal(others[0][0].metrics["AUC"], results[6][0].metrics["AUC"])


def test_with_one_seed_there_are_no_others(drawn: Dataset, tmp_path: Path) -> None:
    assert seed_rows(run_in(tmp_path, drawn)) == []


def test_before_it_is_refitted_a_run_answers_by_its_training_interactions(drawn: Dataset, tmp_path: Path) -> None:
    run_folder = run_in(tmp_path, drawn, evaluate={"splits": ["user-8-1-1", "leave-one-out"]})
    train = run_folder.split("user-8-1-1").train
    assert answered_by(run_folder) == {
        "fitted_on": "user-8-1-1: training interactions",
        "interactions": len(train),
    }


def test_after_it_is_refitted_a_run_answers_by_all_interactions(
    drawn: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "retrieve" / "all"
    folder.mkdir(parents=True)
    KeptLog.of(drawn).save(folder)
    monkeypatch.setattr("mmsrarec.study.comparison.served_on", lambda folder, split, variant: "all")
    answer = answered_by(run_in(tmp_path, drawn))
    assert answer == {"fitted_on": "all interactions", "interactions": len(drawn.interactions)}
