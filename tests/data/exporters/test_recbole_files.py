"""RecBole's files: types in the header, no quoting, whole times."""

from pathlib import Path

import pytest
from exported import a_dataset

from mmsrarec.data.exporters.recbole_files import write
from mmsrarec.errors import DataError


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_the_log_has_types_and_whole_times(tmp_path: Path) -> None:
    write(a_dataset(), tmp_path, "shop")
    assert lines(tmp_path / "shop.inter")[:2] == [
        "user_id:token\titem_id:token\ttimestamp:float",
        "u1\t007\t1700000001",
    ]


def test_texts_have_no_sign_that_recbole_reads_otherwise(tmp_path: Path) -> None:
    notes = write(a_dataset(), tmp_path, "shop")
    header, new, clock, *_ = lines(tmp_path / "shop.item")
    assert header == "item_id:token\ttitle:token_seq\tcategories:token_seq\tdescription:token_seq"
    assert new == "new\tNobody's, yet\t\t"
    assert clock == "007\t12' Clock\tHome_&_Garden Clocks\tOak, 'solid'."
    assert notes == [
        "RecBole takes \" for the start of a quoted field: in 2 texts it became '.",
        "A token_seq is parted at blanks: blanks within a category became _.",
    ]


def test_steps_are_pointed_out(tmp_path: Path) -> None:
    assert any("timestamp holds steps" in note for note in write(a_dataset(steps=True), tmp_path, "shop"))


@pytest.mark.parametrize("item_id", ["a\tb", '"7"'])
def test_ids_that_recbole_cannot_read_are_refused(item_id: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="rename it"):
        write(a_dataset(item_id=item_id), tmp_path, "shop")


def test_pandas_reads_the_files_as_recbole_does(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    dataset = a_dataset()
    write(dataset, tmp_path, "shop")
    for name, rows in (("shop.inter", 7), ("shop.item", 4)):
        table = pandas.read_csv(tmp_path / name, delimiter="\t", dtype=str, encoding="utf-8", engine="python")
        assert len(table) == rows
        assert not table.iloc[:, 0].isna().any()
