"""The catalogue changes every night: items leave, come in the middle, come at the end, are edited; data move."""

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from finished import copy_run, done, go
from text_folders import as_text

from mmsrarec.cli import commands
from mmsrarec.core.progress import Progress
from mmsrarec.data.dataset import Item
from mmsrarec.data.folder import load
from mmsrarec.data.identity import KeptLog, align, log_digest, text_digest
from mmsrarec.errors import MmsrarecError
from mmsrarec.pipeline import leak_check
from mmsrarec.pipeline.run import update
from mmsrarec.runs.recommender import Recommender

NEW = {"item_id": "new", "title": "Otter clay mug", "description": "A mug of clay.", "categories": ["Kitchen"]}


@pytest.fixture
def mine(finished: Path, tmp_path: Path) -> Path:
    """A finished run on data of its own, which may be changed."""
    copy_run(finished, tmp_path)
    as_text(Path(shutil.copytree(finished / "data", tmp_path / "data")))
    for file in (tmp_path / "run" / "recipe.toml", tmp_path / "tiny.toml"):
        file.write_text(file.read_text().replace(str(finished / "data"), str(tmp_path / "data")))
    return tmp_path


def lines(folder: Path, name: str) -> list[str]:
    return (folder / "data" / name).read_text().splitlines(keepends=True)


def write(folder: Path, name: str, told: list[str]) -> None:
    (folder / "data" / name).write_text("".join(told))


def remove(folder: Path, item: str, interactions: bool = True) -> None:
    write(folder, "items.jsonl", [one for one in lines(folder, "items.jsonl") if json.loads(one)["item_id"] != item])
    if interactions:
        kept = [one for one in lines(folder, "interactions.csv") if one.split(",")[1] != item]
        write(folder, "interactions.csv", kept)


def insert(folder: Path, place: int, item: dict = NEW) -> None:
    told = lines(folder, "items.jsonl")
    write(folder, "items.jsonl", [*told[:place], json.dumps({"image": None} | item) + "\n", *told[place:]])


def answers(folder: Path, user: str = "u0005", k: int = 100, **asked: object) -> dict[str, float]:
    found = Recommender.load(folder / "run").recommend(user=user, k=k, reasons=False, **asked)  # pyright: ignore
    return {one.item_id: one.score for one in found}


def popular(folder: Path, but: set[str]) -> str:
    """An item that many had, and none of those named."""
    counts: dict[str, int] = {}
    for line in lines(folder, "interactions.csv")[1:]:
        counts[line.split(",")[1]] = counts.get(line.split(",")[1], 0) + 1
    return max((item for item in counts if item not in but), key=counts.__getitem__)


@pytest.mark.parametrize("place", [0, 2, 60])
def test_an_item_that_joins_waits_and_disturbs_nobody(mine: Path, place: int) -> None:
    before = answers(mine)
    insert(mine, place)
    recommender = Recommender.load(mine / "run")
    assert answers(mine) == before
    (note,) = recommender.notes
    assert "1 item (new)" in note
    assert "mmsrarec update" in note
    told = update(mine / "run", Progress())
    assert told["new_items"] == ["new"]
    after = answers(mine)
    assert after.keys() - before.keys() == {"new"}
    assert not Recommender.load(mine / "run").notes


def test_an_item_that_left_is_recommended_no_more_and_still_speaks(mine: Path) -> None:
    before = answers(mine)
    gone = max(before, key=before.__getitem__)
    remove(mine, gone)
    after = answers(mine)
    assert after.keys() == before.keys() - {gone}
    assert all(after[item] == pytest.approx(before[item], abs=1e-5) for item in after)
    recommender = Recommender.load(mine / "run")
    (note,) = recommender.notes
    assert f"1 item ({gone}) no longer in" in note
    spoke = recommender.score(["001"], history=[gone, "002"])["001"]
    assert spoke != recommender.score(["001"], history=["002"])["001"]
    assert update(mine / "run", Progress())["removed_items"] == [gone]
    assert answers(mine).keys() == after.keys()


def test_an_item_whose_line_alone_is_gone_still_speaks(mine: Path) -> None:
    before = answers(mine)
    gone = max(before, key=before.__getitem__)
    remove(mine, gone, interactions=False)
    assert answers(mine).keys() == before.keys() - {gone}
    assert update(mine / "run", Progress())["removed_items"] == [gone]


def test_what_joins_changes_no_keyword_of_another_item(mine: Path) -> None:
    """A word that only just was no common one is none after an item more that holds it."""
    keywords = mine / "run" / "summarize" / "keywords.parquet"
    before = {row["item_id"]: row for row in pl.read_parquet(keywords).iter_rows(named=True)}
    told = json.loads((mine / "run" / "summarize" / "words.json").read_text())
    for number in range(70):
        insert(mine, 60, NEW | {"item_id": f"n{number}", "description": "A mug of clay, and of walnut."})
    update(mine / "run", Progress())
    after = {row["item_id"]: row for row in pl.read_parquet(keywords).iter_rows(named=True)}
    assert {name: after[name] for name in before} == before
    assert json.loads((mine / "run" / "summarize" / "words.json").read_text()) == told
    assert leak_check.check_run(mine / "run", users=4, fast=True, say=Progress())["passed"]


def test_interactions_that_left_are_no_part_of_those_that_joined(mine: Path) -> None:
    head, *rows = lines(mine, "interactions.csv")
    write(mine, "interactions.csv", [head, *rows[50:], *(f"u001{n},001,179000000{n}\n" for n in range(7))])
    assert update(mine / "run", Progress())["interactions_since"] == 7


def test_a_drawn_catalogue_that_grew_is_compared_without_its_answers(mine: Path) -> None:
    insert(mine, 60)
    go(mine, "evaluate.splits=['leave-one-out']", "evaluate.rows=['popularity', 'sasrec', 'mmsrarec']")


def test_items_and_interactions_in_another_order_are_the_same(mine: Path) -> None:
    before, rng = answers(mine), np.random.default_rng(0)
    told = lines(mine, "items.jsonl")
    write(mine, "items.jsonl", [told[i] for i in rng.permutation(len(told))])
    head, *rows = lines(mine, "interactions.csv")
    by_user: dict[str, list[str]] = {}
    for row in rows:
        by_user.setdefault(row.split(",")[0], []).append(row)
    users = [list(by_user)[i] for i in rng.permutation(len(by_user))]
    write(mine, "interactions.csv", [head, *(row for user in users for row in by_user[user])])
    assert answers(mine) == before
    assert not Recommender.load(mine / "run").notes
    assert not done(go(mine)[1])


def test_an_edited_text_keeps_its_keywords_until_update(mine: Path) -> None:
    before, told = answers(mine), lines(mine, "items.jsonl")
    record = json.loads(told[7]) | {"description": "Now of walnut and indigo, entirely."}
    write(mine, "items.jsonl", [*told[:7], json.dumps(record) + "\n", *told[8:]])
    (note,) = Recommender.load(mine / "run").notes
    assert f"1 item ({record['item_id']}) edited" in note
    assert answers(mine).keys() == before.keys()
    assert update(mine / "run", Progress())["edited_items"] == [record["item_id"]]
    assert not Recommender.load(mine / "run").notes


def test_interactions_that_joined_are_histories_and_no_leak(mine: Path) -> None:
    checked = leak_check.check_run(mine / "run", users=4, fast=True, say=Progress())
    assert checked["passed"]
    user, item = "u0005", max(answers(mine), key=answers(mine).__getitem__)
    write(mine, "interactions.csv", [*lines(mine, "interactions.csv"), f"{user},{item},1790000000\n"])
    insert(mine, 60)
    write(
        mine, "interactions.csv", [*lines(mine, "interactions.csv"), *(f"u001{n},new,179000000{n}\n" for n in range(9))]
    )
    told = update(mine / "run", Progress())
    assert told["interactions_since"] == 10
    recommender = Recommender.load(mine / "run")
    assert item not in {one.item_id for one in recommender.recommend(user=user, k=100, reasons=False)}
    found = recommender.recommend(user=user, k=100, reasons=False)
    assert np.isfinite(next(one.score for one in found if one.item_id == "new"))
    again = leak_check.check_run(mine / "run", users=4, fast=True, say=Progress())
    assert again["failed"] == checked["failed"]


@pytest.mark.slow
def test_one_replaced_picture_trains_no_sequence_model(mine: Path) -> None:
    picture, other = sorted((mine / "data" / "images").iterdir())[3:5]
    picture.write_bytes(other.read_bytes())
    again = done(go(mine)[1])
    assert "pictures" in again
    assert "recommend/leave-one-out/whole" in again
    assert not {part for part in again if part.startswith("retrieve/")}
    assert {part for part in again if part.startswith("sequence/")} == {
        "sequence/leave-one-out/content-sasrec",
        "sequence/user-8-1-1/content-sasrec",
    }


def test_another_interaction_summarizes_nothing_again(mine: Path) -> None:
    write(mine, "interactions.csv", [*lines(mine, "interactions.csv"), "u0005,001,1790000000\n"])
    again = done(go(mine, stages=("summarize", "retrieve"))[1])
    assert "retrieve/leave-one-out" in again
    assert not again & {"pictures", "summarize"}


def test_data_that_were_moved_are_named_or_done_without(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = answers(mine)
    (mine / "data").rename(mine / "elsewhere")
    recommender = Recommender.load(mine / "run")
    (note,) = recommender.notes
    assert "--data FOLDER" in note
    assert answers(mine) == before
    found = Recommender.load(mine / "run", data=mine / "elsewhere")
    assert not found.notes
    assert {one.item_id: one.score for one in found.recommend(user="u0005", k=100, reasons=False)} == before
    run = str(mine / "run")
    command = ["recommend", run, "--user", "u0005", "--k", "2", "--no-reasons", "--json"]
    assert commands.call([*command, "--data", str(mine / "elsewhere")]) == 0
    assert json.loads(capsys.readouterr().out)["notes"] == []
    with pytest.raises(MmsrarecError, match="name the data folder with --data"):
        update(mine / "run", Progress())
    update(mine / "run", Progress(), mine / "elsewhere")
    shutil.move(mine / "run", mine / "served")
    assert {
        one.item_id: one.score
        for one in Recommender.load(mine / "served").recommend(user="u0005", k=100, reasons=False)
    } == before


def test_other_data_are_refused(mine: Path) -> None:
    other = [json.dumps({"item_id": f"x{n}", "title": f"Thing {n}"}) + "\n" for n in range(9)]
    (mine / "other").mkdir()
    (mine / "other" / "items.jsonl").write_text("".join(other))
    (mine / "other" / "interactions.csv").write_text("user_id,item_id,timestamp\nu0005,x1,1700000000\n")
    with pytest.raises(MmsrarecError, match=r"holds other data than .* was made from: it has 0 of the run's 60 items"):
        Recommender.load(mine / "run", data=mine / "other")
    same_ids = [json.dumps({"item_id": json.loads(one)["item_id"], "title": "?"}) + "\n" for one in
                lines(mine, "items.jsonl")]  # fmt: skip
    (mine / "other" / "items.jsonl").write_text("".join(same_ids))
    (mine / "other" / "interactions.csv").write_text("user_id,item_id,timestamp\nu0005,001,1700000000\n")
    with pytest.raises(MmsrarecError, match="holds other data"):
        Recommender.load(mine / "run", data=mine / "other")
    with pytest.raises(MmsrarecError, match="is not a data folder"):
        Recommender.load(mine / "run", data=mine / "nowhere")


def test_codes_mean_what_they_meant(finished: Path, tmp_path: Path) -> None:
    dataset = load(finished / "data")
    kept = KeptLog.of(dataset)
    kept.save(tmp_path)
    loaded = KeptLog.load(tmp_path)
    assert (loaded.user_ids, loaded.item_ids, loaded.times) == (kept.user_ids, kept.item_ids, kept.times)
    for name in ("user", "item", "time"):
        assert (getattr(loaded.interactions, name) == getattr(kept.interactions, name)).all()
    turned = align(dataset, kept.user_ids[::-1], kept.item_ids[::-1])
    assert [item.item_id for item in turned.items] == list(kept.item_ids[::-1])
    back = align(turned, kept.user_ids, kept.item_ids)
    assert log_digest(back) == log_digest(dataset)
    assert log_digest(turned) != log_digest(dataset)
    assert text_digest(turned.items) == text_digest(dataset.items)
    wider = align(dataset, ["ghost", *kept.user_ids], ["gone", *kept.item_ids], {"gone": Item("gone", "A thing")})
    assert wider.items[0].title == "A thing"
    assert wider.user_ids[0] == "ghost"
    assert len(wider.interactions) == len(dataset.interactions)
    narrow = align(dataset, ["ghost", *kept.user_ids], ["gone", *kept.item_ids])
    assert log_digest(narrow) == log_digest(dataset)


def test_what_keeps_no_log_says_so(tmp_path: Path) -> None:
    with pytest.raises(MmsrarecError, match="make the run anew"):
        KeptLog.load(tmp_path)
