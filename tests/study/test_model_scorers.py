"""The models of one split's rows: what they are fitted on, which settings they have, and what keys name them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmsrarec.data.dataset import Dataset
from mmsrarec.errors import MmsrarecError
from mmsrarec.rankers.base import known_items
from mmsrarec.rankers.registry.registry import make_row
from mmsrarec.rankers.registry.settings import space_of
from mmsrarec.retrieve.settings import CONTENT_SASREC
from mmsrarec.runs.recipe import Recipe
from mmsrarec.runs.run_folder import MSR, RunFolder
from mmsrarec.study.model_names import CONTEXT
from mmsrarec.study.model_scorers import Scorers


def scorers_of(data: Dataset, folder: Path, tables: dict[str, Any] | None = None, **evaluate: Any) -> Scorers:
    """The models of leave-one-out in a run of which every part counts as finished, its key being its name."""
    content = {"name": "a", "data": data.folder, "evaluate": evaluate} | (tables or {})
    run_folder = RunFolder(Recipe.model_validate(content), folder, data)
    run_folder.recorded = str
    return Scorers(run_folder, "leave-one-out", lambda done, total, label: None)


def no_fitting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmsrarec.study.model_scorers.make_row", lambda *given: pytest.fail("fitted anew"))


def test_a_row_is_fitted_on_training_or_on_validation_as_well(drawn: Dataset, tmp_path: Path) -> None:
    strict = scorers_of(drawn, tmp_path)
    more = scorers_of(drawn, tmp_path, fitted_on="train+validation")
    assert len(strict.fitted) == len(strict.split.train)
    assert len(more.fitted) == len(strict.split.train) + len(strict.split.valid)
    assert (strict.refit, more.refit) == (False, True)
    assert more.source("als").train is more.fitted


@pytest.mark.parametrize("fitted_on", ["train", "train+validation"])
def test_nobody_is_tested_by_a_row_that_saw_the_test(drawn: Dataset, tmp_path: Path, fitted_on: str) -> None:
    scorers = scorers_of(drawn, tmp_path, fitted_on=fitted_on)
    for user, target in zip(scorers.split.test.user.tolist(), scorers.split.test.target.tolist(), strict=True):
        everything = drawn.interactions.items_of(user).tolist()
        seen = scorers.fitted.items_of(user).tolist()
        assert seen == everything[: len(seen)]
        assert len(seen) < len(everything)
        assert everything[-1] == target


def test_before_validation_a_row_sees_training_alone(drawn: Dataset, tmp_path: Path) -> None:
    scorers = scorers_of(drawn, tmp_path, fitted_on="train+validation")
    validated, test = scorers.validated("popularity"), scorers.split.test
    usual = make_row("popularity", scorers_of(drawn, tmp_path).source("popularity")).score(test, None)
    hidden = scorers.hidden
    assert hidden.any()
    assert np.isnan(validated.score(test, None)[:, hidden]).all()
    np.testing.assert_array_equal(validated.score(test, None)[:, ~hidden], usual[:, ~hidden])


def test_hidden_items_are_drawn_by_the_seed_from_items_of_training(drawn: Dataset, tmp_path: Path) -> None:
    first, again = (scorers_of(drawn, tmp_path).hidden for _ in range(2))
    other = scorers_of(drawn, tmp_path, {"seed": 5}).hidden
    assert (first == again).all()
    assert (first != other).any()
    assert not (first & (scorers_of(drawn, tmp_path).split.train.counts == 0)).any()


def test_of_hidden_items_a_ranker_knows_nothing(drawn: Dataset, tmp_path: Path) -> None:
    scorers = scorers_of(drawn, tmp_path)
    n_items = len(drawn.items)
    validated, tested = (known_items(make("popularity"), n_items) for make in (scorers.validated, scorers.tested))
    assert (tested & ~validated == scorers.hidden).all()
    assert not (validated & ~tested).any()


def test_the_encoder_that_validation_sees_has_no_ids_of_hidden_items(
    drawn: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row that ranks new items by content stays as it is otherwise: it knows hidden items by their content."""
    scorers = scorers_of(drawn, tmp_path)
    masks: list[np.ndarray] = []

    class Encoder:
        def without_ids(self, mask: np.ndarray) -> str:
            masks.append(mask)
            return "an encoder without ids"

    monkeypatch.setattr(scorers.run_folder, "encoder", lambda split, name, **how: Encoder())
    monkeypatch.setattr("mmsrarec.study.model_scorers.make_row", lambda name, source: source.encoder(name))
    assert scorers.validated(CONTENT_SASREC) == "an encoder without ids"  # not hidden once more
    (mask,) = masks
    assert (mask == scorers.hidden).all()


def test_without_a_search_settings_are_the_recipes(drawn: Dataset, tmp_path: Path) -> None:
    scorers = scorers_of(drawn, tmp_path, baselines={"ease": {"l2": 7.0}})
    assert scorers.settings("ease") == {"l2": 7.0}
    assert scorers.tries("ease") == []
    assert scorers.baselines_of("ease").ease.l2 == 7.0
    assert scorers.settings("popularity") == {}


def test_a_sequence_model_has_the_settings_of_stage_2_but_for_its_own(drawn: Dataset, tmp_path: Path) -> None:
    scorers = scorers_of(drawn, tmp_path, baselines={"gru4rec": {"dropout": 0.3}})
    retrieve = scorers.recipe.retrieve
    for name in ("sasrec", "gru4rec"):
        settings = scorers.settings(name)
        assert settings.keys() == space_of(name).keys()
        others = settings.keys() - ({"dropout"} if name == "gru4rec" else set())
        assert {key: settings[key] for key in others} == {key: getattr(retrieve, key) for key in others}
    assert scorers.settings("gru4rec")["dropout"] == 0.3


def test_a_search_is_kept_and_its_best_try_is_used(
    drawn: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = scorers_of(drawn, tmp_path, tune_baselines=3)
    tries = first.tries("recent-popularity")
    assert len(tries) == 3
    assert tries[0].settings == first.recipe.evaluate.baselines.of("recent-popularity")
    best = max(tries, key=lambda attempt: attempt.ndcg)
    no_fitting(monkeypatch)
    again = scorers_of(drawn, tmp_path, tune_baselines=3)
    assert again.tries("recent-popularity") == tries
    assert again.settings("recent-popularity") == best.settings
    assert again.baselines_of("recent-popularity").of("recent-popularity") == best.settings


def test_a_search_is_made_again_where_it_asks_for_more(drawn: Dataset, tmp_path: Path) -> None:
    few, more = (scorers_of(drawn, tmp_path, tune_baselines=n).tries("recent-popularity") for n in (2, 4))
    assert len(few) == 2
    assert more[:2] == few
    assert len(more) == 4


@pytest.mark.parametrize("name", ["popularity", CONTEXT, "mmsrarec", "neighbours-only", "sasrec"])
def test_rows_that_have_nothing_to_search_for_have_no_tries(drawn: Dataset, tmp_path: Path, name: str) -> None:
    scorers = scorers_of(drawn, tmp_path, tune_baselines=3)  # sasrec is the encoder of stage 2 here
    assert scorers.recipe.retrieve.encoder == "sasrec"
    assert scorers.tries(name) == []


def test_keys_of_rows_of_the_language_model_are_those_of_their_adapters(drawn: Dataset, tmp_path: Path) -> None:
    scorers = scorers_of(drawn, tmp_path)
    assert scorers.inputs("mmsrarec", "whole") == ["recommend/leave-one-out/whole"]
    assert scorers.inputs("mmsrarec", "without pictures") == ["recommend/leave-one-out/without-pictures"]
    assert scorers.inputs("mmsrarec", "k 5") == ["recommend/leave-one-out/k-5"]
    assert scorers.inputs("plain-fine-tuning", "whole") == ["recommend/leave-one-out/titles"]
    assert scorers.inputs(MSR, "whole") == [f"{MSR}/leave-one-out"]


def test_the_key_of_a_sequence_model_says_whether_it_was_refit(drawn: Dataset, tmp_path: Path) -> None:
    strict, more = (scorers_of(drawn, tmp_path, fitted_on=choice) for choice in ("train", "train+validation"))
    assert strict.inputs("sasrec", "whole") == ["retrieve/leave-one-out"]
    assert strict.inputs("gru4rec", "whole") == ["sequence/leave-one-out/gru4rec"]
    assert more.inputs("sasrec", "whole") == ["sequence/leave-one-out/sasrec-refit"]


def test_the_keys_of_several_rows_together_are_those_of_each(drawn: Dataset, tmp_path: Path) -> None:
    scorers = scorers_of(drawn, tmp_path)
    together = scorers.inputs("als+sasrec+popularity", "whole")
    assert together == [key for name in ("als", "sasrec", "popularity") for key in scorers.inputs(name, "whole")]
    assert len(set(together)) == 3


@pytest.mark.parametrize(
    ("name", "tables"),
    [
        ("ease", {"evaluate": {"baselines": {"ease": {"l2": 3.0}}}}),
        ("neighbours-only", {"retrieve": {"k": 7}}),
        (CONTEXT, {"retrieve": {"k": 7}}),
        (CONTEXT, {"recommend": {"similar_items": 1}}),
        (CONTEXT, {"recommend": {"prompt_fields": {"rare_votes": False}}}),
    ],
)
def test_what_changes_a_row_changes_its_key(drawn: Dataset, tmp_path: Path, name: str, tables: dict[str, Any]) -> None:
    usual, other = scorers_of(drawn, tmp_path), scorers_of(drawn, tmp_path, tables)
    assert usual.inputs(name, "whole") == scorers_of(drawn, tmp_path).inputs(name, "whole")
    assert usual.inputs(name, "whole") != other.inputs(name, "whole")


@pytest.mark.parametrize(
    ("name", "tables"),
    [
        ("ease", {"evaluate": {"baselines": {"als": {"factors": 3}}}}),
        ("popularity", {"retrieve": {"k": 7}}),
        ("neighbours-only", {"recommend": {"similar_items": 1}}),
        (CONTEXT, {"recommend": {"learning_rate": 0.5}}),
    ],
)
def test_what_changes_other_rows_alone_does_not(
    drawn: Dataset, tmp_path: Path, name: str, tables: dict[str, Any]
) -> None:
    usual, other = scorers_of(drawn, tmp_path), scorers_of(drawn, tmp_path, tables)
    assert usual.inputs(name, "whole") == other.inputs(name, "whole")


def test_a_row_of_a_part_that_is_not_finished_has_no_keys(drawn: Dataset, tmp_path: Path) -> None:
    scorers = scorers_of(drawn, tmp_path)
    del scorers.run_folder.recorded
    with pytest.raises(MmsrarecError):
        scorers.inputs("sasrec", "whole")
    assert len(scorers.inputs("popularity", "whole")) == 1  # it is made from the log
