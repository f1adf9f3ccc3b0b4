"""What is done again after a change of the recipe or of the data, and what is not."""

import json
import shutil
from pathlib import Path

import pytest
from finished import CLASSIC, SEQUENCE, TUNED, done, evaluated, go, report_of

from mmsrarec.recommend.settings import RecommendSettings, SoftTokens
from mmsrarec.retrieve.encoder import Encoder
from mmsrarec.retrieve.settings import RetrieveSettings
from mmsrarec.runs.fingerprints import search_settings, used


def test_a_setting_that_joined_later_and_is_off_makes_no_adapter_out_of_date() -> None:
    plain, alone = (RecommendSettings(soft=SoftTokens(sources=("sasrec",), alone=on)) for on in (False, True))
    assert "alone" not in used(plain)["soft"]
    assert used(plain) | {"soft": used(plain)["soft"] | {"alone": True}} == used(alone)
    answer, span = (RecommendSettings(loss="lambda", score=score) for score in ("answer", "span"))
    assert "score" not in used(answer)
    assert used(answer) | {"score": "span"} == used(span)


def test_nothing_is_done_twice(mine: Path, no_model: None) -> None:
    before = {path: path.stat().st_mtime_ns for path in (mine / "run").rglob("*.json") if path.parent != mine / "run"}
    summary, said = go(mine)
    assert not done(said)
    assert not evaluated(said)
    assert said.count(": up to date") == 15
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert summary["rows"] == 50
    assert summary["summarize"]["items"] == 60


@pytest.mark.parametrize("how", ["runtime.score_tokens=900", "runtime.generate_batch=7"])
def test_how_the_work_is_done_is_no_reason_to_do_it_again(how: str, mine: Path, no_model: None) -> None:
    assert not done(go(mine, how)[1])


def test_a_setting_of_stage_3_touches_stage_3_and_its_rows(mine: Path) -> None:
    before = report_of(mine)
    _, said = go(mine, "recommend.learning_rate=0.02")
    splits = ("leave-one-out", "user-8-1-1")
    assert done(said) == {f"recommend/{split}/{variant}" for split in splits for variant in ("titles", "whole")}
    assert {line.partition(",")[0] for line in evaluated(said)} == set(TUNED)
    assert "evaluate: up to date" not in said
    after = report_of(mine)
    assert before["manifest"] != after["manifest"]
    assert [r["metrics"] for r in before["rows"] if r["model"] in CLASSIC] == [
        r["metrics"] for r in after["rows"] if r["model"] in CLASSIC
    ]


def test_a_setting_of_the_encoder_leaves_stage_1_alone(mine: Path) -> None:
    few = ("evaluate.splits=['leave-one-out']", "evaluate.rows=['sasrec', 'mmsrarec']")
    _, said = go(mine, "retrieve.learning_rate=0.002", *few)
    assert done(said) == {"retrieve/leave-one-out", "recommend/leave-one-out/whole"}
    assert "summarize: up to date" in said


@pytest.mark.parametrize("asked", ["k=1", "n_vote_neighbours=7"])
def test_who_is_asked_leaves_the_encoder_alone(asked: str, mine: Path) -> None:
    rows = "evaluate.rows=['sasrec', 'neighbours-only', 'mmsrarec']"
    _, said = go(mine, f"retrieve.{asked}", "evaluate.splits=['leave-one-out']", rows)
    assert done(said) == {"recommend/leave-one-out/whole"}
    assert {"neighbours-only", "context-only"} <= {line.partition(",")[0] for line in evaluated(said)}
    assert "sasrec" not in {line.partition(",")[0] for line in evaluated(said)}


def test_rows_of_sequence_models_are_of_their_own_kind_whatever_stage_2_searches_with(mine: Path) -> None:
    few = ("evaluate.splits=['leave-one-out']", f"evaluate.rows={SEQUENCE}", "evaluate.shown_users=0")
    only = ("retrieve", "evaluate")
    before = {row["model"]: row["metrics"] for row in report_of(mine)["rows"] if row["split"] == "leave-one-out"}
    _, said = go(mine, *few, "retrieve.encoder=gru4rec", stages=only)
    assert done(said) == {"retrieve/leave-one-out", "sequence/leave-one-out/sasrec"}
    assert not done(go(mine, *few, "retrieve.encoder=gru4rec", stages=only)[1])
    after = {row["model"]: row["metrics"] for row in report_of(mine)["rows"]}
    assert after.keys() == {*SEQUENCE, "context-only"}
    assert all(after[name] == before[name] for name in SEQUENCE)  # each as it was, from another folder
    kinds = {part: Encoder.load(mine / "run" / part).settings.encoder for part in done(said)}
    assert kinds == {"retrieve/leave-one-out": "gru4rec", "sequence/leave-one-out/sasrec": "sasrec"}


def test_a_setting_of_the_search_trains_no_sequence_model_again(mine: Path) -> None:
    few = ("evaluate.splits=['leave-one-out']", f"evaluate.rows={SEQUENCE}")
    assert not done(go(mine, *few, "retrieve.k=1", stages=("retrieve",))[1])
    shutil.rmtree(mine / "run" / "sequence" / "leave-one-out" / "bert4rec")
    assert done(go(mine, *few, "retrieve.k=1", stages=("retrieve",))[1]) == {"sequence/leave-one-out/bert4rec"}


def test_rows_can_be_fitted_on_validation_too_but_never_stage_2(mine: Path, no_model: None) -> None:
    few = ["evaluate.rows=['popularity', 'sasrec', 'neighbours-only']", "evaluate.splits=['leave-one-out']"]
    _, said = go(mine, *few, "evaluate.fitted_on=train+validation")
    assert done(said) == {"sequence/leave-one-out/sasrec-refit"}
    again = {f"{name}, whole: {protocol}, leave-one-out" for name in ("popularity", "sasrec")
             for protocol in ("published", "full")}  # fmt: skip
    assert evaluated(said) == again
    assert "Rows fitted on the validation events as well: popularity, sasrec." in report_of(mine)["notes"]
    own, refitted = (Encoder.load(mine / "run" / part)
                     for part in ("retrieve/leave-one-out", "sequence/leave-one-out/sasrec-refit"))  # fmt: skip
    assert len(refitted.curve) == own.best_pass


def test_a_setting_of_a_baseline_touches_its_row_alone(mine: Path, no_model: None) -> None:
    few = ("evaluate.rows=['ease', 'item-knn', 'sasrec', 'gru4rec']", "evaluate.splits=['leave-one-out']")
    _, said = go(mine, *few, "evaluate.baselines.ease.l2=7")
    assert not done(said)
    assert {line.partition(",")[0] for line in evaluated(said)} == {"ease"}
    _, said = go(mine, *few, "evaluate.baselines.gru4rec.dropout=0.4")
    assert done(said) == {"sequence/leave-one-out/gru4rec"}
    assert {line.partition(",")[0] for line in evaluated(said)} == {"ease", "gru4rec"}  # ease as it was before
    settings = report_of(mine)["facts"][0]["settings"]
    assert (settings["gru4rec"]["dropout"], settings["sasrec"]["dropout"]) == (0.4, 0.2)
    assert settings["ease"] == {"l2": 100.0}


def test_a_search_is_made_once_and_again_where_more_is_tried(mine: Path, no_model: None) -> None:
    few = ("evaluate.rows=['ease', 'sasrec', 'gru4rec']", "evaluate.splits=['leave-one-out']")
    _, said = go(mine, *few, "evaluate.tune_baselines=2")
    assert done(said) == {"sequence/leave-one-out/gru4rec"}  # that of stage 2 is as the recipe has it
    kept = mine / "run" / "evaluate" / "search" / "leave-one-out" / "ease" / "search.json"
    first, before = json.loads(kept.read_text()), kept.stat().st_mtime_ns
    assert len(first["tries"]) == 2
    assert first["tries"][0]["settings"] == {"l2": 100.0}
    assert first["ndcg"] == max(one["ndcg"] for one in first["tries"])
    told = report_of(mine)["facts"][0]
    assert (told["tune_baselines"], told["settings"]["ease"]) == (2, first["chosen"])
    assert any("gru4rec (embedding_size" in note and "best of 2 tried" in note for note in report_of(mine)["notes"])
    _, said = go(mine, *few, "evaluate.tune_baselines=2")
    assert not done(said)
    assert not evaluated(said)
    assert kept.stat().st_mtime_ns == before
    assert done(go(mine, *few, "evaluate.tune_baselines=3")[1]) == {"sequence/leave-one-out/gru4rec"}
    assert json.loads(kept.read_text())["tries"][:2] == first["tries"]


def test_opening_the_seal_asks_more_people_and_trains_nothing(mine: Path, no_model: None) -> None:
    few = ("evaluate.rows=['popularity', 'sasrec']", "evaluate.splits=['leave-one-out']")
    go(mine, *few)
    closed = report_of(mine)
    _, said = go(mine, *few, "evaluate.open_sealed=true")
    assert not done(said)
    assert {line.partition(",")[0] for line in evaluated(said)} == {"popularity", "sasrec", "context-only"}
    opened = report_of(mine)
    sealed = closed["facts"][0]["sealed_users"]
    assert sealed > 0
    assert opened["rows"][0]["users"] == closed["rows"][0]["users"] + sealed
    assert opened["rows"][0]["slices"]["sealed users"]["users"] == sealed
    assert closed["facts"][0]["candidate_hash"] == opened["facts"][0]["candidate_hash"]  # the same question
    assert "sealed users" not in closed["rows"][0]["slices"]


def test_an_exact_search_makes_no_difference_and_an_approximate_one_does() -> None:
    exact, faiss, ivf = (search_settings(RetrieveSettings(index=name)) for name in ("exact", "faiss", "ivf"))
    assert exact == faiss
    assert "index" not in exact
    assert ivf == exact | {"index": "ivf"}
    assert "rows_per_user" not in exact  # adapters from before it was there stay current
    assert search_settings(RetrieveSettings(rows_per_user=20)) == exact | {"rows_per_user": 20}
