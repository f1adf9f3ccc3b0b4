"""What the rows of a comparison are fitted on, and what is said of them."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mmsrarec.core.progress import Progress
from mmsrarec.data.dataset import Dataset, FloatArray, IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.rankers.base import known_items
from mmsrarec.rankers.registry.registry import make_row
from mmsrarec.runs.recipe import Recipe
from mmsrarec.runs.run_folder import Kind, RunFolder
from mmsrarec.study.generator_selection import SelectedGenerators
from mmsrarec.study.model_names import notes
from mmsrarec.study.model_results import Comparison


def comparison(data: Dataset, folder: Path, **settings) -> Comparison:
    recipe = Recipe.model_validate({"name": "a", "data": data.folder, "evaluate": settings})
    run_folder = RunFolder(recipe, folder)
    run_folder.recorded = str  # whatever a row is made from, it is finished
    mine = Comparison(run_folder, "leave-one-out", Progress(), lambda done, total, label: None)
    mine.generators.words = [()] * len(data.items)  # stage 1 has not run
    return mine


def watch_fitting(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many interactions each row was fitted on, in turn."""
    fitted: list[int] = []
    monkeypatch.setattr(
        "mmsrarec.study.model_scorers.make_row",
        lambda name, source: fitted.append(len(source.train)) or make_row(name, source),
    )
    return fitted


def test_a_generator_is_chosen_without_the_validation_events_and_then_fitted_on_them(
    drawn: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = ["sequential-rules", "als"]
    mine = comparison(drawn, tmp_path, rows=rows, fitted_on="train+validation", combine_generators=False)
    fitted = watch_fitting(monkeypatch)
    chosen = mine.generators.generator()
    train, test = len(mine.split.train), len(mine.split.test)
    assert fitted == [train, train, train + test]
    assert chosen.name in ("sequential-rules", "als")


def test_rows_fitted_on_validation_too_are_others(drawn: Dataset, tmp_path: Path) -> None:
    strict, more = (
        comparison(drawn, tmp_path, rows=["popularity"], fitted_on=choice) for choice in ("train", "train+validation")
    )
    names = ("popularity", "sasrec", "neighbours-only")
    changed = [name for name in names if strict.scorers.inputs(name, "whole") != more.scorers.inputs(name, "whole")]
    assert changed == ["popularity", "sasrec"]  # the other is stage 2 itself
    valid = np.bincount(strict.split.valid.target, minlength=len(drawn.items))
    scores = [mine.scorers.classic("popularity").score(mine.split.test, None)[0] for mine in (strict, more)]
    assert (scores[1] - scores[0]).tolist() == valid.tolist()


def test_all_users_are_no_slice_of_them(drawn: Dataset, tmp_path: Path) -> None:
    mine = comparison(drawn, tmp_path, rows=["popularity"])
    pictured = mine.row("published", "popularity", "whole", lambda: mine.scorers.classic("popularity"))
    parts = ("target unseen in training", "target in the head", "target in the tail", "target without an image")
    assert [name.partition(",")[0] for name in pictured.slices] == list(parts)
    assert not any(mask.all() for mask in pictured.slices.values())


def test_notes_name_the_rows_that_are_there() -> None:
    (said,) = notes(("random", "recent-popularity"), "train")
    assert "strictly before the query: recent-popularity." in said
    told = notes(("als", "sasrec", "context-only", "mmsrarec"), "train+validation")
    named = [line.partition(": ")[2].partition(". ")[0].rstrip(".") for line in told[:3]]
    assert named == ["context-only, mmsrarec", "als, sasrec", "als, sasrec"]
    assert told[3].startswith("context-only scores 1")
    assert told[4].startswith("Full ranking by the language model")


class Oracle:
    """A language model that knows half of the targets, and keeps what it was asked."""

    name = "oracle"

    def __init__(self) -> None:
        self.asked: list[Queries] = []

    def as_cold(self, items: NDArray[np.bool_]) -> "Oracle":
        return self

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        assert candidates is not None
        self.asked.append(queries)
        return np.where((candidates == queries.target[:, None]) & (queries.target[:, None] % 2 == 0), 0.8, 0.3)


@pytest.mark.parametrize("kind", ["published", "full"])
def test_weights_are_learned_at_validation_moments_from_what_training_knows(
    drawn: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    rows = ["sequential-rules", "popularity"]
    mine = comparison(drawn, tmp_path, rows=rows, fitted_on="train+validation", fusion_users=50, n_candidates=30)
    fitted = watch_fitting(monkeypatch)
    mine.generators.choice = SelectedGenerators(("sequential-rules",))
    oracle = Oracle()
    learned = mine.generators.fusion(kind, lambda: oracle)  # type: ignore[arg-type]
    assert fitted == [len(mine.split.train)]
    (asked,) = oracle.asked
    history = dict(zip(mine.split.valid.user.tolist(), mine.split.valid.history, strict=True))
    when = dict(zip(mine.split.valid.user.tolist(), mine.split.valid.time.tolist(), strict=True))
    assert 0 < len(asked) <= 50
    for user, time, had in zip(asked.user.tolist(), asked.time.tolist(), asked.history, strict=True):
        assert (time, had.tolist()) == (when[user], history[user].tolist())
    assert learned.generators == ("sequential-rules",)
    assert learned.queries == len(asked)
    assert learned.with_lm.weights[0] > 0.5
    assert learned.improves
    assert mine.generators.fusion(kind, lambda: oracle) == learned  # type: ignore[arg-type]
    assert len(oracle.asked) == 1  # kept


def test_whoever_proposes_most_targets_is_chosen(drawn: Dataset, tmp_path: Path) -> None:
    mine = comparison(drawn, tmp_path, rows=["sequential-rules", "als"], n_candidates=7, combine_generators=False)
    choice = mine.generators.choice
    assert choice.quality.keys() == {"sequential-rules", "als"}
    assert {tuple(values) for values in choice.quality.values()} == {("HR@7", "NDCG@10")}
    assert choice.quality[choice.name]["HR@7"] == max(values["HR@7"] for values in choice.quality.values())
    rules = mine.scorers.validated("sequential-rules")
    proposed = mine.generators.reranked(rules, rules, tested=False).proposals(mine.split.valid)
    share = (proposed == mine.split.valid.target[:, None]).any(axis=1).mean()
    assert choice.quality["sequential-rules"]["HR@7"] == pytest.approx(share, abs=0.05)  # ties are broken otherwise


def test_validation_takes_as_many_items_for_new_as_there_are(drawn: Dataset, tmp_path: Path) -> None:
    mine = comparison(drawn, tmp_path, rows=["sequential-rules", "als"])
    counts, hidden = mine.split.train.counts, mine.scorers.hidden
    assert (counts == 0).any()
    assert hidden[counts > 0].mean() == pytest.approx((counts == 0).mean(), abs=0.1)
    assert not hidden[counts == 0].any()
    for name in ("als", "sequential-rules"):
        validated, tested = mine.scorers.validated(name), mine.scorers.classic(name)
        assert (known_items(validated, len(counts)) == (counts > 0) & ~hidden).all()
        assert (known_items(tested, len(counts)) == (counts > 0)).all()
    proposed = mine.generators.reranked(mine.scorers.validated("als"), mine.scorers.validated("als"), tested=False)
    assert hidden[proposed.proposals(mine.split.valid)].any()  # they have their share of the proposals, as new ones do


def test_a_choice_is_kept(drawn: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = comparison(drawn, tmp_path, rows=["sequential-rules", "als"], n_candidates=7).generators.choice
    again = comparison(drawn, tmp_path, rows=["sequential-rules", "als"], n_candidates=7).generators
    monkeypatch.setattr(again, "choose", lambda: pytest.fail("chosen twice"))
    assert again.choice == first
    assert len(first.names) == len(first.logit.weights)
