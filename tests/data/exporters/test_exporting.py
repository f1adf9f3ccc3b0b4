"""Exports are written whole, replace only exports, and come in again as they went out."""

import json
from pathlib import Path

import pytest
from exported import a_dataset

from mmsrarec.cli import commands
from mmsrarec.data.dataset import Dataset
from mmsrarec.data.exporters.exporting import WRITERS, export
from mmsrarec.data.importers.importing import import_place
from mmsrarec.errors import DataError


def sequences(dataset: Dataset) -> dict[str, list[tuple[str, int]]]:
    """User id -> (item id, time), oldest first."""
    log = dataset.interactions
    rows = zip(log.user.tolist(), log.item.tolist(), log.time.tolist(), strict=True)
    answer: dict[str, list[tuple[str, int]]] = {}
    for user, item, time in rows:
        answer.setdefault(dataset.user_ids[user], []).append((dataset.items[item].item_id, time))
    return answer


@pytest.mark.parametrize("format_name", WRITERS)
def test_what_went_out_comes_in_again(format_name: str, tmp_path: Path) -> None:
    dataset = a_dataset()
    answer = export(dataset, format_name, tmp_path / "shop")
    assert (answer["users"], answer["items"], answer["interactions"]) == (3, 4, 7)
    report = import_place("auto", str(tmp_path / "shop"), tmp_path / "again")
    assert report.format == {"parquet": "tables"}.get(format_name, format_name)
    assert report.rejects == 0
    again = Dataset.load(tmp_path / "again")
    assert sequences(again) == sequences(dataset)
    assert {item.item_id for item in again.items} == {item.item_id for item in dataset.items}


@pytest.mark.parametrize("format_name", WRITERS)
def test_an_export_replaces_an_export_and_nothing_else(format_name: str, tmp_path: Path) -> None:
    export(a_dataset(), format_name, tmp_path / "shop")
    export(a_dataset(steps=True), format_name, tmp_path / "shop")
    a_dataset().save(tmp_path / "data")
    with pytest.raises(DataError, match=r"data holds something else \(data\): choose another name for the export"):
        export(a_dataset(), format_name, tmp_path / "data")
    assert len(Dataset.load(tmp_path / "data").interactions) == 7


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="unknown format csv: this version exports to recbole, mmrec, parquet"):
        export(a_dataset(), "csv", tmp_path / "shop")
    assert not (tmp_path / "shop").exists()


def test_nothing_is_left_of_an_export_that_fails(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds a tab or a quotation mark, which RecBole cannot read"):
        export(a_dataset(item_id="a\tb"), "recbole", tmp_path / "shop")
    assert not list(tmp_path.glob("shop*"))


def test_the_command_writes_and_says_what_it_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a_dataset().save(tmp_path / "data")
    arguments = ["export", str(tmp_path / "data"), "--to", "recbole", "--out", str(tmp_path / "ml"), "--json"]
    assert commands.call(arguments) == 0
    answer = json.loads(capsys.readouterr().out)
    assert {"ml.inter", "ml.item"} <= set(answer["files"])
    assert commands.call([*arguments[:3], "csv", *arguments[4:]]) == 2
    assert "unknown format csv" in capsys.readouterr().err
    assert commands.call(["export", str(tmp_path / "none"), *arguments[2:]]) == 2
