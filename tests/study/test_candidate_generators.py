"""Rows that propose: which may, how many items, what is fused with them, and what is kept of the choice."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmsrarec.core.progress import Progress
from mmsrarec.data.dataset import Dataset, FloatArray, IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.rankers.base import CandidateGenerator
from mmsrarec.rankers.ensemble.conditional_logit import ALONE, Logit
from mmsrarec.rankers.ensemble.interleaved import HiddenItems
from mmsrarec.rankers.ensemble.weighted import WeightedEnsemble
from mmsrarec.rankers.registry.registry import GENERATORS
from mmsrarec.rankers.sequential_rules import SequentialRules
from mmsrarec.runs.recipe import Recipe
from mmsrarec.runs.run_folder import RunFolder
from mmsrarec.study.candidate_generators import CandidateGenerators
from mmsrarec.study.generator_selection import SelectedGenerators
from mmsrarec.study.model_scorers import Scorers

TWO = SelectedGenerators(("sequential-rules", "ease"), Logit((0.7, 0.3), (0.0, 0.0), ((1.0, 0.0), (0.0, 1.0))), {})


def generators_of(data: Dataset, folder: Path, *, seed: int = 0, **evaluate: Any) -> CandidateGenerators:
    """The candidate generators of leave-one-out in a run of which every part counts as finished."""
    recipe = Recipe.model_validate({"name": "a", "data": data.folder, "seed": seed, "evaluate": evaluate})
    run_folder = RunFolder(recipe, folder, data)
    run_folder.recorded = str
    scorers = Scorers(run_folder, "leave-one-out", lambda done, total, label: None)
    generators = CandidateGenerators(scorers, Progress.of(False))
    generators.words = [()] * len(data.items)  # stage 1 has not run
    return generators


class LanguageModel:
    """Gives every candidate the same score, and counts how often it was asked."""

    name = "language model"

    def __init__(self) -> None:
        self.calls = 0

    def as_cold(self, items: object) -> "LanguageModel":
        return self

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        assert candidates is not None
        self.calls += 1
        return np.full(candidates.shape, 0.5)


def loader(model: LanguageModel) -> Callable[[], Any]:
    return lambda: model


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        (("popularity", "mmsrarec"), []),
        (("mmsrarec", "ease", "random", "als"), ["als", "ease"]),
        (("content-sasrec", "sequential-rules"), ["sequential-rules", "content-sasrec"]),
        (tuple(reversed(GENERATORS)), list(GENERATORS)),
    ],
)
def test_rows_that_may_propose_come_in_the_order_of_the_registry(
    drawn: Dataset, tmp_path: Path, rows: tuple[str, ...], names: list[str]
) -> None:
    assert generators_of(drawn, tmp_path, rows=rows).names == names


@pytest.mark.parametrize(("wanted", "proposed"), [(1, 1), (7, 7), (50, 50), (51, 50), (10_000, 50)])
def test_at_most_half_of_the_catalogue_is_proposed(drawn: Dataset, tmp_path: Path, wanted: int, proposed: int) -> None:
    assert len(drawn.items) == 100
    assert generators_of(drawn, tmp_path, n_candidates=wanted).proposed == proposed


def test_a_choice_of_one_is_that_row_itself(drawn: Dataset, tmp_path: Path) -> None:
    generators = generators_of(drawn, tmp_path, rows=["sequential-rules", "ease"])
    generators.choice = SelectedGenerators(("sequential-rules",))
    assert isinstance(generators.generator(), SequentialRules)
    assert generators.chosen == generators.generator().name == "sequential-rules"


def test_a_choice_of_several_is_their_ensemble_by_the_logit_that_was_learned(drawn: Dataset, tmp_path: Path) -> None:
    generators = generators_of(drawn, tmp_path, rows=["sequential-rules", "ease"])
    generators.choice = TWO
    ensemble = generators.generator()
    assert isinstance(ensemble, WeightedEnsemble)
    assert (ensemble.logit, ensemble.n_items) == (TWO.logit, 100)
    assert generators.chosen == ensemble.name == "sequential-rules+ease"
    before = generators.generator(tested=False)
    assert isinstance(before, WeightedEnsemble)
    assert all(isinstance(part, HiddenItems) for part in before.generators)
    assert not any(isinstance(part, HiddenItems) for part in ensemble.generators)


@pytest.mark.parametrize(
    ("rows", "choice", "fused"),
    [
        (("ease", "sequential-rules"), TWO, ("sequential-rules", "ease")),
        (("ease", "sequential-rules", "sasrec"), TWO, ("sequential-rules", "ease", "sasrec")),
        (("sasrec", "content-sasrec"), SelectedGenerators(("sasrec",)), ("sasrec", "content-sasrec")),
        (("sasrec", "content-sasrec"), SelectedGenerators(("content-sasrec",)), ("content-sasrec", "sasrec")),
        (("gru4rec", "ease"), SelectedGenerators(("ease",)), ("ease",)),
    ],
)
def test_fused_rows_are_the_chosen_ones_first_and_then_the_encoders_of_the_recipe(
    drawn: Dataset, tmp_path: Path, rows: tuple[str, ...], choice: SelectedGenerators, fused: tuple[str, ...]
) -> None:
    generators = generators_of(drawn, tmp_path, rows=rows)
    assert generators.recipe.retrieve.encoder == "sasrec"
    generators.choice = choice
    assert generators.fused_names == fused


def test_there_is_a_part_for_each_fused_row_in_the_same_order(
    drawn: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generators = generators_of(drawn, tmp_path, rows=["ease", "sequential-rules", "sasrec"])
    generators.choice = TWO
    ensemble = generators.generator()
    rows: list[str] = []

    def make(name: str) -> CandidateGenerator:
        rows.append(name)
        return HiddenItems(SequentialRules().fit(generators.split.train), np.zeros(100, dtype=bool))

    monkeypatch.setattr(generators, "maker", lambda tested: make)
    parts = generators.parts(ensemble)
    assert parts[:2] == ensemble.generators  # type: ignore[attr-defined]
    assert len(parts) == len(generators.fused_names)
    assert rows == ["sasrec"]  # the others are parts of the ensemble


def test_without_its_row_nothing_ranks_new_items_by_content(drawn: Dataset, tmp_path: Path) -> None:
    assert generators_of(drawn, tmp_path, rows=["ease"]).by_content(tested=True) is None


def test_proposals_hold_new_items_and_nothing_that_was_had(drawn: Dataset, tmp_path: Path) -> None:
    generators = generators_of(drawn, tmp_path, rows=["sequential-rules"], n_candidates=10)
    generators.choice = SelectedGenerators(("sequential-rules",))
    generator, test = generators.generator(), generators.split.test
    proposals = generators.reranked(generator, generator).proposals(test)
    new = generators.split.train.counts == 0
    assert proposals.shape == (len(test), 10)
    assert new[proposals].any(axis=1).all()
    assert not any(np.isin(row, had).any() for row, had in zip(proposals, test.history, strict=True))
    assert all(len(set(row)) == 10 for row in proposals.tolist())


def test_the_choice_is_saved_as_it_was_made(drawn: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generators = generators_of(drawn, tmp_path, rows=["sequential-rules", "ease"])
    monkeypatch.setattr(generators, "choose", lambda: TWO)
    assert generators.choice == TWO
    (file,) = (tmp_path / "evaluate" / "generators").iterdir()
    assert file.name.startswith("leave-one-out-")
    assert json.loads(file.read_text()) == json.loads(json.dumps(asdict(TWO)))


@pytest.mark.parametrize(
    "change",
    [
        {"n_candidates": 7},
        {"seed": 1},
        {"combine_generators": False},
        {"repeat_consumption": "allow"},
        {"rows": ["ease"]},
        {"fitted_on": "train+validation"},
        {"baselines": {"ease": {"l2": 2.0}}},
    ],
)
def test_it_is_chosen_again_where_the_question_is_another(
    drawn: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    alone = SelectedGenerators(("ease",), ALONE, {})
    usual: dict[str, Any] = {"rows": ["sequential-rules", "ease"]}
    for tables, selection, choice in ((usual, TWO, TWO), (usual, alone, TWO), (usual | change, alone, alone)):
        generators = generators_of(drawn, tmp_path, **tables)
        monkeypatch.setattr(generators, "choose", lambda selection=selection: selection)
        assert generators.choice == choice


@pytest.mark.parametrize(
    ("rows", "first"), [(["ease", "sasrec"], "sasrec"), (["ease", "sequential-rules"], "sequential-rules")]
)
def test_where_there_is_nothing_to_choose_by_the_first_one_proposes(
    drawn: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: list[str], first: str
) -> None:
    """Every validation target was consumed before, so none may be recommended."""
    generators = generators_of(drawn, tmp_path, rows=rows)
    lines: list[str] = []
    generators.say = Progress.of(lines.append)
    valid = generators.split.valid
    again = Queries(valid.user, valid.time, np.array([had[0] for had in valid.history]), valid.history)
    monkeypatch.setattr(generators.scorers, "validated", lambda name: None)
    object.__setattr__(generators.split, "valid", again)
    assert generators.choose() == SelectedGenerators((first,))
    assert any(line.startswith(f"{first} proposes: every validation target was consumed before") for line in lines)


def test_keys_of_fusion_are_those_of_its_rows_and_of_their_weights(drawn: Dataset, tmp_path: Path) -> None:
    generators = generators_of(drawn, tmp_path, rows=["sequential-rules", "ease"])
    generators.choice = TWO
    keys = generators.inputs()
    own = [key for name in TWO.names for key in generators.scorers.inputs(name, "whole")]
    assert keys[:-1] == own
    generators.choice = SelectedGenerators(TWO.names, replace(TWO.logit, weights=(0.5, 0.5)), {})
    assert generators.inputs()[:-1] == own
    assert generators.inputs()[-1] != keys[-1]


@pytest.mark.parametrize("kind", ["published", "full"])
def test_a_language_model_that_adds_nothing_is_left_out_of_the_fusion(
    drawn: Dataset, tmp_path: Path, kind: Any
) -> None:
    model = LanguageModel()
    generators = generators_of(drawn, tmp_path, rows=["sequential-rules"], fusion_users=40, n_candidates=20)
    generators.choice = SelectedGenerators(("sequential-rules",))
    fusion = generators.fusion(kind, loader(model))
    assert fusion.generators == ("sequential-rules",)
    assert not fusion.uses_lm
    assert 0 < fusion.queries <= 40
    assert fusion.queries <= fusion.queries_examined
    assert model.calls == 1
    alone = generators.fused_alone(kind, generators.generator(), loader(model))
    assert alone.logit == fusion.without_lm
    assert model.calls == 1  # the weights are kept


def test_fusion_is_learned_again_for_other_users(drawn: Dataset, tmp_path: Path) -> None:
    model = LanguageModel()
    for n_users, calls in ((20, 1), (20, 1), (30, 2)):
        generators = generators_of(drawn, tmp_path, rows=["sequential-rules"], fusion_users=n_users)
        generators.choice = SelectedGenerators(("sequential-rules",))
        assert generators.fusion("published", loader(model)).queries == n_users
        assert model.calls == calls
