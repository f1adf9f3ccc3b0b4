"""Rankers by name: what each is made from, and what is said of names that are wrong."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from mmsrarec.data.dataset import Interactions
from mmsrarec.data.splits import leave_one_out
from mmsrarec.errors import MmsrarecError
from mmsrarec.evaluate.settings import EvaluateSettings
from mmsrarec.rankers.registry.built_in import BUILT_IN
from mmsrarec.rankers.registry.registry import (
    CLASSIC,
    CONTENT,
    GENERATORS,
    STAGE_2,
    ItemContent,
    Source,
    candidate_generators,
    leak_of,
    made_from_log,
    make_row,
    ranker_class,
    ranker_names,
)
from mmsrarec.rankers.registry.settings import BaselineSettings
from mmsrarec.retrieve.settings import ENCODERS
from mmsrarec.study.model_names import check_generators, check_rows, needs_stage_2, obeys_clock
from mmsrarec.testing import tiny_log

SETTINGS = {
    "recent-popularity": {"share": 0.9},
    "sequential-rules": {"window": 1},
    "item-knn": {"k": 1, "shrinkage": 5.0},
    "user-knn": {"k": 2},
    "als": {"factors": 2, "iterations": 1},
    "ease": {"l2": 9000.0},
    "bpr": {"epochs": 1},
}


def refuse(*asked: object) -> None:
    raise AssertionError("a ranker of the log alone asked for stage 2")


def source(train: Interactions, **tables: object) -> Source:
    return Source(train, 0, refuse, refuse, BaselineSettings.model_validate(tables))  # type: ignore[arg-type]


def test_every_ranker_has_its_own_name_and_is_made_from_the_log_or_from_stage_2() -> None:
    assert sorted([*CLASSIC, *CONTENT, *STAGE_2]) == sorted(BUILT_IN)
    assert CONTENT == ("vbpr", "freedom-style", "mllmrec-style", "mllmrec-leaky", "mgrasrec-style")
    assert {*STAGE_2} == {*ENCODERS, "neighbours-only"}
    assert ("sequential-rules", "als", "ease", "bpr", *CONTENT[:3], "mgrasrec-style", *ENCODERS) == GENERATORS
    assert all(ranker.name == name for name, ranker in BUILT_IN.items())


@pytest.mark.parametrize("name", CLASSIC)
def test_a_ranker_of_the_log_is_made_without_stage_2(name: str) -> None:
    if name == "als":
        pytest.importorskip("implicit")
    split = leave_one_out(tiny_log())
    made = make_row(name, source(split.train))
    fitted = ranker_class(name)().fit(split.train)
    np.testing.assert_array_equal(made.score(split.test, None), fitted.score(split.test, None))


@pytest.mark.parametrize("name", CONTENT)
def test_a_ranker_of_content_is_made_from_the_log_and_the_content(name: str) -> None:
    split = leave_one_out(tiny_log())
    states = np.random.default_rng(0).normal(size=(split.train.n_items, 6)).astype(np.float32)
    own = {"steps": 1} if name == "mgrasrec-style" else {"epochs": 2, "factors": 4}
    tables = {name.replace("-", "_"): own}
    with pytest.raises(MmsrarecError, match="reads what the items are"):
        make_row(name, source(split.train, **tables))
    made = make_row(name, replace(source(split.train, **tables), content=lambda: ItemContent(states, "key")))
    fitted = ranker_class(name)(content=states, **own).fit(split.train)
    np.testing.assert_array_equal(made.score(split.test, None), fitted.score(split.test, None))


def test_the_row_that_leaks_says_so_and_only_that() -> None:
    assert {name: leak_of(name) for name in (*ranker_names(), "mmsrarec") if leak_of(name)} == {
        "mllmrec-leaky": "mllmrec-style"
    }
    assert "mllmrec-leaky" not in candidate_generators(ranker_names())
    assert "mllmrec-leaky" not in EvaluateSettings().rows


@pytest.mark.parametrize("name", SETTINGS)
def test_a_ranker_is_made_by_its_own_settings(name: str) -> None:
    if name == "als":
        pytest.importorskip("implicit")
    split = leave_one_out(tiny_log())
    tables = {name.replace("-", "_"): SETTINGS[name]}
    usual, other = (make_row(name, source(split.train, **given)).score(split.test, None) for given in ({}, tables))
    assert not np.allclose(usual, other)


def test_names_are_checked_before_anything_is_made() -> None:
    check_rows(["ease", "sasrec", "mmsrarec"], 20_000)
    with pytest.raises(MmsrarecError, match=r'unknown row "eaes": choose from random'):
        check_rows(["ease", "eaes"], 5)
    with pytest.raises(MmsrarecError, match=r'EASE needs 40.0 GB for 100,000 items .*leave "ease" out'):
        check_rows(["ease"], 100_000)
    check_rows(["als"], 100_000)
    check_generators(["als", "mmsrarec"])
    with pytest.raises(MmsrarecError, match=r"full ranking needs a generator among evaluate.rows: sequential-rules"):
        check_generators(["popularity", "mmsrarec"])
    with pytest.raises(MmsrarecError, match=r'no ranker "eaes" is installed: choose from random'):
        ranker_class("eaes")


def test_what_a_row_needs_is_declared_by_its_class() -> None:
    assert candidate_generators(["popularity", "gru4rec", "als", "mmsrarec"]) == ["als", "gru4rec"]
    assert made_from_log("als")
    assert not any(map(made_from_log, ("sasrec", "mmsrarec", "nobody")))
    assert [name for name in (*ranker_names(), "mmsrarec", "context-only") if needs_stage_2(name)] == [
        *(*ENCODERS, "neighbours-only", "context-only"),
    ]
    assert [name for name in (*ranker_names(), "mmsrarec") if obeys_clock(name)] == [
        *("popularity-as-of", "recent-popularity", "neighbours-only", "mmsrarec"),
    ]


def test_names_cost_no_heavy_imports() -> None:
    program = (
        "import sys, mmsrarec.rankers as rankers, mmsrarec.testing\n"
        "assert 'numpy' not in sys.modules\n"
        "assert {*rankers.__all__} == {*rankers._HOME}\n"
        "for name in rankers.__all__: getattr(rankers, name)\n"
        "import mmsrarec.testing.ranker_laws, mmsrarec.testing.logs\n"
        "from mmsrarec.rankers.registry.settings import BaselineSettings; BaselineSettings()\n"
        "print([name for name in ('torch', 'scipy', 'implicit', 'pytest') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
